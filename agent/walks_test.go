package main

import (
	"bufio"
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"constat/agent/host"
	"constat/agent/local"
	"constat/internal/diagnosis"
	"constat/internal/fault"
	"constat/internal/fault/fixture"
	constatv1 "constat/proto/constat/v1"
)

var writeWalks = flag.Bool("walks", false, "write the walks of testdata/walks anew, to be read")

// recordedWalk is a conversation at the terminal about recorded facts: those of a
// fault that a lab without radio, paper and charger cannot have, or of a machine
// that shows nothing.
type recordedWalk struct {
	// what is the fault whose first recorded case this is, or that with those words
	// after a colon in its name; empty: a healthy machine.
	what string
	// brand is who made the computer, or printer where the complaint is printing.
	brand string
	// answers are words of the answers, the last of which is given until the end;
	// "gone" is "Done", after which the fault is gone.
	answers []string
}

// Every procedure is walked here in both languages, and what is said is kept to be
// read: testdata/walks/PROCEDURE.LANGUAGE.txt.
var recordedWalks = map[string][]recordedWalk{
	"internet": {
		{"net-link-no-carrier", "", []string{"gone"}},
		{"net-link-no-carrier", "", []string{"done"}},
		{"net-upstream-outage", "", []string{"yes", "not"}},
		{"net-dns-unreachable", "", []string{"no", "not"}},
		{"net-captive-portal", "", []string{"done"}},
		{"", "", []string{"all", "not"}},
		{"", "", []string{"slow", "yes", "helped"}},
	},
	"wifi": {
		{"wifi-radio-off", "HP", []string{"gone"}},
		{"wifi-radio-off", "Dell", []string{"done"}},
		{"wifi-radio-off", "", []string{"skipped"}},
		{"wifi-wrong-password", "", []string{"gone"}},
		{"wifi-weak-signal", "", []string{"done"}},
		{"wifi-ssid-not-found", "", []string{"no", "no", "fine", "not"}},
		{"wifi-8021x-rejected", "", []string{"yes", "not"}},
		{"wifi-mac-blocked", "", []string{"no"}},
		{"wifi-driver-crash", "Lenovo", []string{"no", "not"}},
		{"wifi-driver-firmware-missing", "", []string{"done"}},
		{"wifi-channel-congested", "", []string{"gone"}},
		{"net-upstream-outage", "", []string{"fine", "helped"}},
		{"net-captive-portal", "", []string{"gone"}},
		{"", "", []string{"everywhere", "not"}},
		{"", "", []string{"here", "helped"}},
	},
	"printing": {
		{"printer-paper-out", "", []string{"gone"}},
		{"printer-paper-jam: said by the device", "HP", []string{"gone"}},
		{"printer-paper-jam: said by the device", "Brother", []string{"done"}},
		{"printer-paper-jam: said by the device", "Canon", []string{"gone"}},
		{"printer-paper-jam: said by the device", "Epson", []string{"gone"}},
		{"printer-supply-empty", "Canon", []string{"gone"}},
		{"printer-supply-empty", "", []string{"skipped"}},
		{"printer-unreachable-off", "HP", []string{"yes", "done"}},
		{"printer-unreachable-off", "", []string{"no", "gone"}},
		{"printer-usb-disconnected", "", []string{"gone"}},
		{"printer-spooler-stopped", "", []string{"no"}},
		{"printer-waste-full", "", []string{"done"}},
		{"printer-wrong-default", "", []string{"done"}},
		{"printer-service-needed", "", []string{"not"}},
		{"", "", []string{"pale", "not"}},
		{"", "", []string{"nothing", "no", "works", "not"}},
		{"", "", []string{"elsewhere", "helped"}},
	},
	"software": {
		{"sw-install-damaged", "", []string{"no"}},
		{"sw-missing-library", "", []string{"not"}},
		{"sw-oom-killed", "", []string{"helped"}},
		{"sw-config-corrupt", "", []string{"not"}},
		{"sw-hang", "", []string{"helped"}},
		{"os-disk-full", "", []string{"gone"}},
		{"", "", []string{"crashes", "no", "firefox", "works", "not"}},
		{"", "", []string{"message", "not", "unsure", "libre", "not"}},
		{"", "", []string{"how", "not"}},
		{"", "", []string{"starts", "no", "other", "skipped"}},
	},
	"peripheral": {
		{"peripheral-battery-low", "", []string{"gone"}},
		{"usb-enumeration-failed", "", []string{"not"}},
		{"bt-device-unpaired", "", []string{"sound", "not"}},
		{"audio-muted", "", []string{"gone"}},
		{"display-not-detected", "", []string{"done"}},
		{"usb-device-disabled", "", []string{"no"}},
		{"", "", []string{"mouse", "receiver", "not"}},
		{"", "", []string{"camera", "not"}},
		{"", "", []string{"dock", "not"}},
	},
	"slow": {
		{"hw-disk-smart-failing", "", []string{"no", "helped"}},
		{"os-memory-pressure", "", []string{"done"}},
		{"hw-cpu-thermal-throttle", "", []string{"gone"}},
		{"", "", []string{"start", "not"}},
	},
	"power": {
		{"hw-charger-not-detected", "Dell", []string{"no", "done"}},
		{"hw-charger-underpowered", "", []string{"gone"}},
		{"hw-battery-worn", "", []string{"yes"}},
		{"hw-charge-threshold", "", []string{"yes", "not"}},
		{"", "", []string{"charge", "no", "not"}},
		{"", "", []string{"short", "not"}},
	},
	"sign-in": {
		{"os-account-locked", "", []string{"yes", "not"}},
		{"os-password-expired", "", []string{"done"}},
		{"os-kerberos-skew", "", []string{"no"}},
		{"", "", []string{"session", "no", "not"}},
		{"", "", []string{"vpn", "not"}},
		{"", "", []string{"program", "no", "not"}},
	},
	"full": {
		{"os-pending-reboot", "", []string{"done"}},
		{"", "", []string{"nothing"}},
		{"", "", []string{"odd", "today", "not"}},
	},
}

func TestWalksAreAsTheyWereRead(t *testing.T) {
	catalog, err := fault.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	for name, walks := range recordedWalks {
		for _, language := range []string{"en", "fr"} {
			t.Run(name+"."+language, func(t *testing.T) {
				var all bytes.Buffer
				for i, r := range walks {
					if i > 0 {
						all.WriteString("\n")
					}
					r.through(t, catalog, name, language, &all)
				}
				file := filepath.Join("testdata", "walks", name+"."+language+".txt")
				if *writeWalks {
					if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
						t.Fatal(err)
					}
					if err := os.WriteFile(file, all.Bytes(), 0o644); err != nil {
						t.Fatal(err)
					}
					return
				}
				want, err := os.ReadFile(file)
				if err != nil || !bytes.Equal(want, all.Bytes()) {
					t.Errorf("it is not said as it was read (%v); to read it: go test ./agent -run TestWalksAreAsTheyWereRead -walks, then git diff %s\n%s", err, file, differing(string(want), all.String()))
				}
			})
		}
	}
}

// differing is the first line that is not the same.
func differing(want, have string) string {
	wants, has := strings.Split(want, "\n"), strings.Split(have, "\n")
	for i := range has {
		if i >= len(wants) || wants[i] != has[i] {
			return fmt.Sprintf("line %d: %s", i+1, has[i])
		}
	}
	return fmt.Sprintf("it ends after line %d", len(has))
}

// through plays the conversation, and writes it as it stands on the screen.
func (r recordedWalk) through(t *testing.T, catalog *fault.Catalog, name, language string, to io.Writer) {
	t.Helper()
	before, after := r.facts(t)
	c := &counter{observer: &observer{catalog: catalog, config: host.Config{}}}
	asker := local.User{ID: "1", Name: "ann"}
	guide := c.guide(asker)
	gone := false
	guide.diagnose = func(_ context.Context, complaint, language string, _ func(*constatv1.Progress)) (*constatv1.Diagnosis, error) {
		p, err := procedureByName(complaint)
		if err != nil {
			return nil, err
		}
		snapshot := before
		if gone {
			snapshot = after
		}
		d := diagnosis.Judge(catalog, p, snapshot, fixture.Now, language)
		d.Id, d.StartedAt = uuid.NewString(), timestamppb.New(fixture.Now)
		c.keep(kept{asker, d, snapshot})
		return d, nil
	}
	// As with the service, which asks before it does anything; here the person says no.
	guide.remedy = func(context.Context, *constatv1.RunRemedyRequest) (*constatv1.RunRemedyResponse, error) {
		t.Errorf("%s: a remedy was begun that nobody wanted", r.what)
		return &constatv1.RunRemedyResponse{Result: &constatv1.RemedyResult{Outcome: "failed"}}, nil
	}
	person := &person{answers: r.answers, gone: &gone, screen: to}
	w := &walk{
		guide: guide, ctx: t.Context(), language: language, words: walkWords[language],
		out: reportWriter{w: to}, in: bufio.NewReader(person), end: func() {},
	}
	person.walk = w
	var brand string
	if r.brand != "" {
		brand = " (" + r.brand + ")"
	}
	fmt.Fprintf(to, "=== %s%s\n$ constat-agent procedure run %s --lang %s\n", map[bool]string{true: r.what, false: "healthy"}[r.what != ""], brand, name, language)
	run, err := w.through(name)
	if err != nil {
		t.Fatalf("%s: %v", r.what, err)
	}
	fmt.Fprintf(to, "=== %s\n", run.GetOutcome())
}

// facts are what was recorded before and after.
func (r recordedWalk) facts(t *testing.T) (before, after *constatv1.Snapshot) {
	t.Helper()
	const fixtures = "../internal/fault/testdata"
	world, err := fixture.World(fixtures)
	if err != nil {
		t.Fatal(err)
	}
	before, after = proto.CloneOf(world), world
	if r.what != "" {
		before = nil
		id, words, _ := strings.Cut(r.what, ": ")
		cases, err := fixture.Cases(fixtures, id)
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range cases {
			if k.Kind == fixture.Faulty && !k.OfGear && before == nil && strings.Contains(k.Name, words) {
				before = proto.CloneOf(k.Snapshot)
			}
		}
	}
	if r.brand != "" {
		proto.Merge(before, &constatv1.Snapshot{Hardware: &constatv1.Hardware{System: &constatv1.System{}}})
		before.Hardware.System.Brand, before.Hardware.System.Manufacturer = &r.brand, nil
		model := r.brand + " on the desk"
		for _, p := range before.GetPrinting().GetPrinters() {
			p.Brand, p.Manufacturer, p.Model = &r.brand, nil, &model
		}
	}
	return before, after
}

// person answers what is asked.
type person struct {
	walk    *walk
	answers []string
	gone    *bool
	screen  io.Writer
	said    []byte
}

func (p *person) Read(into []byte) (int, error) {
	if len(p.said) == 0 {
		p.said = []byte(p.answer() + "\n")
		if _, err := p.screen.Write(p.said); err != nil {
			return 0, err
		}
	}
	n := copy(into, p.said)
	p.said = p.said[n:]
	return n, nil
}

// answer is the next one that is among the choices. Who has run out of other words
// says no, and that it did not help.
func (p *person) answer() string {
	choices := p.walk.asked
	index := func(id string) string {
		for i, c := range choices {
			if c.id == id {
				return fmt.Sprint(i + 1)
			}
		}
		return ""
	}
	for len(p.answers) > 0 {
		next := p.answers[0]
		if next == "gone" {
			if n := index("done"); n != "" {
				*p.gone = true
				return n
			}
			if n := index("yes"); n != "" && *p.gone {
				return n
			}
		}
		if n := index(next); n != "" {
			if len(p.answers) > 1 {
				p.answers = p.answers[1:]
			}
			return n
		}
		if len(p.answers) == 1 {
			break
		}
		p.answers = p.answers[1:]
	}
	for _, id := range []string{"not", "no", "done", "skipped"} {
		if n := index(id); n != "" {
			return n
		}
	}
	return "1"
}
