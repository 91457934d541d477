package host

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	constatv1 "constat/proto/constat/v1"
)

// maxFile is the largest file that is read whole, in bytes: the status file of
// dpkg is some 6 MB, all else is small.
const maxFile = 16 << 20

// reader is one observation under way: the configuration, the files below its
// root, and what several groups need and is read once.
type reader struct {
	Config
	// network reads the network group, at most once for all who ask: the group
	// itself and the probes, which need it to know whom to ask. The message is
	// shared and must not be changed; it is nil when it could not be read.
	network func() (*constatv1.Network, *constatv1.Observation)
	// health is what the disks are and tell of themselves, asked at most once for
	// all who need it.
	health struct {
		sync.Once
		seen *diskState
	}
	// plugged is Windows' tree of devices, read at most once for all who ask.
	plugged struct {
		sync.Once
		tree *plugTree
		err  error
	}
	// processes are all there are, listed at most once for all who ask.
	processes struct {
		sync.Once
		at   time.Time
		byID map[int]processStat
		// hidden says why there may be more than those; nil when there are not.
		hidden, err error
		// again: they will be listed again, and files are those kept for that.
		again bool
		files map[string]int
	}
	// services are those of Windows' service control manager, listed at most once for
	// all who ask.
	services struct {
		sync.Once
		all []scmService
		err error
	}
	// mounted is what is mounted where, read at most once for all who ask, who
	// must not change it.
	mounted struct {
		sync.Once
		points []mountPoint
		err    error
	}
	// filter reads the packet filter's rules, at most once for all who ask.
	filter func(ctx context.Context) (*ruleset, error)
	// kernel is what the kernel's log tells, read at most once for all who ask.
	kernel struct {
		sync.Once
		events []kernelEvent
		err    error
	}
}

func newReader(ctx context.Context, c Config) *reader {
	r := &reader{Config: c}
	r.filter = onceFilter(r)
	r.network = sync.OnceValues(func() (*constatv1.Network, *constatv1.Observation) {
		ctx, cancel := context.WithTimeout(ctx, networkLimit)
		defer cancel()
		m, o := readNetwork(ctx, r)
		network, ok := m.(*constatv1.Network)
		if !ok || network == nil {
			return nil, o
		}
		scrub(network)
		return network, o
	})
	return r
}

// networkLimit is how long the network group may take.
const networkLimit = 3 * time.Second

// sharedNetwork is the network group's reader in the table of sources.
func sharedNetwork(_ context.Context, r *reader) (proto.Message, *constatv1.Observation) {
	network, o := r.network()
	o = proto.CloneOf(o) // the manifest writes into it
	if network == nil {
		return nil, o
	}
	return network, o
}

// path returns where a file of the machine lies. Relative links inside the root
// stay in it; absolute ones would leave it, and fixtures must not have them.
func (r *reader) path(name string) string {
	if r.Root == "" {
		return name
	}
	return filepath.Join(r.Root, name)
}

// file reads a whole file, up to maxFile bytes; a larger one is an error.
func (r *reader) file(name string) ([]byte, error) {
	content, err := readFile(r.path(name))
	if r.Record != nil && err == nil {
		r.Record(name, content)
	}
	return content, err
}

// text reads a file of one value, as sysfs has them, without its line end.
func (r *reader) text(name string) (string, error) {
	content, err := r.file(name)
	return strings.TrimSpace(string(content)), err
}

// word is text as an optional fact: nil when it cannot be read, or says nothing.
func (r *reader) word(name string) *string {
	text, err := r.text(name)
	if err != nil {
		return nil
	}
	return filled(text)
}

// number reads a file of one decimal number; nil when it cannot be read or is
// none.
func (r *reader) number(name string) *int64 {
	text, err := r.text(name)
	if err != nil {
		return nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return nil
	}
	return &n
}

// flag reads a file of 0 or 1; nil when it cannot be read or is neither.
func (r *reader) flag(name string) *bool {
	n := r.number(name)
	if n == nil || *n < 0 || *n > 1 {
		return nil
	}
	on := *n == 1
	return &on
}

// names lists a directory, sorted.
func (r *reader) names(dir string) ([]string, error) {
	names, err := readNames(r.path(dir))
	slices.Sort(names)
	return names, err
}

// link reads where a symbolic link points to, as written.
func (r *reader) link(name string) (string, error) { return os.Readlink(r.path(name)) }

// stat tells about a file, links followed.
func (r *reader) stat(name string) (fs.FileInfo, error) { return os.Stat(r.path(name)) }

// set returns a pointer to v: how an optional fact is set.
func set[T any](v T) *T { return &v }

// filled returns text as an optional fact, nil when it is empty: for sources in
// which empty means "not told".
func filled(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}
