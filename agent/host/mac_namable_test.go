package host

import (
	"bytes"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"constat/internal/diagnosis"
	"constat/internal/fault"
	"constat/internal/fault/fixture"
	constatv1 "constat/proto/constat/v1"
)

// macPage has the list that TestMacNamable keeps, below this line.
const (
	macPage     = "../../docs/macos.md"
	macPageMark = "<!-- Written by TestMacNamable, with CONSTAT_FACTS=write. -->\n"
)

// TestMacNamable plays the catalog's cases with the facts alone that the table of facts
// says macOS tells, and keeps the list of the faults that then go unnamed.
func TestMacNamable(t *testing.T) {
	told := macTold(t)
	catalog, err := fault.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	const cases = "../../internal/fault/testdata"
	ids, err := fixture.Faults(cases)
	if err != nil {
		t.Fatal(err)
	}
	named, composed := 0, macCases(t) // these are named, says TestMacFaults
	var unnamed []string
	for _, id := range ids {
		if strings.HasPrefix(id, "cisco-") {
			continue // the switch tells of these
		}
		all, err := fixture.Cases(cases, id)
		if err != nil {
			t.Fatal(err)
		}
		if slices.ContainsFunc(composed, func(c macCase) bool { return c.root == id }) || slices.ContainsFunc(all, func(c *fixture.Case) bool {
			return c.Kind == fixture.Faulty && macNamed(catalog, id, onMac(c.Snapshot, told))
		}) {
			named++
		} else {
			unnamed = append(unnamed, "`"+id+"`")
		}
	}
	page, err := os.ReadFile(macPage)
	if err != nil {
		t.Fatal(err)
	}
	above, rest, found := bytes.Cut(page, []byte(macPageMark))
	_, below, ended := bytes.Cut(rest, []byte("\n\n"))
	if !found || !ended {
		t.Fatal(macPage, "has no place for the list")
	}
	want := slices.Concat(above, fmt.Appendf(nil, "%s%d of a computer's %d faults have a case that is named of such facts. Not named: %s.\n\n", macPageMark, named, named+len(unnamed), strings.Join(unnamed, ", ")), below)
	if bytes.Equal(page, want) {
		return
	}
	if os.Getenv("CONSTAT_FACTS") != "write" {
		t.Fatal(macPage + " is stale: CONSTAT_FACTS=write go test -run TestMacNamable ./agent/host")
	}
	if err := os.WriteFile(macPage, want, 0o644); err != nil {
		t.Fatal(err)
	}
}

// macTold are the facts that the table says are told of macOS.
func macTold(t *testing.T) map[string]bool {
	table, err := os.ReadFile("../../docs/facts.md")
	if err != nil {
		t.Fatal(err)
	}
	told := map[string]bool{}
	group := ""
	row := regexp.MustCompile("^\\| `([^`]+)` \\|.*\\| (composed|recording|same code) \\|$")
	for line := range strings.Lines(string(table)) {
		line = strings.TrimSpace(line)
		if name, found := strings.CutPrefix(line, "## "); found {
			group = name
		} else if m := row.FindStringSubmatch(line); m != nil {
			told[group+"."+m[1]] = true
		}
	}
	if len(told) < 400 {
		t.Fatal("the table of facts has another form:", len(told))
	}
	return told
}

// onMac is what a Mac would tell of the same state, and no collector beside it.
func onMac(s *constatv1.Snapshot, told map[string]bool) *constatv1.Snapshot {
	s = proto.CloneOf(s)
	s.Gear, s.Attachment, s.Fleet = nil, nil, nil
	clearUntold(s.ProtoReflect(), "", told)
	if c := s.GetCrashes(); c != nil { // only what the dynamic linker and Gatekeeper stop is known
		c.LaunchFailures = slices.DeleteFunc(c.LaunchFailures, func(f *constatv1.LaunchFailure) bool {
			return f.GetKind() != "missingLibrary" && f.GetKind() != "incompatible"
		})
		c.Refusals = slices.DeleteFunc(c.Refusals, func(r *constatv1.Refusal) bool {
			outright := slices.Contains([]string{"applocker", "wdac", "fapolicyd", "noexec"}, r.GetBy())
			r.By = set("gatekeeper") // it does there what these do elsewhere
			return !outright
		})
	}
	for _, r := range s.GetWifi().GetRadios() {
		if !r.GetSsidHeard() {
			r.SsidHeard = nil // names are withheld
		}
	}
	for _, g := range s.Manifest.Groups {
		macGaps(g.Observation, g.Group)
	}
	return s
}

func clearUntold(m protoreflect.Message, path string, told map[string]bool) {
	m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		here := strings.TrimPrefix(path+"."+string(f.Name()), ".")
		switch {
		case here == "manifest":
		case f.Message() == nil || f.IsMap() || strings.HasPrefix(string(f.Message().FullName()), "google.protobuf."):
			if !told[here] {
				m.Clear(f)
			}
		case f.IsList():
			for i := range v.List().Len() {
				clearUntold(v.List().Get(i).Message(), here, told)
			}
		default:
			clearUntold(v.Message(), here, told)
		}
		return true
	})
}

// macNamed tells whether a fault is a root by the full procedure or, where somebody
// may have chosen it, by any.
func macNamed(c *fault.Catalog, id string, s *constatv1.Snapshot) bool {
	for _, p := range diagnosis.Procedures() {
		if p.ID != "full" && !c.Lookup(id).ByChoice {
			continue
		}
		d := diagnosis.Judge(c, p, s, fixture.Now, "en")
		if slices.ContainsFunc(slices.Concat(d.RootCauses, d.Unrelated), func(r *constatv1.RootCause) bool { return r.Fault == id }) {
			return true
		}
	}
	return false
}
