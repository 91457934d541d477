package host

import (
	"compress/gzip"
	"context"
	"fmt"
	"io/fs"
	"os"
	"sync"

	constatv1 "constat/proto/constat/v1"
)

// storeCache keeps what the catalogs of flatpak's remotes offer, with the state
// of the catalogs and of what is installed that it was found in.
var storeCache struct {
	sync.Mutex
	stamp string
	found map[string]string
}

// flatpakApp is an application as flatpak has it installed.
type flatpakApp struct {
	*constatv1.Program
	reference, origin string
	metainfo          []byte
}

// offerFlatpaks adds the versions that are newer in the catalogs that flatpak or
// a software centre last fetched; nobody is asked.
func offerFlatpaks(r *reader, apps []flatpakApp) error {
	const dir = "/var/lib/flatpak/appstream/"
	catalogs, stamp := map[string]string{}, ""
	wanted := map[string]bool{}
	for _, a := range apps {
		wanted[a.reference] = true
		stamp += a.reference + "\n"
		if a.origin == "" || catalogs[a.origin] != "" {
			continue
		}
		architectures, _ := r.names(dir + a.origin)
		for _, architecture := range architectures {
			file := dir + a.origin + "/" + architecture + "/active/appstream.xml.gz"
			if info, err := r.stat(file); err == nil {
				catalogs[a.origin] = file
				stamp += stampOf(r.path(file), info)
			}
		}
	}
	if len(catalogs) == 0 {
		return fmt.Errorf("no catalog of flatpak's remotes was fetched: %w", fs.ErrNotExist)
	}
	storeCache.Lock()
	defer storeCache.Unlock()
	if stamp != storeCache.stamp {
		found := map[string]string{}
		for origin, file := range catalogs {
			newest, err := readCatalog(r, file, wanted)
			if err != nil {
				return fmt.Errorf("flatpak's catalog of %s: %w", origin, err)
			}
			for reference, version := range newest {
				found[origin+" "+reference] = version
			}
		}
		storeCache.stamp, storeCache.found = stamp, found
	}
	for _, a := range apps {
		if version := storeCache.found[a.origin+" "+a.reference]; a.Version != nil && version != "" && !knowsRelease(a.metainfo, version) {
			a.AvailableVersion = set(version)
		}
	}
	return nil
}

func readCatalog(r *reader, name string, wanted map[string]bool) (map[string]string, error) {
	f, err := os.Open(r.path(name))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	plain, err := gzip.NewReader(f)
	if err != nil {
		return nil, err
	}
	return newestReleases(plain, wanted)
}

// offerSnaps adds the versions that snapd has found and not installed yet, by
// the process that may read its state.
func offerSnaps(ctx context.Context, r *reader, snaps []*constatv1.Program) error {
	if r.Privileged == nil {
		return fmt.Errorf("what snapd has found is in its state, which needs rights: %w", fs.ErrPermission)
	}
	content, err := r.Privileged(ctx, "snap-candidates", "")
	if err != nil {
		return err
	}
	candidates, err := parseCandidates(content)
	if err != nil {
		return fmt.Errorf("what snapd has found: %w", err)
	}
	for _, s := range snaps {
		if version := candidates[s.GetName()]; version != "" && version != s.GetVersion() {
			s.AvailableVersion = set(version)
		}
	}
	return nil
}
