package lab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	deskv1 "constat/proto/constat/desk/v1"
	constatv1 "constat/proto/constat/v1"
)

// helpdesk is an office whose machine runs the installed service, with people
// signed up on it, and a collector with a technician.
type helpdesk struct {
	*premises
	collector, dir, key, log string
}

const (
	technician = "Ada"
	deskAt     = "127.0.0.1:7400"
)

func newHelpdesk(t *testing.T) *helpdesk {
	Need(t, "root, to make a machine of namespaces", os.Geteuid() == 0)
	h := &helpdesk{premises: newOffice(t, buildAgent(t), rand.New(rand.NewPCG(3, 6))), dir: t.TempDir()}
	h.collector, h.log = filepath.Join(h.dir, "constat-collector"), filepath.Join(h.dir, "log")
	if out, err := exec.Command("go", "build", "-tags", "grpcnotrace", "-o", h.collector, "constat/collector").CombinedOutput(); err != nil {
		t.Fatalf("building the collector: %v\n%s", err, out)
	}
	log, err := os.Create(h.log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { log.Close() })
	serve := h.Command(t.Context(), PC, h.collector, "serve", "--data", h.at("desk"), "--grpc", deskAt, "--http", "127.0.0.1:0")
	serve.Stderr = log
	run(t, serve)
	h.Await("the collector", func() error {
		conn, err := h.Dial(PC, "tcp", deskAt)
		if err != nil {
			return err
		}
		return conn.Close()
	})
	h.ask(nil, "user", "add", technician, "--role", "technician", "--data", h.at("desk"))
	h.key = strings.TrimSpace(h.ask(nil, "user", "token", technician, "--data", h.at("desk")))
	token := strings.TrimSpace(h.ask(nil, "token", "create", "--data", h.at("desk")))
	h.machine.WriteFile("/etc/constat-agent/enrolment.env", "CONSTAT_COLLECTOR="+deskAt+"\nCONSTAT_TOKEN="+token+"\nSSL_CERT_FILE=/etc/authority.pem\n")
	h.sh(`chmod 600 /etc/constat-agent/enrolment.env; useradd -m anna; useradd -m bob
sed '/^data:/d' /etc/constat.yaml >/etc/constat-agent/agent.yaml
constat-agent service install --config /etc/constat-agent/agent.yaml; constat-agent service start`)
	h.undo("constat-agent service stop; constat-agent service uninstall")
	h.awaitAgent()
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the agent said:\n%s", h.machine.Sh("journalctl -n 60 --no-pager -u 'constat-*' || true"))
		}
	})
	return h
}

func (h *helpdesk) at(name string) string { return filepath.Join(h.dir, name) }

func (h *helpdesk) awaitAgent() {
	h.t.Helper()
	h.await("constat-agent status")
}

// ask runs a command of the collector, as the technician; what it prints as JSON
// goes into a message, unless that is nil.
func (h *helpdesk) ask(into proto.Message, arguments ...string) string {
	h.t.Helper()
	if into != nil {
		arguments = append(arguments, "--grpc", deskAt, "--data", h.at("desk"), "--json")
	}
	cmd := h.Command(h.t.Context(), PC, h.collector, arguments...)
	cmd.Env = append(os.Environ(), "CONSTAT_TOKEN="+h.key)
	out, err := cmd.Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			err = fmt.Errorf("%w: %s", err, exit.Stderr)
		}
		h.t.Fatalf("%v: %v\n%s", arguments, err, out)
	}
	if into != nil {
		if err := (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(out, into); err != nil {
			h.t.Fatalf("%v: %v\n%s", arguments, err, out)
		}
	}
	return string(out)
}

// command is a person's on the machine.
func (h *helpdesk) command(person, line string) *exec.Cmd {
	return h.machine.Command(h.t.Context(), "su", "-s", "/bin/sh", person, "-c", "constat-agent "+line)
}

// as runs one, wants its exit code, and gives all that it said on one line.
func (h *helpdesk) as(person string, want int, line string) string {
	h.t.Helper()
	cmd := h.command(person, line)
	out, _ := cmd.CombinedOutput()
	if code := cmd.ProcessState.ExitCode(); code != want {
		h.t.Fatalf("%s: constat-agent %s ends with %d, want %d: %s", person, line, code, want, out)
	}
	return strings.Join(strings.Fields(string(out)), " ")
}

// report opens a ticket as a person who can't print.
func (h *helpdesk) report(person string) string {
	h.t.Helper()
	var answer struct{ Number int }
	out, err := h.command(person, `ticket new --complaint printing --text "Nothing comes out" --wait 60s --json`).Output()
	if err != nil || json.Unmarshal(out, &answer) != nil || answer.Number == 0 {
		h.t.Fatalf("the ticket is not opened: %v\n%s", err, out)
	}
	return fmt.Sprint(answer.Number)
}

// request has the technician ask for the print service to be started anew, and
// returns the request's id when it waits at the machine.
func (h *helpdesk) request(number string) string {
	h.t.Helper()
	answer := &deskv1.RequestRemedyResponse{}
	h.ask(answer, "ticket", "remedy", number, "restart-printing")
	if answer.GetFault() != "printer-spooler-stopped" {
		h.t.Fatalf("asked for %v", answer)
	}
	h.Await("the request at the machine", func() error {
		offers := &constatv1.ListRemediesResponse{}
		out, err := h.command("anna", "remedy list --json").Output()
		if err == nil {
			err = protojson.Unmarshal(out, offers)
		}
		if err == nil && !slices.ContainsFunc(offers.GetOffers(), func(o *constatv1.RemedyOffer) bool {
			return o.GetRequest().GetId() == answer.GetCommandId() && o.GetRequest().GetRequestedBy() == technician
		}) {
			err = fmt.Errorf("it is not there: %s", out)
		}
		return err
	})
	return answer.GetCommandId()
}

// ended is what the ticket says of a remedy that ended.
func (h *helpdesk) ended(number, id string) (asked, came *constatv1.TicketEntry) {
	h.t.Helper()
	h.awaitLong("what came of the remedy in ticket "+number, func() bool {
		ticket, all := &deskv1.GetTicketResponse{}, 0
		h.ask(ticket, "ticket", "show", number)
		for _, e := range ticket.GetTimeline() {
			if e.GetRemedy().GetId() != id {
				continue
			}
			if all++; e.GetRemedy().GetOutcome() == "" {
				asked = e
			} else {
				came = e
			}
		}
		return asked != nil && came != nil && all == 2
	})
	return asked, came
}

// audited waits until both sides wrote down a remedy in words.
func (h *helpdesk) audited(words ...string) {
	h.t.Helper()
	has := func(log string) bool {
		for line := range strings.Lines(log) {
			line = strings.ReplaceAll(line, `"`, "")
			line = strings.ReplaceAll(line, ":", "=") // JSON and text alike
			if !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(line, w) }) {
				return true
			}
		}
		return false
	}
	h.awaitLong(fmt.Sprintf("%v in both logs", words), func() bool {
		theirs, err := os.ReadFile(h.log)
		if err != nil {
			h.t.Fatal(err)
		}
		return has(h.machine.Sh("journalctl --no-pager -o cat -u constat-agent.service")) && has(string(theirs))
	})
}

// slowPrintService has the start of the print service wait until it is let go,
// and counts how often it was tried.
func (h *helpdesk) slowPrintService() (letGo func()) {
	h.t.Helper()
	h.sh(`mkdir -p /run/systemd/system/cups.service.d /run/slow; mkfifo -m 600 /run/slow/gate
printf '[Service]\nExecStartPre=/bin/sh -c "echo try >>/run/slow/tries; read x </run/slow/gate"\nTimeoutStartSec=300\n' >/run/systemd/system/cups.service.d/slow.conf
systemctl daemon-reload`)
	let := false
	letGo = func() {
		if !let {
			let = true
			h.sh("rm -r /run/systemd/system/cups.service.d; systemctl daemon-reload; echo go >/run/slow/gate")
		}
	}
	h.undo("rm -r /run/slow")
	h.t.Cleanup(func() { letGo() })
	return letGo
}

func (h *helpdesk) awaitTry() { h.t.Helper(); h.await("test -s /run/slow/tries") }

func (h *helpdesk) tries() int {
	h.t.Helper()
	return strings.Count(h.machine.Sh("cat /run/slow/tries"), "try")
}

// TestLabConsent takes remedies the whole way: a fault on a real machine, its
// diagnosis on a ticket, a technician who asks, a person who answers over the
// local link, the half with the rights that does it, and a ticket that says who
// asked, who agreed and what it was worth. Then all that can go wrong with it.
func TestLabConsent(t *testing.T) {
	t.Parallel()
	h := newHelpdesk(t)
	part := func(name string, do func(t *testing.T)) {
		t.Run(name, func(t *testing.T) {
			end := h.during(t)
			defer func() { end() }()
			do(t)
		})
	}
	check := func(t *testing.T, got, want string) {
		t.Helper()
		if !strings.Contains(got, want) {
			t.Errorf("want %q in %q", want, got)
		}
	}
	const proof = "The print service answers; before: the print service does not answer."

	part("agreed to", func(t *testing.T) {
		h.stopPrintService()
		number := h.report("anna")
		id := h.request(number)
		check(t, h.as("anna", 0, "remedy list --lang fr"), "demandé par "+technician)
		check(t, h.as("anna", 0, "remedy consent "+id), "It worked: the fault is gone. "+proof)
		asked, came := h.ended(number, id)
		if asked.GetActor() != technician || came.GetActor() != "anna" {
			t.Errorf("asked by %q, answered by %q", asked.GetActor(), came.GetActor())
		}
		r := came.GetRemedy()
		if r.GetRequestedBy() != technician || r.GetConsentedBy() != "anna" || r.GetConsentedAt() == nil || r.GetOutcome() != "fixed" ||
			r.GetBefore().GetState() != "present" || r.GetBefore().GetFault() != "printer-spooler-stopped" || r.GetAfter().GetState() != "absent" || r.GetProof().GetEn() != proof ||
			r.GetProof().GetFr() != "Le service d’impression répond ; avant : le service d’impression ne répond pas." {
			t.Errorf("the ticket says %v", r)
		}
		said := strings.Join(strings.Fields(h.ask(nil, "ticket", "show", number, "--grpc", deskAt, "--data", h.at("desk"))), " ")
		check(t, said, "asked for by "+technician+", agreed to by anna "+proof)
		h.audited("verb=restart-printing", "outcome=fixed", "requestedBy="+technician, "consentedBy=anna", "ticket="+number)
		check(t, h.as("bob", 2, "remedy consent "+id), "no such request waits")
	})

	part("turned down", func(t *testing.T) {
		h.stopPrintService()
		number := h.report("anna")
		id := h.request(number)
		check(t, h.as("bob", 1, "remedy decline "+id), "Declined by bob.")
		_, came := h.ended(number, id)
		if r := came.GetRemedy(); r.GetOutcome() != "refused" || r.GetReason() != "declined by bob" || r.GetConsentedBy() != "" || r.GetBefore() != nil {
			t.Errorf("the ticket says %v", r)
		}
		h.audited("outcome=refused", "requestedBy="+technician, "consentedBy=", "ticket="+number)
		if _, err := h.machine.Try("systemctl is-active cups.service"); err == nil {
			t.Error("it was done all the same")
		}
		check(t, h.as("anna", 2, "remedy consent "+id), "no such request waits")
	})

	part("agreed to after its time", func(t *testing.T) {
		h.stopPrintService()
		number := h.report("anna")
		id := h.request(number)
		// The machine is off for longer than the request lives.
		h.sh("systemctl stop constat-agent.service")
		journal := &constatv1.RemedyJournal{}
		const file = "/var/lib/constat-agent/remedies"
		if err := proto.Unmarshal([]byte(h.machine.Sh("cat "+file)), journal); err != nil || len(journal.GetWaiting()) != 1 {
			t.Fatalf("%v: %v", err, journal)
		}
		journal.Waiting[0].ExpiresAt = timestamppb.New(time.Now().Add(-time.Second))
		content, err := proto.Marshal(journal)
		if err != nil {
			t.Fatal(err)
		}
		h.machine.WriteFile(file, string(content))
		h.sh("systemctl start constat-agent.service")
		h.awaitAgent()
		check(t, h.as("anna", 2, "remedy consent "+id), "no such request waits: it was answered, or its time is over")
		_, came := h.ended(number, id)
		if r := came.GetRemedy(); r.GetOutcome() != "expired" || r.GetBefore() != nil {
			t.Errorf("the ticket says %v", r)
		}
		h.audited("outcome=expired", "ticket="+number)
		if _, err := h.machine.Try("systemctl is-active cups.service"); err == nil {
			t.Error("it was done all the same")
		}
	})

	part("two at once", func(t *testing.T) {
		h.stopPrintService()
		letGo := h.slowPrintService()
		number, other := h.report("anna"), h.report("bob")
		first, second := h.request(number), h.request(other)
		busy := h.command("anna", "remedy consent "+first)
		if err := busy.Start(); err != nil {
			t.Fatal(err)
		}
		h.awaitTry()
		check(t, h.as("bob", 2, "remedy consent "+second), "another remedy is under way, restart-printing: consent again when it has ended")
		check(t, h.as("bob", 1, "remedy run restart-printing --yes"), "Another repair is under way on this computer: try again when it has ended.")
		letGo()
		if err := busy.Wait(); err != nil {
			t.Errorf("the first: %v", err)
		}
		check(t, h.as("bob", 1, "remedy consent "+second), "Not needed: the fault is not there.")
		if _, came := h.ended(number, first); came.GetRemedy().GetOutcome() != "fixed" {
			t.Errorf("the first ticket says %v", came)
		}
		if _, came := h.ended(other, second); came.GetRemedy().GetOutcome() != "refused" {
			t.Errorf("the second ticket says %v", came)
		}
		if n := h.tries(); n != 1 {
			t.Errorf("the print service was started %d times", n)
		}
	})

	part("the machine is ended in the middle", func(t *testing.T) {
		h.stopPrintService()
		letGo := h.slowPrintService()
		number := h.report("anna")
		id := h.request(number)
		left := h.command("anna", "remedy consent "+id)
		said, err := left.StderrPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := left.Start(); err != nil {
			t.Fatal(err)
		}
		h.awaitTry()
		h.sh("systemctl kill -s KILL constat-agent-privileged.service; systemctl kill -s KILL constat-agent.service")
		words, _ := io.ReadAll(said)
		if err := left.Wait(); err == nil {
			t.Error("the person is told that all is well")
		}
		if strings.TrimSpace(string(words)) == "" {
			t.Error("the person is told nothing")
		}
		_, came := h.ended(number, id)
		if r := came.GetRemedy(); r.GetOutcome() != "notFixed" || !strings.HasPrefix(r.GetReason(), "interrupted: the agent was ended in the middle") || r.GetConsentedBy() != "anna" {
			t.Errorf("the ticket says %v", r)
		}
		h.audited("outcome=notFixed", "ticket="+number)
		letGo()
		h.await("systemctl is-active cups.service")
		h.awaitAgent()
		if n := h.tries(); n != 1 {
			t.Errorf("the print service was started %d times", n)
		}
		if running := h.journal().GetRunning(); running != nil {
			t.Errorf("half-done: %v", running)
		}
		check(t, h.as("anna", 0, "remedy list"), "Nothing waits for your consent.")
	})

	part("without a ticket", func(t *testing.T) {
		h.stopPrintService()
		h.as("bob", 0, "remedy run restart-printing --yes")
		h.audited("verb=restart-printing", "outcome=fixed", "requestedBy=bob", "consentedBy=bob", "ticket=0")
		check(t, h.as("anna", 0, "remedy past --lang fr"), "Relancer l’impression demandé par bob, accepté par bob C’est réparé : la panne a disparu. Le service d’impression répond")
	})

	part("two at once without a service", func(t *testing.T) {
		h.stopPrintService()
		letGo := h.slowPrintService()
		h.sh("systemctl stop constat-agent.service")
		busy := h.machine.Command(t.Context(), "constat-agent", "remedy", "run", "restart-printing", "--yes", "--config", "/etc/constat-agent/agent.yaml")
		if err := busy.Start(); err != nil {
			t.Fatal(err)
		}
		h.awaitTry()
		second := h.machine.Command(t.Context(), "constat-agent", "remedy", "run", "restart-printing", "--yes", "--config", "/etc/constat-agent/agent.yaml")
		out, _ := second.CombinedOutput()
		if code := second.ProcessState.ExitCode(); code != 1 {
			t.Errorf("the second ends with %d", code)
		}
		check(t, strings.Join(strings.Fields(string(out)), " "), "another constat-agent does a remedy on this machine: try again when it has ended")
		// A service that starts meanwhile waits, and ends nothing that goes on.
		h.sh("systemctl start constat-agent.service")
		h.Await("the service's word", func() error {
			if log := h.machine.Sh("journalctl --no-pager -o cat -u constat-agent.service"); !strings.Contains(log, "remedies can't be done") {
				return errors.New("not said")
			}
			return nil
		})
		letGo()
		if err := busy.Wait(); err != nil {
			t.Errorf("the first: %v", err)
		}
		if n := h.tries(); n != 1 {
			t.Errorf("the print service was started %d times", n)
		}
		check(t, h.as("anna", 0, "remedy past"), "asked by root, agreed to by root It worked")
		// The collector hears of what was done without the service.
		h.awaitLong("the collector's line", func() bool {
			log, err := os.ReadFile(h.log)
			if err != nil {
				t.Fatal(err)
			}
			return strings.Contains(strings.ReplaceAll(string(log), `":"`, "="), "consentedBy=root")
		})
	})
}

// journal is what the agent keeps of its remedies.
func (h *helpdesk) journal() *constatv1.RemedyJournal {
	h.t.Helper()
	journal := &constatv1.RemedyJournal{}
	out, err := h.machine.Command(context.Background(), "cat", "/var/lib/constat-agent/remedies").Output()
	if err == nil {
		err = proto.Unmarshal(out, journal)
	}
	if err != nil {
		h.t.Fatal(err)
	}
	return journal
}
