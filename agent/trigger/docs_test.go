package trigger

import (
	"cmp"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// told is what people are told of an event.
type told struct{ event, what, source, lasts, not string }

func minutes(d time.Duration) string { return fmt.Sprintf("%d minutes", int(d.Minutes())) }

var tellings = []told{
	{PrintJobFailed, "a print queue has documents that can't go on", "CUPS: queues that are stopped or give a reason of severity `error`, with documents in them",
		fmt.Sprintf("%d minutes in a row", jobsFor), "a queue without documents, a document that is held or cancelled, a minute without paper"},
	{LinkLost, "the machine has no way out any more", "rtnetlink: no default route whose link has a carrier",
		minutes(lostFor), "a sleep, an undocking or a walk on battery, a cable that is put elsewhere, a network that is restarted"},
	{LinkFlaps, "a link's carrier comes and goes", "rtnetlink: the link's count of lost carriers",
		fmt.Sprintf("losses in %d minutes out of %d", flapsLeast, int(flapsWithin.Minutes())), "a cable that is put elsewhere, an adapter that is taken away, bridges and containers"},
	{GatewaySilent, "a gateway that answered echo requests answers none", "an echo request a minute to each default route's gateway",
		fmt.Sprintf("%d minutes in a row", silentFor), "a gateway that never answered, a lost carrier, the first minutes after a sleep, a start, a dock or a VPN"},
	{DNSSilent, "the name server that answered answers no more", "a question to the resolver, every few minutes",
		fmt.Sprintf("%d questions in a row", silentFor), "another name server, a VPN that comes or goes, a gateway or link that is gone: they are looked into"},
	{ProgramCrashes, "a program crashes a second time", "the kernel's log, systemd-coredump's and Apport's files; every ten minutes, and when one of these files comes",
		fmt.Sprintf("2 crashes within %d hours", int(crashesWithin.Hours())), "a program that is ended or killed, one crash that two places tell of, crashes from before the agent or a sleep"},
	{ServiceLoops, "a service is restarted again and again by itself", "systemd, every ten minutes",
		"3 restarts between two looks, or systemd gave up in between", "a service that somebody or an upgrade restarts, restarts of long ago"},
	{DeviceRefused, "a device is plugged in and not let in, or can't be set up", "the kernel's USB devices, whenever one comes or goes",
		"at once", "a device that is pulled out, one that was refused before the agent started"},
	{Resumed, "nothing answers after the machine slept or started", "gateways and resolver, once",
		minutes(disturbedFor) + " after it woke up", "a network that comes late, a place without one"},
	{Daily, "the day's own look at the whole machine", fmt.Sprintf("the machine's clock, between %d and %d o'clock, each machine at another time", dailyFrom, dailyUntil),
		"once a day", "a day on battery or on a network that is paid for, a machine that somebody is waiting for"},
}

// occasion is a row of the lab: something that happened to a machine, and what its
// agent looked into because of it.
type occasion struct{ how, looked string }

// occasions reads them from the lab's own rows. Every event is in one, or in the test
// of the machine that systemd runs.
func occasions(t *testing.T) (all []occasion) {
	t.Helper()
	read := func(file string) string {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		return string(content)
	}
	row := regexp.MustCompile(`(?ms)^\t\{"([^"]+)", .*?(?:nil|\[\]string\{([^}]*)\})\},$`)
	_, rows, _ := strings.Cut(read("../../internal/lab/vm/occasions_linux_test.go"), "\nvar occasionRows = []event{")
	for _, found := range row.FindAllStringSubmatch(rows, -1) {
		all = append(all, occasion{found[1], strings.ReplaceAll(found[2], `"`, "`")})
	}
	seen := rows + read("../../internal/lab/service_linux_test.go")
	for _, event := range Events() {
		if !regexp.MustCompile(`"` + event + `[ "]`).MatchString(seen) {
			t.Errorf("the lab never has %s happen", event)
		}
	}
	return all
}

// docs is the page as it must be.
func docs(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, `# What the agent looks into by itself

A test of agent/trigger checks this page against the code; %s writes it.

| Event | What happened | Seen on Linux by | Counts after | Is not |
|---|---|---|---|---|
`, "`CONSTAT_DOCS=write go test -run TestDocs ./agent/trigger`")
	for _, t := range tellings {
		fmt.Fprintf(&b, "| %s: %s | %s | %s | %s | %s |\n", "`"+t.event+"`", "`"+procedures[t.event]+"`", t.what, t.source, t.lasts, t.not)
	}
	fmt.Fprintf(&b, `
Behind each event stands the procedure that looks into it.

On Windows the same rules get what IP Helper says of links and ways out (it keeps no count of lost carriers: they are
looked at whenever it tells of a change, and each minute), the same questions to gateways and resolver, the spooler's
queues with documents that are paused, offline or in trouble, the reports of Windows Error Reporting, the service
manager's restarts by the event log, what Plug and Play brings and can't use, and the service manager's word that the
machine woke up. Under Wine 10 `+"`gatewaySilent`, `linkLost`, `programCrashes` and `deviceRefused`"+` set off one look each, and a
sleep none (TestOccasions of internal/lab/wine); the rest is tested with composed answers, and nothing of it was seen on
Windows itself. On macOS gateways, resolver, the way out, crash reports and the day are looked at, compiled and not executed;
queues, carriers and devices that come and go are not read there yet.

- Each event of one subject is looked into once, however long it lasts, and again at the earliest %d hours later,
  when it was over in between. What was known before a restart of the agent or the machine is no news after it.
- What explains another event takes its place: a lost link stands for its silent gateway, and that for its name
  server. Several subjects of one procedure in one minute are one look.
- At most %d looks an hour and %d a day (%s in the collector's settings), none in the organisation's quiet hours
  (%s), none of an event that it switched off (%s), none on a battery below %d %%. What lasts is looked into when
  they are over.
- The day's look is not made on battery, while the processor is busy, or on a network that NetworkManager says or
  guesses is paid for. Where nobody knows whether it is, it is taken for free.
- What waits, and why, stands in the agent's log when that begins, and in %s as long as it waits.
  TestOccasionsAreHeldBack (a battery and a clock of the test's, a real CUPS) and TestLabOccasions (a virtual machine) read
  it there: a battery that is nearly empty, quiet hours, enough within the hour and the day, the day's look on battery
  and on a network that a real NetworkManager calls paid for.
- Nobody is interrupted. A look that found nothing leaves a line in the agent's log. What was found stands in
  %s for a day, goes to the requester's open ticket about it, and waits a day for one where there is
  none; the collector shows it at the machine, too.
`, int(again.Hours()), perHour, perDay, "`looksPerDay`", "`quietHours`", "`looksOff`", lowCharge, "`constat-agent status`", "`constat-agent status`")
	b.WriteString(`
## What was seen

All this happened to the agent as it is installed, at its own pace, in a virtual machine whose time leaps over what is not
computed (TestLabOccasions): an event sets off its look, and what only looks like one sets off none. A service that loops
needs systemd: beside one that an upgrade restarts, it sets off one look on a machine of namespaces (TestServiceInstalls).

| What happened | Looked into |
|---|---|
`)
	for _, o := range occasions(t) {
		fmt.Fprintf(&b, "| %s | %s |\n", o.how, cmp.Or(o.looked, "nothing"))
	}
	return b.String()
}

// The page of the events says what the code does.
func TestDocs(t *testing.T) {
	var events []string
	for _, told := range tellings {
		events = append(events, told.event)
	}
	if slices.Sort(events); !slices.Equal(events, Events()) {
		t.Errorf("told of: %q, there are %q", events, Events())
	}
	const file = "../../docs/triggers.md"
	if os.Getenv("CONSTAT_DOCS") == "write" {
		if err := os.WriteFile(file, []byte(docs(t)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if page, err := os.ReadFile(file); err != nil || string(page) != docs(t) {
		t.Errorf("%s is not what the code does (%v): CONSTAT_DOCS=write go test -run TestDocs ./agent/trigger", file, err)
	}
}
