package host

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Where dpkg and apt keep what they know.
const (
	dpkgStatus = "/var/lib/dpkg/status"
	// dpkgUpdates has a file for each change of a package's state until dpkg
	// ends well, and writes a new status file.
	dpkgUpdates = "/var/lib/dpkg/updates"
	aptLists    = "/var/lib/apt/lists"
)

// debianCache keeps the last reading of the package database with the state of
// all files it came from: they are large, and rarely change.
var debianCache struct {
	sync.Mutex
	stamp string
	value *debian
}

// debian reads dpkg's database and apt's lists, or returns the last reading, of
// this process or of one before it, when none of their files has changed since.
func (r *reader) debian(ctx context.Context) (*debian, error) {
	debianCache.Lock()
	defer debianCache.Unlock()
	status, err := r.stat(dpkgStatus)
	if err != nil {
		return nil, err
	}
	// What another version read may have been read in another way.
	stamp := r.AgentVersion + "\n" + stampOf(r.path(dpkgStatus), status)
	for _, name := range []string{"/etc/apt/preferences", "/etc/apt/preferences.d"} {
		if info, err := r.stat(name); err == nil {
			stamp += stampOf(name, info)
		}
	}
	updates, err := r.dpkgUpdates()
	if err != nil {
		return nil, err
	}
	for _, name := range updates {
		if info, err := r.stat(name); err == nil {
			stamp += stampOf(name, info)
		}
	}
	lists, listsErr := r.names(aptLists)
	lists = slices.DeleteFunc(lists, func(name string) bool {
		info, err := r.stat(aptLists + "/" + name)
		if err != nil || !info.Mode().IsRegular() {
			return true
		}
		stamp += stampOf(name, info)
		return false
	})
	if stamp == debianCache.stamp {
		return debianCache.value, nil
	}
	if d := r.Packages.load(stamp); d != nil {
		debianCache.stamp, debianCache.value = stamp, d
		return d, nil
	}
	f, err := os.Open(r.path(dpkgStatus))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	d := &debian{}
	var since []io.Reader
	for _, name := range updates {
		if content, err := r.file(name); err == nil { // dpkg may be at work, and remove them
			since = append(since, bytes.NewReader(content), strings.NewReader("\n\n"))
		}
	}
	if d.packages, d.broken, err = parseDpkg(stoppable{ctx, f}, io.MultiReader(since...)); err != nil {
		return nil, fmt.Errorf("%s: %w", dpkgStatus, err)
	}
	if len(d.packages) == 0 && len(d.broken) == 0 {
		return nil, fmt.Errorf("%s has no package in it, not even dpkg", dpkgStatus)
	}
	r.installedAt(d.packages)
	if d.offered = listsErr; listsErr == nil {
		d.offered = r.offers(ctx, d, lists)
	}
	if ctx.Err() != nil {
		return nil, ctx.Err() // half a reading is not kept
	}
	debianCache.stamp, debianCache.value = stamp, d
	r.Packages.save(stamp, d)
	return d, nil
}

// installedAt notes when packages were installed. There are thousands of them:
// from their directory, the kernel has a shorter way to their files.
func (r *reader) installedAt(packages []dpkgPackage) {
	dir, err := os.Open(r.path("/var/lib/dpkg/info"))
	if err != nil {
		return
	}
	defer dir.Close()
	var stat unix.Stat_t
	for i, one := range packages {
		if unix.Fstatat(int(dir.Fd()), one.list, &stat, 0) == nil {
			packages[i].installed = time.Unix(stat.Mtim.Unix())
		}
	}
}

// dpkgUpdates are the files in which dpkg notes what it does, in their order:
// their names are numbers of one length. It keeps 250 of them at the most.
func (r *reader) dpkgUpdates() ([]string, error) {
	names, err := r.names(dpkgUpdates)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	names = slices.DeleteFunc(names, func(name string) bool { return digits(name) != len(name) })
	names = names[:min(len(names), 1000)]
	for i, name := range names {
		names[i] = dpkgUpdates + "/" + name
	}
	return names, err
}

func stampOf(name string, info fs.FileInfo) string {
	return fmt.Sprintf("%s %d %d\n", name, info.Size(), info.ModTime().UnixNano())
}

// offers notes in the packages what apt's lists have newer. An error says why
// that is not known.
func (r *reader) offers(ctx context.Context, d *debian, names []string) error {
	packages := d.packages
	if err := r.pins(packages); err != nil {
		return err
	}
	at := make(map[string]int, len(packages))
	for i, one := range packages {
		at[one.name] = i
	}
	native := ""
	if i, found := at["dpkg"]; found {
		native = packages[i].architecture
	}
	read := 0
	for _, name := range names {
		stem, extension := name, path.Ext(name)
		if strings.HasSuffix(stem, "_Packages"+extension) {
			stem = strings.TrimSuffix(stem, extension)
		}
		if !strings.HasSuffix(stem, "_Packages") {
			continue
		}
		var from archive
		if release, err := r.file(aptLists + "/" + releaseOf(names, stem)); err == nil {
			from = parseRelease(release)
		}
		read++
		if from.optional {
			continue
		}
		d.classified = d.classified || from.security
		suffix := ""
		if architecture := listArchitecture(stem); architecture != "" && architecture != "all" && architecture != native {
			suffix = ":" + architecture
		}
		if err := r.offersOf(ctx, packages, at, name, suffix, from); err != nil {
			return fmt.Errorf("apt's list %s: %w", name, err)
		}
	}
	if read == 0 {
		return fmt.Errorf("apt has no package lists: it has not looked for updates yet: %w", errors.ErrUnsupported)
	}
	return nil
}

// pins marks the packages whose version an administrator decides on. An error
// says why that is not known.
func (r *reader) pins(packages []dpkgPackage) error {
	files := []string{"/etc/apt/preferences"}
	more, _ := r.names("/etc/apt/preferences.d")
	for _, name := range more {
		files = append(files, "/etc/apt/preferences.d/"+name)
	}
	for _, name := range files {
		content, err := r.file(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		pinned, pattern := parsePins(content)
		if pattern != "" {
			return fmt.Errorf("%s pins %q, and pins of more than a name are not understood: %w", name, pattern, errors.ErrUnsupported)
		}
		for i, one := range packages {
			packages[i].held = one.held || slices.Contains(pinned, one.name)
		}
	}
	return nil
}

// offersOf reads one list.
func (r *reader) offersOf(ctx context.Context, packages []dpkgPackage, at map[string]int, name, suffix string, from archive) error {
	f, err := os.Open(r.path(aptLists + "/" + name))
	if err != nil {
		return err
	}
	defer f.Close()
	var list io.Reader = stoppable{ctx, f}
	switch path.Ext(name) {
	case ".gz":
		if list, err = gzip.NewReader(list); err != nil {
			return err
		}
	case ".lz4":
		list = newLZ4(list)
	case ".xz", ".zst", ".bz2", ".lzma":
		return fmt.Errorf("compressed in a way that is not read: %w", errors.ErrUnsupported)
	}
	return offer(packages, at, list, suffix, from)
}

// stoppable is a file whose reading ends with a context.
type stoppable struct {
	ctx context.Context
	in  io.Reader
}

func (s stoppable) Read(p []byte) (int, error) {
	if err := s.ctx.Err(); err != nil {
		return 0, err
	}
	return s.in.Read(p)
}
