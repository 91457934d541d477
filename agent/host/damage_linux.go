package host

import (
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
// its package brought it, as dpkg --verify does. That every file is there is seen
// of all packages; contents are compared of those that a person or the system
// starts, the small ones first, as long as time and bytes last. What was not
// compared to the end is not called whole.
func (r *reader) verify(ctx context.Context, d *debian, programs []*constatv1.Program) error {
	ctx, cancel := context.WithTimeout(ctx, damageTime)
	defer cancel()
	diverted := map[string]diversion{}
	if content, err := r.file("/var/lib/dpkg/diversions"); err == nil {
		diverted = parseDiversions(content)
	}
	damaged := map[string]bool{}
	var all []*verification
	seen := 0
	for _, p := range d.packages {
		if ctx.Err() != nil {
			break
		}
		seen++
		v := r.present(p, diverted)
		switch {
		case v == nil:
		case v.damaged:
			damaged[p.name] = true
		case v.whole && v.startable:
			all = append(all, v)
		}
	}
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
	for _, p := range programs {
		if bad, known := damaged[p.GetName()]; known && p.GetSource() == "dpkg" {
			p.Damaged = &bad
		}
	}
	if seen < len(d.packages) || compared < len(all) {
		return fmt.Errorf("the files of %d of %d packages were looked for, and %d of %d programs compared, within %v and %d MiB",
			seen, len(d.packages), compared, len(all), damageTime, damageBytes>>20)
	}
	return nil
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
