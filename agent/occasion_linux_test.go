package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/timestamppb"

	"constat/agent/history"
	"constat/agent/host"
	"constat/agent/trigger"
	"constat/internal/lab"
	constatv1 "constat/proto/constat/v1"
)

// TestMinutesChild is not a test: it is a machine of the lab's for which a minute
// passes whenever a line comes, that hears the organisation's policy in it, or to
// which it is another time. What it sees is real, only its clock is not.
func TestMinutesChild(t *testing.T) {
	cups := os.Getenv("OCCASIONS_CUPS")
	if cups == "" {
		t.Skip("started by TestOccasions only")
	}
	c := &counter{observer: &observer{config: host.Config{CUPS: cups, Root: os.Getenv("OCCASIONS_ROOT")}}}
	sampler := host.NewSampler(c.observer.config)
	w := trigger.Watch{Machine: "pc"}
	var s signs
	at := time.Date(2031, 3, 4, 18, 0, 0, 0, time.UTC)
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); at = at.Add(time.Minute) {
		if text, is := strings.CutPrefix(lines.Text(), "policy "); is {
			policy := &constatv1.TriggerPolicy{}
			if err := protojson.Unmarshal([]byte(text), policy); err != nil {
				t.Fatal(err)
			}
			c.takeTriggers(policy)
		}
		if text, is := strings.CutPrefix(lines.Text(), "at "); is {
			var err error
			if at, err = time.Parse(time.RFC3339, text); err != nil {
				t.Fatal(err)
			}
		}
		m := history.Minute{At: at, Settled: lines.Text() != "woke"}
		s.recordsAt = at // services and crashes are the host's
		m.Readings = sampler.Sample(t.Context(), m.Settled)
		m.Signs = sampler.Signs(t.Context())
		w.Policy = c.triggers
		for _, o := range w.Next(s.minute(t.Context(), c, m)) {
			fmt.Println("occasion", o.Event, o.Subject)
		}
		c.holdBack(w.Held(), slog.New(slog.DiscardHandler))
		var status strings.Builder
		writeStatus(&status, &constatv1.GetStatusResponse{Held: c.heldBack()}, "en")
		_, held, _ := strings.Cut(strings.Join(strings.Fields(status.String()), " "), "held back: ")
		fmt.Println("held", held)
		fmt.Println("end")
	}
}

// startMinutes starts that machine, and returns what lets so many minutes pass for it,
// each with a word, and tells what is to be looked into; and what tells in the words
// of its status what waits in the last of them.
func startMinutes(t *testing.T, w *lab.World, cups, root string) (pass func(n int, word string) []string, held func() string) {
	t.Helper()
	child := w.Command(t.Context(), lab.PC, os.Args[0], "-test.run", "^TestMinutesChild$")
	child.Env = append(os.Environ(), "OCCASIONS_CUPS="+cups, "OCCASIONS_ROOT="+root)
	in, err := child.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Close(); _ = child.Wait() })
	said := bufio.NewScanner(out)
	waits := ""
	return func(n int, word string) (occasions []string) {
		t.Helper()
		for range n {
			if _, err := io.WriteString(in, word+"\n"); err != nil {
				t.Fatal(err)
			}
			for said.Scan() && said.Text() != "end" {
				if what, is := strings.CutPrefix(said.Text(), "occasion "); is {
					occasions = append(occasions, strings.TrimSpace(what))
				}
				if what, is := strings.CutPrefix(said.Text(), "held "); is {
					waits = what
				}
			}
		}
		return occasions
	}, func() string { return waits }
}

// lpTo runs commands of CUPS' clients at a server.
func lpTo(t *testing.T, cups *lab.CUPS) func(arguments ...string) {
	return func(arguments ...string) {
		t.Helper()
		command := exec.Command(arguments[0], arguments[1:]...)
		command.Env = append(os.Environ(), "CUPS_SERVER="+cups.Address)
		if out, err := command.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
}

// The battery that the kernel tells of, the organisation's quiet hours and number, and
// the agent's own number of an hour hold back what is looked into, until they are over.
func TestOccasionsAreHeldBack(t *testing.T) {
	w := lab.NewWorld(t)
	var queues []lab.PrintQueue
	for n := range 9 {
		queues = append(queues, lab.PrintQueue{Name: fmt.Sprint("Q", n), DeviceURI: "file:///dev/null", Paused: true})
	}
	cups := lab.StartCUPS(t, queues...)
	root := t.TempDir()
	supply := func(charge, status, mains string) {
		t.Helper()
		for name, content := range map[string]string{
			"BAT0/type": "Battery", "BAT0/present": "1", "BAT0/capacity": charge, "BAT0/status": status, "AC/type": "Mains", "AC/online": mains,
		} {
			name = filepath.Join(root, "sys/class/power_supply", name)
			if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name, []byte(content+"\n"), 0o644)); err != nil {
				t.Fatal(err)
			}
		}
	}
	minutes, held := startMinutes(t, w, cups.Address, root)
	lp := lpTo(t, cups)
	stuck := func(queue string) { lp("lp", "-d", queue, "/etc/hostname") }
	expect := func(what string, got []string, want ...string) {
		t.Helper()
		if !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", what, got, want)
		}
	}
	waits := func(what string) {
		t.Helper()
		if got := held(); got != what {
			t.Errorf("it waits: %q, want %q", got, what)
		}
	}
	supply("12", "Discharging", "0")
	minutes(5, ".")
	stuck("Q0")
	expect("on a battery that is nearly empty", minutes(5, "."))
	waits("documents could not go on (Q0), but the battery is nearly empty")
	supply("13", "Charging", "1")
	expect("back at the charger", minutes(1, "."), "printJobFailed Q0")
	waits("")
	supply("80", "Discharging", "0")
	stuck("Q1")
	expect("on a battery that is full", minutes(3, "."), "printJobFailed Q1")

	expect("the policy comes", minutes(1, `policy {"quiet":"18:00-18:40"}`))
	stuck("Q2")
	expect("in quiet hours", minutes(20, "."))
	waits("documents could not go on (Q2), but these are the quiet hours")
	expect("after them", minutes(10, "."), "printJobFailed Q2")
	expect("what is switched off", append(minutes(1, `policy {"off":["printJobFailed"]}`), func() []string { stuck("Q3"); return minutes(5, ".") }()...))
	waits("") // nobody wants it
	expect("and on again", minutes(1, `policy {}`), "printJobFailed Q3")
	stuck("Q4")
	expect("a fifth in this hour", minutes(4, "."))
	waits("documents could not go on (Q4), but enough was looked into within the hour")
	expect("an hour after the first", minutes(20, "."), "printJobFailed Q4")
	expect("no more than so many a day", append(minutes(1, `policy {"perDay":5}`), func() []string { stuck("Q5"); return minutes(5*60, ".") }()...))
	waits("documents could not go on (Q5), but enough was looked into within a day")

	// Of several queues that fail together one is looked into, and stands for all.
	expect("a day later", minutes(1, "at 2031-03-06T04:00:00Z"), "printJobFailed Q5")
	for _, queue := range []string{"Q6", "Q7", "Q8"} {
		stuck(queue)
	}
	expect("three queues in one minute", append(minutes(1, `policy {}`), minutes(60, ".")...), "printJobFailed Q6")
	waits("")

	// The day's look is due at some time between ten and four, and once.
	supply("80", "Discharging", "0")
	minutes(1, "at 2031-03-06T09:50:00Z")
	expect("the day's look, on battery", minutes(6*60, "."))
	waits("it was time for the day’s look, but the computer runs on its battery")
	supply("80", "Charging", "1")
	expect("and at the charger", minutes(1, "."), "daily")
	expect("and no second one", minutes(30, "."))
	waits("")
}

// What really happens to a machine's links, gateway and queues sets off one look
// each, and what only looks like it none.
func TestOccasions(t *testing.T) {
	w := lab.NewWorld(t)
	w.ServeDNS(lab.Gateway, []string{lab.GatewayAddress}, "--address=/#/"+lab.GatewayAddress)
	cups := lab.StartCUPS(t, lab.PrintQueue{Name: "Accounting", DeviceURI: "file:///dev/null"}, lab.PrintQueue{Name: "Stores", DeviceURI: "file:///dev/null"})
	pass, _ := startMinutes(t, w, cups.Address, "")
	var all []string
	minutes := func(n int, word string) []string {
		t.Helper()
		occasions := pass(n, word)
		all = append(all, occasions...)
		return occasions
	}
	expect := func(what string, got []string, want ...string) {
		t.Helper()
		if !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", what, got, want)
		}
	}
	cable := func(way string) {
		w.IP(lab.Switch, "link set pc0 "+way)
		w.AwaitLink(lab.PC, "eth0", map[string]string{"down": "NO-CARRIER", "up": "LOWER_UP"}[way])
	}
	lp := lpTo(t, cups)

	expect("a quiet start", minutes(8, "."))
	cable("down")
	cable("up")
	expect("a cable that is put elsewhere", minutes(8, "."))
	expect("a sleep", append(minutes(1, "woke"), minutes(8, ".")...))
	expect("two sleeps in a row", slices.Concat(minutes(1, "woke"), minutes(1, "."), minutes(1, "woke"), minutes(8, ".")))
	w.IP(lab.PC, "link set eth0 down")
	minutes(1, ".")
	w.IP(lab.PC, "link set eth0 up", "route replace default via "+lab.GatewayAddress)
	w.AwaitLink(lab.PC, "eth0", "LOWER_UP")
	expect("a network that an administrator restarts", minutes(8, "."))
	for range 4 {
		w.IP(lab.PC, "link add br9 type bridge", "link add c9 type veth peer name p9", "link set p9 master br9", "link set br9 up", "link set c9 up", "link set p9 up")
		minutes(1, ".")
		w.IP(lab.PC, "link del c9", "link del br9")
		minutes(1, ".")
	}
	expect("containers that come and go", minutes(4, "."))
	w.IP(lab.PC, "link add vpn0 type veth peer name vpn1", "link set vpn1 up", "addr add 10.9.0.2/24 dev vpn0", "link set vpn0 up", "route replace default via 10.9.0.1 dev vpn0")
	expect("a VPN that takes all the traffic and answers no echo", minutes(6, "."))
	w.IP(lab.PC, "route replace default via "+lab.GatewayAddress, "link del vpn0")
	expect("and its end", minutes(8, "."))
	lp("lp", "-d", "Accounting", "-H", "hold", "/etc/hostname")
	expect("a document that is held", minutes(4, "."))
	lp("cancel", "-a", "Accounting")
	expect("and one that is cancelled", minutes(4, "."))
	lp("cupsdisable", "Stores")
	expect("a queue that somebody paused, without documents", minutes(5, "."))

	for range 3 {
		cable("down")
		cable("up")
		minutes(1, ".")
	}
	expect("a flapping link", all, "linkFlaps eth0")
	expect("the same, while it calms down", minutes(15, "."))

	lp("cupsdisable", "Accounting")
	lp("lp", "-d", "Accounting", "/etc/hostname")
	expect("documents that can't go on", minutes(5, "."), "printJobFailed Accounting")

	w.Filter(lab.Gateway, "inet", "filter", "input", "icmp type echo-request drop", "icmpv6 type echo-request drop")
	expect("a gateway that falls silent", minutes(8, "."), "gatewaySilent eth0")

	cable("down")
	expect("no way out any more", minutes(1, "."))
	w.IP(lab.PC, "route flush table main", "-6 route flush table main")
	if got := minutes(8, "."); !slices.Contains(got, "linkLost") || len(got) != 1 {
		t.Errorf("no way out any more: %q", got)
	}
}

// What a look found is told on the machine, and bounded.
func TestFindings(t *testing.T) {
	c := &counter{}
	now := time.Now()
	for i := range 2 * keptFindings {
		c.found = append(c.found, &constatv1.Finding{Title: fmt.Sprint(i)})
	}
	if got := c.findings(now, "fr"); len(got) != 0 {
		t.Errorf("what was found in 1970 is told still: %v", got)
	}
}

// What was found while the service spoke one language is told in the reader's.
func TestFindingsInTheReadersLanguage(t *testing.T) {
	now := time.Now()
	c := &counter{observer: &observer{dir: t.TempDir()}, found: []*constatv1.Finding{
		{At: timestamppb.New(now), Event: trigger.PrintJobFailed, Fault: "printer-queue-paused", Component: "Accounting", Title: "La file d’impression Accounting est en pause"},
		{At: timestamppb.New(now), Event: trigger.DNSSilent, Fault: "gone-meanwhile", Title: "Nobody knows it"},
	}}
	for language, want := range map[string]string{
		"en": "The print queue Accounting is paused", "fr": "La file d’impression Accounting est en pause", "": "La file d’impression Accounting est en pause",
	} {
		if got := c.findings(now, language); len(got) != 2 || got[1].GetTitle() != want || got[0].GetTitle() != "Nobody knows it" {
			t.Errorf("%q: %v", language, got)
		}
	}
	if c.found[0].GetTitle() != "La file d’impression Accounting est en pause" {
		t.Error("what is kept was changed")
	}
}

// Devices that can't be used are those that are forbidden or not set up; what is
// not known is none.
func TestRefusedDevices(t *testing.T) {
	c := &counter{}
	c.noteDevices(nil)
	if c.refused != nil {
		t.Error("a look that saw no devices says that none is refused")
	}
	yes, no, code := true, false, int32(28)
	path := func(s string) *string { return &s }
	c.noteDevices(&constatv1.Usb{Devices: []*constatv1.UsbDevice{
		{Path: path("1-1")}, {Path: path("1-2"), Authorized: &yes, Configured: &yes}, {Path: path("1-3"), Authorized: &no},
		{Path: path("1-4"), Configured: &no}, {Path: path("1-5"), ProblemCode: &code},
	}})
	if want := []string{"1-3", "1-4", "1-5"}; !slices.Equal(c.refused, want) {
		t.Errorf("refused: %q, want %q", c.refused, want)
	}
}

// The look at the start tells which devices are refused already, so that the first one
// that is plugged in afterwards is news.
func TestRefusedFromTheStart(t *testing.T) {
	root := t.TempDir()
	device := filepath.Join(root, "sys/bus/usb/devices/1-2")
	for name, content := range map[string]string{"idVendor": "0951", "idProduct": "1666", "authorized": "0", "bDeviceClass": "00", "busnum": "1", "devnum": "2"} {
		if err := errors.Join(os.MkdirAll(device, 0o755), os.WriteFile(filepath.Join(device, name), []byte(content+"\n"), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	c := &counter{observer: &observer{config: host.Config{Root: root}, memory: &history.Memory{}}}
	c.look(t.Context())
	if want := []string{"1-2"}; !slices.Equal(c.refused, want) {
		t.Errorf("refused after the look at the start: %q, want %q", c.refused, want)
	}
}

// Services loop that are restarted again and again between two looks, or whose
// manager just gave up; not those that somebody restarts, or that were restarted
// once upon a time.
func TestLoops(t *testing.T) {
	now := time.Now()
	service := func(name, state string, restarts int32, since time.Duration) *constatv1.Service {
		return &constatv1.Service{Name: &name, State: &state, Restarts: &restarts, Since: timestamppb.New(now.Add(-since))}
	}
	var s signs
	first := &constatv1.Services{Services: []*constatv1.Service{
		service("backup", "restarting", 40, time.Second), service("print", "running", 7, 9*time.Hour), service("sync", "failed", 5, 5*time.Hour), service("scan", "failed", 5, time.Minute),
	}}
	if got, want := s.loops(first, now), []string{"scan"}; !slices.Equal(got, want) {
		t.Errorf("at the first look %q, want %q", got, want)
	}
	now = now.Add(recordsEvery)
	second := &constatv1.Services{Services: []*constatv1.Service{
		service("backup", "running", 43, time.Second), service("print", "running", 0, time.Minute), service("sync", "failed", 5, 5*time.Hour), service("new", "running", 9, time.Minute),
	}}
	if got, want := s.loops(second, now), []string{"backup"}; !slices.Equal(got, want) {
		t.Errorf("at the second look %q, want %q", got, want)
	}
}

// What was looked into is told in words, in both languages, and every event has its
// own.
func TestStatusTellsWhatWasFound(t *testing.T) {
	at := time.Date(2031, 3, 4, 15, 4, 0, 0, time.Local)
	st := &constatv1.GetStatusResponse{AgentVersion: "1.0", Problem: "x", Found: []*constatv1.Finding{
		{At: timestamppb.New(at), Event: trigger.PrintJobFailed, Subject: "Accounting", Title: "Paper is jammed", Certainty: "confirmed"},
		{At: timestamppb.New(at), Event: trigger.DNSSilent},
	}, Held: []*constatv1.GetStatusResponse_Held{
		{Event: trigger.Daily, Reason: trigger.Metered}, {Event: trigger.PrintJobFailed, Subject: "Stores", Reason: trigger.LowBattery},
	}}
	for language, want := range map[string][]string{
		"en": {"found:      15:04, because documents could not go on (Accounting): Paper is\n            jammed, confirmed\n", "found:      15:04, because the name server fell silent: no cause found\n",
			"held back:  it was time for the day’s look, but the network is metered\n", "held back:  documents could not go on (Stores), but the battery is nearly\n            empty\n"},
		"fr": {"constaté :  15:04, parce que des documents restaient bloqués (Accounting) :\n            Paper is jammed, confirmé\n", "constaté :  15:04, parce que le serveur de noms ne répondait plus : aucune\n            cause trouvée\n",
			"différé :   c’était l’heure du contrôle quotidien, mais la connexion est\n            facturée à l’usage\n", "différé :   des documents restaient bloqués (Stores), mais la batterie est\n            presque vide\n"},
	} {
		var said strings.Builder
		writeStatus(&said, st, language)
		for _, text := range want {
			if !strings.Contains(said.String(), text) {
				t.Errorf("%s: %s\nwant %q", language, &said, text)
			}
		}
		if got := slices.Sorted(maps.Keys(statusTexts[language].why)); !slices.Equal(got, trigger.Events()) {
			t.Errorf("%s has words for %q", language, got)
		}
		if got := slices.Sorted(maps.Keys(statusTexts[language].reasons)); !slices.Equal(got, trigger.Reasons()) {
			t.Errorf("%s has words for the reasons %q", language, got)
		}
	}
}
