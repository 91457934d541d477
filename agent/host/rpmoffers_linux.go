package host

import (
	"cmp"
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

	"github.com/klauspost/compress/zstd"
	"google.golang.org/protobuf/proto"
)

// Where the managers of rpm's packages are set up, and keep what they fetched.
const (
	zyppRepositories = "/etc/zypp/repos.d"
	dnfSettings      = "/etc/dnf/dnf.conf"
)

var (
	dnfRepositories = []string{"/etc/yum.repos.d", "/etc/distro.repos.d", "/usr/share/dnf5/repos.d"}
	dnfOverrides    = []string{"/usr/share/dnf5/repos.override.d", "/etc/dnf/repos.override.d"}
	dnfCaches       = []string{"/var/cache/libdnf5", "/var/cache/dnf"}
	// rpmLocks hold packages at a version, in three forms.
	rpmLocks = []string{"/etc/dnf/plugins/versionlock.list", "/etc/dnf/versionlock.toml", "/etc/zypp/locks"}
)

// rpmOffersCache keeps what repositories have newer with the state of all files
// it came from.
var rpmOffersCache struct {
	sync.Mutex
	stamp string
	newer map[string]string
	err   error
}

// offerRPMs adds the versions that are newer in what the package manager fetched
// last; nobody is asked. stamp is the state that installed was found in. An
// error says why newer versions are not known, or not all of them.
func (r *reader) offerRPMs(ctx context.Context, installed []rpmPackage, stamp string) ([]rpmPackage, error) {
	repositories, err := r.rpmRepositories()
	if err != nil {
		return installed, err
	}
	stamp = r.AgentVersion + "\n" + stamp
	var lists []rpmList
	var missing error
	for _, from := range repositories {
		stamp += fmt.Sprintf("%+v\n", from)
		list, err := r.rpmList(&from)
		if err != nil {
			missing = cmp.Or(missing, fmt.Errorf("the repository %s: %w", from.id, err))
			stamp += err.Error() + "\n"
			continue
		}
		stamp += list.stamp
		lists = append(lists, list)
	}
	newer, err := r.newerRPMs(ctx, installed, lists, stamp)
	if err == nil {
		err = missing
	}
	offered := slices.Clone(installed)
	for i, p := range offered {
		if modular(p.GetVersion()) {
			err = cmp.Or(err, fmt.Errorf("packages of modules are not compared, as %s: %w", p.GetName(), errors.ErrUnsupported))
			continue
		}
		if version := newer[p.key()]; version != "" {
			p.Program = proto.CloneOf(p.Program) // what is kept of rpm's answer is shared
			p.AvailableVersion = set(version)
			offered[i] = p
		}
	}
	return offered, err
}

// newerRPMs reads the lists, or returns what was read of them when nothing has
// changed since.
func (r *reader) newerRPMs(ctx context.Context, installed []rpmPackage, lists []rpmList, stamp string) (map[string]string, error) {
	rpmOffersCache.Lock()
	defer rpmOffersCache.Unlock()
	if stamp == rpmOffersCache.stamp {
		return rpmOffersCache.newer, rpmOffersCache.err
	}
	newer := r.Packages.loadOffers(stamp)
	var failed error
	if newer == nil {
		offers := newRPMOffers(installed)
		for _, list := range lists {
			if err := r.readRPMList(ctx, offers, list); err != nil {
				failed = cmp.Or(failed, fmt.Errorf("the list of the repository %s: %w", list.from.id, err))
			}
		}
		if ctx.Err() != nil {
			return nil, ctx.Err() // half a reading is not kept
		}
		if newer = offers.newer(); failed == nil {
			r.Packages.saveOffers(stamp, newer)
		}
	}
	rpmOffersCache.stamp, rpmOffersCache.newer, rpmOffersCache.err = stamp, newer, failed
	return newer, failed
}

// rpmRepositories are those that are switched on. An error says why it is not
// known what the manager would take from them.
func (r *reader) rpmRepositories() ([]rpmRepository, error) {
	for _, name := range rpmLocks {
		content, err := r.file(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		for line := range strings.Lines(string(content)) {
			// An empty list of dnf5 has a line with the version of its form.
			if text := strings.TrimSpace(line); text != "" && text[0] != '#' && !strings.HasPrefix(text, "version =") {
				return nil, fmt.Errorf("%s holds packages at a version, and is not understood: %w", name, errors.ErrUnsupported)
			}
		}
	}
	dirs, zypp := dnfRepositories, false
	if _, err := r.stat(zyppRepositories); err == nil {
		dirs, zypp = []string{zyppRepositories}, true
	}
	sections, err := r.sections(dirs)
	if err != nil {
		return nil, err
	}
	var overrides []iniSection
	var everywhere []string
	if !zypp {
		if overrides, err = r.sections(dnfOverrides); err != nil {
			return nil, err
		}
		content, err := r.file(dnfSettings)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		for _, section := range parseINI(content) {
			if section.name == "main" {
				everywhere = append(everywhere, patternsOf(section.values, "exclude", "excludepkgs")...)
			} else {
				sections = append(sections, section)
			}
		}
	}
	var enabled []rpmRepository
	for _, section := range sections {
		if section.name == "main" {
			continue
		}
		one := rpmRepository{id: section.name, enabled: true, priority: 99, exclude: slices.Clone(everywhere), zypper: zypp}
		one.apply(section.values)
		for _, override := range overrides {
			if matched, err := path.Match(override.name, one.id); matched && err == nil {
				one.apply(override.values)
			}
		}
		if one.enabled {
			enabled = append(enabled, one)
		}
	}
	if len(enabled) == 0 {
		return nil, fmt.Errorf("no repository of rpm's packages is switched on: %w", errors.ErrUnsupported)
	}
	return enabled[:min(len(enabled), maxRepositories)], nil
}

// sections are those of all .repo files of directories.
func (r *reader) sections(dirs []string) ([]iniSection, error) {
	var all []iniSection
	for _, dir := range dirs {
		names, err := r.names(dir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		for _, name := range names {
			if !strings.HasSuffix(name, ".repo") {
				continue
			}
			content, err := r.file(dir + "/" + name)
			if err != nil {
				return nil, err
			}
			all = append(all, parseINI(content)...)
		}
	}
	return all, nil
}

// rpmList is a repository's list of packages as it was fetched last.
type rpmList struct {
	from        *rpmRepository
	file, stamp string
}

// rpmList finds a repository's list. dnf has a directory for each address that a
// repository had: the one that was fetched last counts.
func (r *reader) rpmList(from *rpmRepository) (rpmList, error) {
	var candidates []string
	if from.zypper {
		candidates = []string{"/var/cache/zypp/raw/" + strings.ReplaceAll(from.id, "/", "_")}
	} else {
		for _, cache := range dnfCaches {
			names, err := r.names(cache)
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return rpmList{}, err
			}
			for _, name := range names {
				if hash, found := strings.CutPrefix(name, from.id+"-"); found && len(hash) == 16 && strings.Trim(hash, "0123456789abcdef") == "" {
					candidates = append(candidates, cache+"/"+name)
				}
			}
		}
	}
	dir := ""
	var fetched fs.FileInfo
	for _, candidate := range candidates {
		info, err := r.stat(candidate + "/repodata/repomd.xml")
		if errors.Is(err, fs.ErrPermission) {
			return rpmList{}, err
		}
		if err == nil && (fetched == nil || info.ModTime().After(fetched.ModTime())) {
			dir, fetched = candidate+"/repodata/", info
		}
	}
	if fetched == nil {
		return rpmList{}, fmt.Errorf("its list was not fetched: %w", fs.ErrNotExist)
	}
	repomd, err := r.file(dir + "repomd.xml")
	if err != nil {
		return rpmList{}, err
	}
	for _, name := range primaryOf(repomd) {
		if info, err := r.stat(dir + name); err == nil {
			return rpmList{from, dir + name, stampOf(r.path(dir+name), info)}, nil
		}
	}
	return rpmList{}, fmt.Errorf("its list is not kept: %w", fs.ErrNotExist)
}

// readRPMList reads one list.
func (r *reader) readRPMList(ctx context.Context, offers *rpmOffers, list rpmList) error {
	f, err := os.Open(r.path(list.file))
	if err != nil {
		return err
	}
	defer f.Close()
	var in io.Reader = stoppable{ctx, f}
	switch path.Ext(list.file) {
	case ".xml":
	case ".gz":
		if in, err = gzip.NewReader(in); err != nil {
			return err
		}
	case ".zst":
		plain, err := zstd.NewReader(in, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(32<<20))
		if err != nil {
			return err
		}
		defer plain.Close()
		in = plain
	case ".zck":
		plain, err := newZck(in)
		if err != nil {
			return err
		}
		defer plain.Close()
		in = plain
	case ".xz", ".bz2":
		return fmt.Errorf("compressed as %s, which is not read: %w", path.Ext(list.file), errors.ErrUnsupported)
	default:
		return fmt.Errorf("compressed in a way that is not read: %w", errors.ErrUnsupported)
	}
	return offers.read(in, list.from)
}
