package host

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/windows/registry"
	"google.golang.org/protobuf/proto"

	constatv1 "constat/proto/constat/v1"
)

const currentVersion = `SOFTWARE\Microsoft\Windows\CurrentVersion`

func readSoftware(ctx context.Context, r *reader) (proto.Message, *constatv1.Observation) {
	o := observed("registry: Uninstall of the machine and of persons, Appx, Office; winget")
	s := &constatv1.Software{}
	places := []struct {
		root registry.Key
		path string
		view uint32
	}{
		{registry.LOCAL_MACHINE, currentVersion + `\Uninstall`, 0},
		{registry.LOCAL_MACHINE, currentVersion + `\Uninstall`, registry.WOW64_32KEY},
	}
	persons := people()
	for _, person := range persons {
		places = append(places, struct {
			root registry.Key
			path string
			view uint32
		}{registry.USERS, person + `\Software\Microsoft\Windows\CurrentVersion\Uninstall`, 0})
	}
	products := map[string]*constatv1.Program{}
	for i, place := range places {
		keys, err := registryBelow(place.root, place.path, place.view)
		if err != nil && i == 0 {
			return nil, failed(o.Source, err)
		}
		for _, key := range keys {
			if p := installedProgram(key); p != nil {
				s.Programs = append(s.Programs, p)
				if p.GetSource() == "msi" {
					products[key.name] = p
				}
			}
		}
	}
	packages, _ := registryNames(registry.LOCAL_MACHINE, currentVersion+`\Appx\AppxAllUserStore\Applications`, 0)
	for _, name := range packages {
		if p := packagedProgram(name); p != nil {
			s.Programs = append(s.Programs, p)
		}
	}
	s.Programs = uniquePrograms(sortPrograms(s.Programs))
	if configuration, updates, found := officeSuite(); found {
		for _, p := range s.Programs {
			if p.GetSource() != "clickToRun" {
				continue
			}
			p.Version, p.Channel = set(configuration.text("VersionToReport")), officeChannel(configuration)
			if r.Verify {
				p.Damaged = officeDamaged(configuration)
			}
			if next := updates.text("UpdateToVersion"); next != "" && next != p.GetVersion() {
				p.AvailableVersion = &next
			}
		}
	}
	if offers, err := wingetOffers(ctx, r.Verify); err != nil {
		gap(o, "programs.available_version", err)
	} else {
		offerWinget(s.Programs, offers)
	}
	if !r.Verify {
		gap(o, "damaged_programs", errNotCompared)
	} else if err := verifyProducts(ctx, products); err != nil {
		gap(o, "programs.damaged", err)
		gap(o, "damaged_programs", err)
	}
	s.DamagedPrograms = damagedPrograms(s.Programs)
	s.AddIns = sortAddIns(officeAddIns())
	s.StartupItems = startupNames(persons)
	return s, o
}

// startupNames are what starts with a person's session, for all and for those who
// are signed in, by name.
func startupNames(persons []string) []string {
	const run = `Microsoft\Windows\CurrentVersion\Run`
	var items []string
	add := func(root registry.Key, path string, view uint32) {
		if key, err := registryValues(root, path, view); err == nil {
			for _, name := range key.names {
				if name != "" {
					items = append(items, name)
				}
			}
		}
	}
	add(registry.LOCAL_MACHINE, `SOFTWARE\`+run, 0)
	add(registry.LOCAL_MACHINE, `SOFTWARE\`+run, registry.WOW64_32KEY)
	for _, person := range persons {
		add(registry.USERS, person+`\Software\`+run, 0)
	}
	entries, _ := os.ReadDir(filepath.Join(os.Getenv("ProgramData"), `Microsoft\Windows\Start Menu\Programs\StartUp`))
	for _, entry := range entries {
		if name, found := strings.CutSuffix(entry.Name(), ".lnk"); found {
			items = append(items, name)
		}
	}
	slices.Sort(items)
	items = slices.Compact(items)
	return items[:min(len(items), maxStartup)]
}

// wingetTime is how long winget may take: it asks its sources.
const wingetTime = 4 * time.Second

// wingetOffers asks winget for newer versions, where it is installed. It works for
// seconds, so only when programs are looked into.
func wingetOffers(ctx context.Context, wanted bool) ([]wingetOffer, error) {
	programs, _ := filepath.Glob(filepath.Join(os.Getenv("ProgramFiles"), `WindowsApps\Microsoft.DesktopAppInstaller_*_8wekyb3d8bbwe\winget.exe`))
	switch {
	case len(programs) == 0:
		return nil, fmt.Errorf("winget is not installed, or hidden from this account: %w", errors.ErrUnsupported)
	case !wanted:
		return nil, fmt.Errorf("winget is asked only where a program is looked into: %w", errors.ErrUnsupported)
	}
	slices.Sort(programs)
	q := inquiry{program: programs[len(programs)-1], words: []string{"upgrade", "--disable-interactivity"}, limit: wingetTime, most: 1 << 20}
	out, err := q.answer(ctx)
	return parseWinget(string(out)), err
}
