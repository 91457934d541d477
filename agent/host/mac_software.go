package host

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	constatv1 "constat/proto/constat/v1"
)

// macPrograms are the applications of the report SPApplications: those in the
// places where people start them from, not the system's own helpers.
func macPrograms(reports node) (programs []*constatv1.Program) {
	for _, entry := range profiled(reports, "SPApplicationsDataType") {
		where := entry.at("path").text()
		if len(programs) == maxPackages || !macApplication(where) {
			continue
		}
		p := &constatv1.Program{
			Name: entry.at("_name").word(), Version: entry.at("version").word(), Source: set("app"), Publisher: macPublisher(entry),
		}
		if at := firstOfKeys(entry, "lastModified", "lastModifiedDate").time(); !at.IsZero() {
			p.InstalledAt = timestamppb.New(at)
		}
		if p.Name != nil {
			programs = append(programs, p)
		}
	}
	return programs
}

// macApplication tells whether an application lies where people start it from.
func macApplication(path string) bool {
	for _, dir := range []string{"/Applications/", "/System/Applications/", "/System/Cryptexes/App/System/Applications/"} {
		if rest, found := strings.CutPrefix(path, dir); found {
			return strings.Count(rest, "/") <= 2 && strings.Count(rest, ".app") == 1
		}
	}
	rest, found := strings.CutPrefix(path, "/Users/")
	_, rest, _ = strings.Cut(rest, "/")
	return found && strings.HasPrefix(rest, "Applications/") && strings.Count(rest, ".app") == 1
}

// macPublisher is who signed an application, by the name in the first certificate:
// “Developer ID Application: Microsoft Corporation (UBF8T346G9)”.
func macPublisher(entry node) *string {
	if entry.at("obtained_from").text() == "apple" {
		return set("Apple")
	}
	for _, signer := range entry.at("signed_by").list() {
		name := signer.text()
		for _, prefix := range []string{"Developer ID Application: ", "Apple Mac OS Application Signing", "3rd Party Mac Developer Application: ", "Apple Development: "} {
			rest, found := strings.CutPrefix(name, prefix)
			if !found {
				continue
			}
			if open := strings.LastIndex(rest, " ("); open > 0 {
				rest = rest[:open]
			}
			return filled(strings.TrimSpace(rest)) // of the store's signature nothing: its name is Apple's
		}
		break
	}
	return nil
}

// macInstalls reads /Library/Receipts/InstallHistory.plist: packages by their last
// version, and when the system last brought an update of its own.
func macInstalls(history node) (programs []*constatv1.Program, updated time.Time) {
	last := map[string]*constatv1.Program{}
	for _, entry := range history.list() {
		name, by, at := entry.at("displayName").text(), entry.at("processName").text(), entry.at("date").time()
		switch by {
		case "softwareupdated", "Software Update", "storedownloadd", "appstoreagent", "installcoordinationd", "osinstallersetupd":
			// The store's applications have an entry of their own.
			if (by == "softwareupdated" || by == "Software Update" || by == "osinstallersetupd") && at.After(updated) {
				updated = at
			}
			continue
		}
		if name == "" || len(last) == maxPackages && last[name] == nil {
			continue
		}
		if known := last[name]; known != nil && !at.IsZero() && known.InstalledAt != nil && at.Before(known.InstalledAt.AsTime()) {
			continue
		}
		p := &constatv1.Program{Name: &name, Version: entry.at("displayVersion").word(), Source: set("pkg")}
		if !at.IsZero() {
			p.InstalledAt = timestamppb.New(at)
		}
		last[name] = p
	}
	for _, p := range last {
		programs = append(programs, p)
	}
	return sortPrograms(programs), updated
}

// withPackages adds packages that brought no application of their name: the history
// also has those whose application is gone, and of each the application tells more.
func withPackages(applications, packages []*constatv1.Program) []*constatv1.Program {
	known := map[string]bool{}
	for _, p := range applications {
		known[strings.ToLower(p.GetName())] = true
	}
	for _, p := range packages {
		if !known[strings.ToLower(p.GetName())] {
			applications = append(applications, p)
		}
	}
	return applications
}

// macStartup names what starts by itself: the property lists of launchd by their
// file's name, those of Apple left out, and the items that people or programs added.
func macStartup(files []string, items []string) []string {
	list := slices.Clone(items)
	for _, file := range files {
		if name, found := strings.CutSuffix(file, ".plist"); found && !strings.HasPrefix(name, "com.apple.") && len(list) < maxStartup {
			list = append(list, name)
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// macLoginItems reads sfltool dumpbtm: records behind “#1:”, of which those that
// start with a person's session (app, login item) and are enabled are named.
func macLoginItems(content []byte) (items []string) {
	name, kind, enabled := "", "", false
	flush := func() {
		if name != "" && name != "(null)" && enabled && (strings.HasPrefix(kind, "app") || strings.HasPrefix(kind, "login item")) && len(items) < maxStartup {
			items = append(items, name)
		}
		name, kind, enabled = "", "", false
	}
	for line := range strings.Lines(string(content)) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "#") && strings.HasSuffix(line, ":") {
			flush()
			continue
		}
		switch key, value := labelled(line); key {
		case "Name":
			name = value
		case "Type":
			kind = value
		case "Disposition":
			enabled = strings.HasPrefix(value, "[enabled")
		}
	}
	flush()
	slices.Sort(items)
	return slices.Compact(items)
}

// macUpdates tells how the system's updates stand, by the settings of Software
// Update (com.apple.SoftwareUpdate.plist). What it found is what it found then.
func macUpdates(settings node) *constatv1.Updates {
	u := &constatv1.Updates{Kind: set("softwareUpdate")}
	var checked time.Time
	for _, key := range []string{"LastFullSuccessfulDate", "LastSuccessfulDate", "LastBackgroundSuccessfulDate"} {
		if at := settings.at(key).time(); at.After(checked) {
			checked = at
		}
	}
	if !checked.IsZero() {
		u.LastCheckAt = timestamppb.New(checked)
	}
	recommended := settings.at("RecommendedUpdates")
	if list := recommended.list(); recommended.there() {
		u.Pending = set(int32(len(list)))
		security := int32(0)
		for _, one := range list {
			name := strings.ToLower(one.at("Display Name").text())
			if strings.Contains(name, "security") || strings.Contains(name, "sécurité") {
				security++
			}
		}
		if security > 0 { // that none says so in its name means nothing
			u.SecurityPending = &security
		}
	} else if n := settings.at("LastRecommendedUpdatesAvailable").small(0, 10_000); n != nil {
		u.Pending = n
	}
	return u
}

// sortedPrograms brings programs of all sources together.
func sortedPrograms(lists ...[]*constatv1.Program) []*constatv1.Program {
	all := sortPrograms(slices.Concat(lists...))
	return slices.CompactFunc(all, func(a, b *constatv1.Program) bool {
		return a.GetName() == b.GetName() && a.GetSource() == b.GetSource() && a.GetVersion() == b.GetVersion() && cmp.Compare(a.GetPublisher(), b.GetPublisher()) == 0
	})
}
