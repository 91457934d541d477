package host

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/types/known/timestamppb"

	constatv1 "constat/proto/constat/v1"
)

// maxStartup is how many start-up items a snapshot names.
const maxStartup = 500

// programs are the installed packages as the schema tells them. What a package
// has newer is only told where that is known.
func (d *debian) programs() []*constatv1.Program {
	programs := make([]*constatv1.Program, 0, len(d.packages))
	for _, one := range d.packages {
		p := &constatv1.Program{Name: set(one.name), Version: set(one.version), Publisher: filled(one.publisher), Source: set("dpkg")}
		if !one.installed.IsZero() {
			p.InstalledAt = timestamppb.New(one.installed)
		}
		if d.offered == nil && !one.held {
			p.AvailableVersion = filled(one.available)
		}
		programs = append(programs, p)
	}
	return programs
}

// errNotCompared: reading the files of all programs takes seconds.
var errNotCompared = fmt.Errorf("programs are compared with their packages only where a program is looked into: %w", errors.ErrUnsupported)

// damagedPrograms are the names of those that are known to be damaged, sorted.
func damagedPrograms(programs []*constatv1.Program) (names []string) {
	for _, p := range programs {
		if p.GetDamaged() {
			names = append(names, p.GetName())
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// sortPrograms brings programs into the schema's order, and bounds them.
func sortPrograms(programs []*constatv1.Program) []*constatv1.Program {
	slices.SortFunc(programs, func(a, b *constatv1.Program) int {
		return cmp.Or(strings.Compare(a.GetName(), b.GetName()), strings.Compare(a.GetSource(), b.GetSource()))
	})
	return programs[:min(len(programs), maxPackages)]
}

// snapVersion reads the version out of a snap's meta/snap.yaml: a line at the
// left edge, quoted or not.
func snapVersion(meta []byte) *string {
	for line := range bytes.Lines(meta) {
		if value, found := bytes.CutPrefix(line, []byte("version:")); found {
			return filled(strings.Trim(strings.TrimSpace(string(value)), `"'`))
		}
	}
	return nil
}

// newestRelease finds the first release in an application's AppStream metadata,
// which lists the newest one first (freedesktop.org/software/appstream).
var newestRelease = form(`<release\s[^>]{0,400}?\bversion="([^"<>]{1,100})"`)

// flatpakVersion reads the version out of AppStream metadata; nil when it tells
// none.
func flatpakVersion(metainfo []byte) *string {
	if parts := newestRelease().FindSubmatch(metainfo); parts != nil {
		return filled(string(parts[1]))
	}
	return nil
}

// startupItem names what a desktop file of an autostart directory starts
// (specifications.freedesktop.org/autostart-spec): "" when it is switched off.
// The file's own name stands in for one that has none.
func startupItem(file string, content []byte) string {
	name := strings.TrimSuffix(file, ".desktop")
	inEntry := false
	for line := range bytes.Lines(content) {
		text := strings.TrimSpace(string(line))
		if strings.HasPrefix(text, "[") {
			inEntry = text == "[Desktop Entry]"
			continue
		}
		key, value, _ := strings.Cut(text, "=")
		if !inEntry || strings.TrimSpace(value) == "" {
			continue
		}
		switch strings.TrimSpace(key) {
		case "Hidden":
			if strings.TrimSpace(value) == "true" {
				return ""
			}
		case "Name":
			name = strings.TrimSpace(value)
		}
	}
	return name
}
