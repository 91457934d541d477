package lab

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"

	"constat/agent/host"
	constatv1 "constat/proto/constat/v1"
)

// Files of the table of facts and of its evidence.
const (
	factsTable = "../../docs/facts.md"
	readme     = "../../README.md"
	// factsLive is what runs of the lab told: a fact and who made the worlds.
	factsLive = "testdata/facts-linux.tsv"
	// factsRecorded is what the agent's readers told of recorded machines.
	factsRecorded = "../../agent/host/testdata/facts.txt"
	// factsWine is what the agent told under Wine 10.
	factsWine = "wine/testdata/facts.txt"
	// factsWindows and factsMac are what decoders told on Linux of composed and of
	// recorded answers of these systems: a fact and which of the two.
	factsWindows = "../../agent/host/testdata/facts-windows.txt"
	factsMac     = "../../agent/host/testdata/facts-macos.txt"
)

// machines are the parts of the lab that are virtual machines.
var machines = map[string]bool{"vm": true, "workstation": true}

// elsewhere are the facts that Linux has nothing to tell of, by where they come
// from. A whole message is named by its path.
var elsewhere = map[string]string{
	"hardware.bus_devices.problem_code": "Windows only", // CM_PROB_*; Linux has no driver, or says it in its log
	"usb.devices.problem_code":          "Windows only",
	"network.links.profile":             "Windows only",
	"printing.queues.offline":           "Windows only",
	"printing.queues.server_refusal":    "Windows only",           // the spooler's RPC
	"printing.spooler.failing_module":   "Windows only",           // drivers run inside its spooler
	"crashes.programs.add_in":           "Windows only",           // Office's add-ins
	"crashes.programs.module_version":   "Windows and macOS only", // Linux's libraries carry no version of their own
	"software.add_ins":                  "Windows only",
	"load.memory.level":                 "macOS only",
	"power.batteries.failed":            "macOS only",
	"power.thermal_pressure":            "macOS only",
	"security.gatekeeper":               "macOS only",
	"security.managed":                  "macOS only",
	"security.profiles":                 "macOS only",
	"security.system_integrity":         "macOS only",
	"peripherals.audio.permission":      "Windows and macOS only", // Linux leaves it to each user's portal
	"peripherals.cameras.permission":    "Windows and macOS only",
}

// alike are facts that macOS is asked for, and that are decoded, by the code that does
// it on Linux, without a part of its own for either: sockets, CUPS and printers over
// IPP, SNMP, files of one form, and what the agent remembers. A whole message is named
// by its path. What such a message has that only Linux' own code tells is in unlike.
var alike = []string{
	"network.hosts_overrides", "peripherals.absent",
	"printing.default_queue", "printing.discovered_printers", "printing.last_used_queue", "printing.printers", "printing.queues", "printing.spooler.kind", "printing.spooler.state", "printing.spooler.version",
	"probes.clock", "probes.dns", "probes.gateways", "probes.http", "probes.lookups", "probes.proxy", "probes.services", "probes.tcp", "probes.tls",
}

// unlike: bound to a link, asked of the neighbours' table, or counted by the kernel.
var unlike = []string{
	"probes.gateways.asked", "probes.gateways.mac",
	"probes.tcp.kept_received", "probes.tcp.kept_sent", "probes.tcp.link", "probes.tcp.loss_percent", "probes.tcp.received", "probes.tcp.sent", "probes.tcp.slow_received", "probes.tcp.slow_sent",
}

// within tells whether a fact is one of some, or of a message that is.
func within(path string, paths []string) bool {
	for own := path; own != ""; own = own[:max(0, strings.LastIndex(own, "."))] {
		if slices.Contains(paths, own) {
			return true
		}
	}
	return false
}

// foreign tells where a fact comes from that Linux has none of; "" for others.
func foreign(path string) string {
	for own := path; own != ""; own = own[:max(0, strings.LastIndex(own, "."))] {
		if word := elsewhere[own]; word != "" {
			return word
		}
	}
	return ""
}

// TestFactsTable keeps docs/facts.md and the README's numbers what the evidence says. With
// CONSTAT_FACTS=write it is written anew; where CONSTAT_LAB_RECORD names the
// recordings of a run of the lab too, so is the evidence of the parts of the lab
// that it has runs of. The part "namespaces" is what other tests of this package
// saw of the agent's facts: all of it, with CONSTAT_LAB_RECORD set.
func TestFactsTable(t *testing.T) {
	write := os.Getenv("CONSTAT_FACTS") == "write"
	if dir := os.Getenv("CONSTAT_LAB_RECORD"); write && dir != "" {
		if err := os.WriteFile(factsLive, liveEvidence(t, dir), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	table, counts := factsMarkdown(t)
	first, err := os.ReadFile(readme)
	if err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string][]byte{factsTable: table, readme: countedFacts(t, first, counts)} {
		if write {
			if err := os.WriteFile(file, want, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		committed, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(committed, want) {
			t.Errorf("%s is stale: CONSTAT_FACTS=write go test -run TestFactsTable ./internal/lab", file)
		}
	}
}

// countedFacts is the README with the table's numbers of the other systems.
func countedFacts(t *testing.T, text []byte, counts map[string]int) []byte {
	for _, row := range []struct {
		written *regexp.Regexp
		with    string
	}{
		{regexp.MustCompile(`\d+ of them seen under Wine 10, \d+ decoded`), fmt.Sprintf("%d of them seen under Wine 10, %d decoded", counts["Windows Wine 10"], counts["Windows composed"])},
		{regexp.MustCompile(`\d+ facts decoded from composed answers, \d+ from`), fmt.Sprintf("%d facts decoded from composed answers, %d from", counts["macOS composed"], counts["macOS recording"])},
	} {
		if !row.written.Match(text) {
			t.Fatalf("the README no longer says %q", row.with)
		}
		text = row.written.ReplaceAll(text, []byte(row.with))
	}
	return text
}

// liveEvidence lists the facts that the recorded runs in a directory told, each
// with the first word of the files' names: who made the world.
func liveEvidence(t *testing.T, dir string) []byte {
	seen := map[string]bool{}
	note := func(file string, s *constatv1.Snapshot) {
		part, _, _ := strings.Cut(filepath.Base(file), "-")
		for _, path := range SetFacts(s) {
			seen[path+"\t"+part+"\n"] = true
		}
	}
	names, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		switch filepath.Ext(name) {
		case ".json":
			var r Run
			if err := r.UnmarshalJSON(text); err != nil {
				t.Fatal(name, err)
			}
			if r.Live {
				note(name, r.Snapshot)
			}
		case ".facts":
			s := &constatv1.Snapshot{}
			if err := protojson.Unmarshal(text, s); err != nil {
				t.Fatal(name, err)
			}
			note(name, s)
		}
	}
	var lines []string
	parts := map[string]bool{}
	for line := range seen {
		lines = append(lines, line)
		_, part, _ := strings.Cut(line, "\t")
		parts[part] = true
	}
	before, err := os.ReadFile(factsLive)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(before)) {
		if _, part, _ := strings.Cut(line, "\t"); !parts[part] {
			lines = append(lines, line)
		}
	}
	slices.Sort(lines)
	return []byte(strings.Join(lines, ""))
}

// factsMarkdown writes the table.
func factsMarkdown(t *testing.T) ([]byte, map[string]int) {
	live, recorded, comments := map[string]string{}, map[string]string{}, protoComments(t)
	readEvidence(t, factsLive, live)
	readEvidence(t, factsRecorded, recorded)
	wine, windows, mac := map[string]string{}, map[string]string{}, map[string]string{}
	readEvidence(t, factsWine, wine)
	readEvidence(t, factsWindows, windows)
	readEvidence(t, factsMac, mac)
	var rows bytes.Buffer
	counts := map[string]int{}
	groups := (&constatv1.Snapshot{}).ProtoReflect().Descriptor().Fields()
	for _, name := range host.Groups() {
		group := groups.ByName(protoreflect.Name(name))
		if group == nil {
			t.Fatalf("the snapshot has no group %s", name)
		}
		fmt.Fprintf(&rows, "\n## %s\n\n| fact | meaning | Linux | Windows | macOS |\n|---|---|---|---|---|\n", name)
		leaves(group.Message(), name, nil, func(path string, f protoreflect.FieldDescriptor) {
			status := "not yet"
			switch part := live[path]; {
			case machines[part]:
				status = "Linux VM"
			case part != "":
				status = "Linux live"
			case recorded[path] != "":
				status = "recording"
			}
			if word := foreign(path); word != "" {
				if status != "not yet" {
					t.Errorf("%s is %q, and was told on Linux", path, word)
				}
				status = word
				counts["elsewhere"]++
			}
			counts[status]++
			meaning := strings.ReplaceAll(comments[string(f.FullName())], "|", `\|`)
			onWindows := windows[path]
			if wine[path] != "" {
				if strings.HasPrefix(onWindows, "not ") {
					t.Errorf("%s is %s on Windows, and was told under Wine", path, onWindows)
				}
				onWindows = "Wine 10"
			}
			for own := path; onWindows == "" && own != ""; own = own[:max(0, strings.LastIndex(own, "."))] {
				onWindows = windows[own] // of a whole message
			}
			counts["Windows "+onWindows]++
			onMac := mac[path]
			if onMac == "" && within(path, alike) && !within(path, unlike) && (live[path] != "" || recorded[path] != "") {
				onMac = "same code"
			}
			for own := path; onMac == "" && own != ""; own = own[:max(0, strings.LastIndex(own, "."))] {
				onMac = mac[own] // of a whole message
			}
			counts["macOS "+onMac]++
			fmt.Fprintf(&rows, "| `%s` | %s | %s | %s | %s |\n", strings.TrimPrefix(path, name+"."), meaning, status, onWindows, onMac)
		})
	}
	return fmt.Appendf(nil, `# What the agent sees, and how that was proved

Written by `+"`TestFactsTable`"+` from what runs of the lab and recorded machines told, not by hand.

- **Linux VM** (%d facts): told in a virtual machine with the hardware in question.
- **Linux live** (%d): told in network namespaces, by the same agent on a real kernel with real
  programs around it (name servers, CUPS and printers, systemd, 802.1X, VPNs), but on this machine's hardware.
- **recording** (%d): told by the reader, of a recorded machine or of recorded answers of one.
- **Windows only**, **macOS only** (%d): Linux has no such thing to tell, and leaves it unset.
- **not yet** (%d): nothing here has told it so far, though a unit test may cover its parser.

The columns of the other systems claim less. Nothing in them was seen on Windows or on a Mac.

- **Wine 10** (%d facts): told by the Windows program, run under Wine 10 on Linux.
- **composed** (%d for Windows, %d for macOS): told by the decoder, run on Linux, of an answer
  that was put together from the system's documentation.
- **recording** (%d for macOS): told by the decoder, run on Linux, of what a real machine had answered.
- **same code** (%d for macOS): asked and decoded by code that is Linux' too and has no part of its own for
  macOS. The column of Linux says how it was proved; for macOS it was built, and not run.
- **not told** (%d on Windows, %d on macOS): the system has no documented way for programs to ask; **withheld** (%d
  on macOS): its privacy settings keep it; **not asked** (%d on Windows, %d on macOS): it could be. The agent says so
  in the group's gaps, with the reason.
- Empty: nothing here has told it of that system, or the system has no such thing to tell.
%s`, counts["Linux VM"], counts["Linux live"], counts["recording"], counts["elsewhere"], counts["not yet"],
		counts["Windows Wine 10"], counts["Windows composed"], counts["macOS composed"], counts["macOS recording"], counts["macOS same code"],
		counts["Windows not told"], counts["macOS not told"], counts["macOS withheld"], counts["Windows not asked"], counts["macOS not asked"], rows.Bytes()), counts
}

// leaves calls visit for every fact of a message, in the order of the schema.
func leaves(m protoreflect.MessageDescriptor, path string, above []protoreflect.FullName, visit func(string, protoreflect.FieldDescriptor)) {
	if slices.Contains(above, m.FullName()) {
		return
	}
	above = append(above, m.FullName())
	for i := range m.Fields().Len() {
		f := m.Fields().Get(i)
		here := path + "." + string(f.Name())
		if o, ok := f.Options().(*descriptorpb.FieldOptions); ok && o.GetDeprecated() {
			continue // old snapshots have it, nothing fills it any more
		}
		if f.Message() == nil || f.IsMap() || atom(f.Message()) {
			visit(here, f)
		} else {
			leaves(f.Message(), here, above, visit)
		}
	}
}

// readEvidence reads lines of facts, with a word behind a tab or none. The
// virtual machines' word goes before others.
func readEvidence(t *testing.T, file string, into map[string]string) {
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		path, word, _ := strings.Cut(strings.TrimSpace(line), "\t")
		if word == "" {
			word = "recorded"
		}
		if !machines[into[path]] {
			into[path] = word
		}
	}
}

var (
	protoMessage = regexp.MustCompile(`^message (\w+) \{`)
	protoField   = regexp.MustCompile(`^  (?:optional |repeated )?[\w.]+ (\w+) = \d+[^;]*;`)
)

// protoComments reads what the schema says of each field: the comment above it.
func protoComments(t *testing.T) map[string]string {
	files, err := filepath.Glob("../../proto/constat/v1/*.proto")
	if err != nil || len(files) == 0 {
		t.Fatal("no schema", err)
	}
	comments := map[string]string{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		message, above := "", []string{}
		for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
			line := lines.Text()
			comment, isComment := strings.CutPrefix(strings.TrimSpace(line), "//")
			if isComment {
				above = append(above, strings.TrimSpace(comment))
				continue
			}
			if found := protoMessage.FindStringSubmatch(line); found != nil {
				message = found[1]
			} else if found := protoField.FindStringSubmatch(line); found != nil {
				comments["constat.v1."+message+"."+found[1]] = strings.Join(above, " ")
			}
			above = nil
		}
	}
	return comments
}
