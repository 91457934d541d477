package host

import (
	"bytes"
	"cmp"
	"context"
	"crypto/md5" // what dpkg keeps
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	constatv1 "constat/proto/constat/v1"
)

// Bounds of one comparison of programs with their packages.
const (
	damageTime  = 3500 * time.Millisecond
	damageBytes = 384 << 20
	// oneTime is for the one program that is asked for by its name.
	oneTime = 45 * time.Second
)

// verification is what is known of a package's files.
type verification struct {
	name  string
	files []packageFile
	bytes int64
	// whole: each of its files is there and can be compared.
	whole, damaged, startable bool
}

// verify tells which of dpkg's programs miss a file, or have one that is not as
// its package brought it, as dpkg --verify does. What a person or the system
// starts comes first: that its files are there, and their contents, the small
// ones first, as long as time and bytes last. Of all other packages it is only
// seen whether their files are there. What was not compared to the end is not
// called whole.
func (r *reader) verify(ctx context.Context, d *debian, programs []*constatv1.Program) error {
	ctx, cancel := context.WithTimeout(ctx, r.verifyTime())
	defer cancel()
	diverted := map[string]diversion{}
	if content, err := r.file("/var/lib/dpkg/diversions"); err == nil {
		diverted = parseDiversions(content)
	}
	damaged := map[string]bool{}
	if r.VerifyProgram != "" {
		err := r.verifyOne(ctx, d, diverted, damaged)
		noteDamage(programs, "dpkg", damaged)
		return err
	}
	var all []*verification
	seen := 0
	look := func(packages []dpkgPackage) {
		for _, p := range packages {
			if ctx.Err() != nil {
				return
			}
			seen++
			switch v := r.present(p, diverted); {
			case v == nil:
			case v.damaged:
				damaged[p.name] = true
			case v.whole && v.startable:
				all = append(all, v)
			}
		}
	}
	programsFirst, others := r.split(d.packages)
	look(programsFirst)
	slices.SortFunc(all, func(a, b *verification) int {
		return cmp.Or(cmp.Compare(a.bytes, b.bytes), strings.Compare(a.name, b.name))
	})
	left, compared := int64(damageBytes), 0
	for _, v := range all {
		left -= v.bytes
		if left < 0 || ctx.Err() != nil {
			break
		}
		compared++
		same, err := r.same(ctx, v)
		if err == nil {
			damaged[v.name] = !same
		}
	}
	look(others)
	noteDamage(programs, "dpkg", damaged)
	if seen < len(d.packages) || compared < len(all) {
		return fmt.Errorf("the files of %d of %d packages were looked for, and %d of %d programs compared, within %v and %d MiB",
			seen, len(d.packages), compared, len(all), damageTime, damageBytes>>20)
	}
	return nil
}

// verifyTime is how long programs may be compared.
func (r *reader) verifyTime() time.Duration {
	if r.VerifyProgram != "" {
		return oneTime
	}
	return damageTime
}

// verifyOne compares the one package that is asked for.
func (r *reader) verifyOne(ctx context.Context, d *debian, diverted map[string]diversion, damaged map[string]bool) error {
	i := slices.IndexFunc(d.packages, func(p dpkgPackage) bool { return p.name == r.VerifyProgram })
	if i < 0 {
		return nil
	}
	v := r.present(d.packages[i], diverted)
	switch {
	case v == nil:
		return fmt.Errorf("dpkg has no checksums of %s", r.VerifyProgram)
	case v.damaged:
		damaged[v.name] = true
		return nil
	case !v.whole:
		return fmt.Errorf("not all files of %s can be compared", v.name)
	}
	same, err := r.same(ctx, v)
	if err == nil {
		damaged[v.name] = !same
	}
	return err
}

// noteDamage writes what is known of packages to the programs of that source.
func noteDamage(programs []*constatv1.Program, source string, damaged map[string]bool) {
	for _, p := range programs {
		if bad, known := damaged[p.GetName()]; known && p.GetSource() == source {
			p.Damaged = &bad
		}
	}
}

// split tells the packages with something to start from the others.
func (r *reader) split(packages []dpkgPackage) (programs, others []dpkgPackage) {
	has := map[string]bool{}
	for _, dir := range []string{"/usr/share/applications/", "/usr/lib/systemd/system/", "/lib/systemd/system/"} {
		names, _ := r.names(dir)
		for _, name := range names {
			has[dir+name] = startable(dir[1:] + name)
		}
	}
	for _, p := range packages {
		list, err := r.file("/var/lib/dpkg/info/" + p.list)
		starts := false
		for line := range bytes.Lines(list) {
			starts = starts || has[string(bytes.TrimRight(line, "\n"))]
		}
		if err == nil && starts {
			programs = append(programs, p)
		} else {
			others = append(others, p)
		}
	}
	return programs, others
}

// present looks for a package's files; nil: it keeps no checksums.
func (r *reader) present(p dpkgPackage, diverted map[string]diversion) *verification {
	base := "/var/lib/dpkg/info/" + strings.TrimSuffix(p.list, ".list")
	sums, err := r.file(base + ".md5sums")
	if err != nil {
		return nil
	}
	list, err := r.file(base + ".list")
	if err != nil {
		return nil
	}
	bare, _, _ := strings.Cut(p.name, ":")
	v := &verification{name: p.name, whole: true, files: parseMD5Sums(sums, list)}
	for i, f := range v.files {
		v.startable = v.startable || startable(f.name)
		if to, ok := diverted[f.name]; ok && to.by != bare {
			v.files[i].name = to.to
		}
		info, err := os.Lstat(r.path("/" + v.files[i].name))
		switch {
		case errors.Is(err, fs.ErrNotExist):
			v.damaged = true
		case err != nil || !info.Mode().IsRegular(): // not to be seen, or somebody put a link there
			v.whole = false
		default:
			v.bytes += info.Size()
		}
	}
	return v
}

// same compares the contents of a package's files with their checksums.
func (r *reader) same(ctx context.Context, v *verification) (bool, error) {
	for _, f := range v.files {
		file, err := os.Open(r.path("/" + f.name))
		if err != nil {
			return false, err
		}
		sum := md5.New()
		_, err = io.Copy(sum, stoppable{ctx, file})
		file.Close()
		if err != nil {
			return false, err
		}
		if hex.EncodeToString(sum.Sum(nil)) != f.md5 {
			return false, nil
		}
	}
	return true, nil
}
