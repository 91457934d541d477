package host

import (
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	constatv1 "constat/proto/constat/v1"
)

// installedProgram reads a program out of its key below Uninstall
// (learn.microsoft.com, "Uninstall Registry Key"); nil for what Windows does not
// show either: parts of the system, updates of another program, entries without a
// name.
func installedProgram(key registryKey) *constatv1.Program {
	name := key.text("DisplayName")
	switch {
	case name == "", key.is("SystemComponent", 1), key.text("ParentKeyName") != "":
		return nil
	}
	switch key.text("ReleaseType") {
	case "Hotfix", "Security Update", "Update Rollup", "Update", "Service Pack":
		return nil
	}
	p := &constatv1.Program{Name: &name, Version: filled(key.text("DisplayVersion")), Publisher: filled(key.text("Publisher")), Source: set("exe")}
	switch {
	case key.is("WindowsInstaller", 1):
		p.Source = set("msi")
	case strings.Contains(strings.ToLower(key.text("UninstallString")), "officeclicktorun.exe"):
		p.Source = set("clickToRun")
	}
	if at, err := time.Parse("20060102", key.text("InstallDate")); err == nil && at.Year() > 1990 {
		p.InstalledAt = timestamppb.New(at)
	}
	return p
}

// packagedProgram reads a program out of the full name of its package,
// "Name_1.2.3.0_x64__publisher" (learn.microsoft.com, "Package identity"); nil for
// what is no such name. Packages of resources have something between the last two.
func packagedProgram(fullName string) *constatv1.Program {
	parts := strings.Split(fullName, "_")
	if len(parts) != 5 || parts[0] == "" || parts[1] == "" || parts[3] != "" && parts[3] != "~" {
		return nil
	}
	return &constatv1.Program{Name: set(parts[0]), Version: set(parts[1]), Source: set("appx")}
}

// uniquePrograms takes out what stands twice: in both views of the registry, and
// for several persons. They are sorted.
func uniquePrograms(programs []*constatv1.Program) []*constatv1.Program {
	kept := programs[:0]
	for _, p := range programs {
		if len(kept) > 0 {
			last := kept[len(kept)-1]
			if last.GetName() == p.GetName() && last.GetSource() == p.GetSource() && last.GetVersion() == p.GetVersion() {
				continue
			}
		}
		kept = append(kept, p)
	}
	return kept
}

// wingetOffer is a row of what "winget upgrade" lists.
type wingetOffer struct{ name, version, available string }

// parseWinget reads the table that winget(1) prints, whatever its language: below
// the line of dashes, each row ends in the id, the version, the newer version and
// the source, none of which has spaces in it, but for a "<" or ">" before a version
// that is not certain. Names that do not fit end in "…".
func parseWinget(output string) []wingetOffer {
	var offers []wingetOffer
	below := false
	for line := range strings.Lines(output) {
		line = strings.TrimSpace(line[strings.LastIndexByte(strings.TrimRight(line, "\r\n"), '\r')+1:]) // it draws over its own progress
		if strings.Trim(line, "-") == "" {
			below = line != ""
			continue
		}
		fields := strings.Fields(line)
		n := len(fields)
		if !below || n < 5 || len(offers) == maxPackages || fields[n-1] != "winget" && fields[n-1] != "msstore" {
			continue
		}
		name := fields[:n-4]
		if last := name[len(name)-1]; last == "<" || last == ">" {
			continue // which version there is, is not known
		} else if at := fields[n-4]; at == "<" || at == ">" {
			continue
		}
		offers = append(offers, wingetOffer{strings.Join(name, " "), fields[n-3], fields[n-2]})
	}
	return offers
}

// offerWinget adds the newer versions to the programs, by their name and version.
func offerWinget(programs []*constatv1.Program, offers []wingetOffer) {
	for _, offer := range offers {
		start, cut := strings.CutSuffix(offer.name, "…")
		for _, p := range programs {
			if (p.GetName() == offer.name || cut && strings.HasPrefix(p.GetName(), start)) && p.GetVersion() == offer.version {
				p.AvailableVersion = set(offer.available)
			}
		}
	}
}
