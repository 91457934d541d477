package lab

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"constat/internal/diagnosis"
	"constat/internal/lab/visitor"
	deskv1 "constat/proto/constat/desk/v1"
)

// TestLabPage has a person look into faults that are there, on the page, with a
// browser: what is healthy, what a remedy mends and what it does not, a network
// without names and one without a router, a ticket that waits for the network, and
// the talk with a technician.
func TestLabPage(t *testing.T) {
	h := newHelpdesk(t)
	v := visitor.At(t, h.machine.Path("/run/constat-agent/agent.sock"))
	v.Patience = time.Minute
	h.sh("userdel --remove anna 2>/dev/null; userdel --remove bob 2>/dev/null; true") // the rows sign people up themselves
	part := func(name string, do func(t *testing.T)) {
		t.Run(name, func(t *testing.T) {
			end := h.during(t)
			defer func() { end() }()
			defer v.During(t)()
			begun := time.Now()
			do(t)
			t.Logf("%d ms", time.Since(begun).Milliseconds())
		})
	}
	const healthy, wrong = "Everything that the computer can check works.", "Here is what is wrong"
	part("healthy, the Internet", func(t *testing.T) {
		v.Goes("internet", "fr")
		v.Says("Tout ce que l’ordinateur peut vérifier fonctionne.")
		t.Logf("from the click to the answer: %v", v.Waits(0, "h2"))
		v.Walks("", "start")
	})
	part("healthy", func(t *testing.T) {
		v.Goes("printing", "en")
		v.Says(healthy)
		v.Push("Yes, it works")
		v.Says("Nothing more needs to be done.")
	})
	// Nothing is wrong, whatever is complained of: either it was seen to work, or the
	// page says what could not be seen. This machine has no battery, no Wi-Fi and no USB.
	part("healthy, whatever is asked", func(t *testing.T) {
		for i, p := range diagnosis.Procedures() {
			language := []string{"en", "fr"}[i%2]
			v.Asks(p.ID, language)
			if found := v.Found(); found != "" {
				t.Errorf("%s: %s", p.ID, found)
			}
			v.Walks(p.ID, "healthy-"+p.ID)
		}
	})
	// Faults as the office has them for other tests, each by the complaint that somebody
	// would choose. Wi-Fi, USB and batteries are in the virtual machines' TestLabPage.
	for _, asked := range []struct{ complaint, language, fault string }{
		{"slow", "en", "os-disk-full"},
		{"slow", "fr", "os-filesystem-readonly"},
		{"software", "fr", "sw-config-corrupt"},
		{"software", "en", "sw-install-damaged"},
		{"sign-in", "en", "os-password-expired"},
		{"sign-in", "fr", "os-account-locked"},
		{"full", "fr", "os-service-failed"},
		{"printing", "fr", "printer-paper-out"},
	} {
		part(asked.complaint+", "+asked.fault, func(t *testing.T) {
			rows := slices.Concat(hostRows, programRows, printingRows)
			at := slices.IndexFunc(rows, func(r machineRow) bool { return r.fault == asked.fault && r.procedure == asked.complaint })
			if at < 0 {
				t.Fatalf("%s has no row that complains of %s", asked.fault, asked.complaint)
			}
			rows[at].inject(h.premises)
			v.Finds(asked.complaint, asked.language, asked.fault)
		})
	}
	part("a remedy mends it", func(t *testing.T) {
		h.pause(h.queue)
		t.Logf("from the click to what was found first: %v", v.Waits(2, ".lead"))
		v.Finds("printing", "en", "printer-queue-paused")
		v.Push("Yes, do it")
		v.Says("Fixed.")
		v.Push("Look again")
		v.Says(healthy)
	})
	part("a remedy does not mend it", func(t *testing.T) {
		h.sh(`mkdir -p /run/systemd/system/cups.service.d
printf '[Service]\nType=simple\nExecStart=\nExecStart=/bin/sleep 1000\n' >/run/systemd/system/cups.service.d/asleep.conf; systemctl daemon-reload`)
		h.stopPrintService()
		h.undo("systemctl stop cups.service; rm -r /run/systemd/system/cups.service.d; systemctl daemon-reload")
		v.Finds("printing", "en", "printer-spooler-stopped")
		v.Push("Yes, do it")
		h.awaitLong("the remedy's end", func() bool { return v.Eval("!!document.querySelector('.card .bad')") == "true" })
		v.Says("It was done, but the problem is still there.")
		v.Push("Look again")
		v.Says(wrong)
	})
	part("no names", func(t *testing.T) {
		h.Filter(h.dnsHost, "inet", "filter", "input", "udp dport 53 drop", "tcp dport 53 drop")
		table := fmt.Sprintf("filter%d", h.filters)
		t.Cleanup(func() { h.Run(h.dnsHost, "nft", "delete table inet "+table) })
		t.Logf("from the click to what was found first: %v", v.Waits(0, ".lead"))
		v.Finds("internet", "en", "net-dns-unreachable")
	})
	part("no router", func(t *testing.T) {
		h.IP(Gateway, "link set lan0 down")
		t.Cleanup(func() { h.IP(Gateway, "link set lan0 up") })
		v.Finds("internet", "en", "net-gateway-arp-unresolved")
	})
	const words = "Nothing comes out since nine"
	part("a ticket waits", func(t *testing.T) {
		h.pause(h.queue)
		v.Finds("printing", "en", "printer-queue-paused")
		h.Filter(PC, "inet", "filter", "output", "tcp dport 7400 reject with tcp reset")
		table := fmt.Sprintf("filter%d", h.filters)
		open := func() { h.Run(PC, "nft", "delete table inet "+table) }
		defer func() {
			if open != nil {
				open()
			}
		}()
		v.Push("Send to support")
		v.Until("document.querySelector('#text')")
		v.Eval("document.querySelector('main > details').open = true")
		v.Says("Who asks, and what was found") // all that is sent
		v.Eval("for (const more of document.querySelectorAll('details')) more.open = true")
		v.Keep("preview-en")
		v.Eval("document.querySelector('#text').focus()")
		v.Write(words)
		v.Push("Send now")
		v.Says("It is sent as soon as there is a connection.")
		v.Push("My tickets")
		v.Says("This ticket waits on this computer for a connection.")
		v.Says(words)
		open()
		open = nil
		h.awaitLong("the ticket with the collector", func() bool {
			v.Goes("tickets", "en")
			return v.Eval("document.body.innerText.includes('Ticket 1:')") == "true"
		})
		v.Says(words)
	})
	part("both ways", func(t *testing.T) {
		h.ask(nil, "ticket", "write", "1", "Is there paper in it?", "--grpc", deskAt, "--data", h.at("desk"))
		h.ask(nil, "ticket", "write", "1", "She has no paper", "--note", "--grpc", deskAt, "--data", h.at("desk"))
		v.Goes("tickets", "en")
		v.Says("Is there paper in it?")
		if v.Eval("document.body.innerText.includes('She has no paper')") == "true" {
			t.Error("the person reads a note")
		}
		v.Eval("document.querySelector('#reply-0').focus()")
		v.Write("Yes, a whole pile")
		v.Push("Send the answer")
		v.Until("document.querySelector('.talk').innerText.includes('Yes, a whole pile') && !document.querySelector('.talk').innerText.includes('waits here')")
		ticket := &deskv1.GetTicketResponse{}
		h.ask(ticket, "ticket", "show", "1")
		said := ""
		for _, e := range ticket.GetTimeline() {
			if e.GetKind() == "message" {
				said += e.GetActorRole() + ": " + e.GetText() + "\n"
			}
		}
		if want := "requester: " + words + "\ntechnician: Is there paper in it?\nrequester: Yes, a whole pile\n"; said != want {
			t.Errorf("the ticket says\n%s, want\n%s", said, want)
		}
		v.Goes("sent", "en")
		v.Says("Your ticket, number 1.")
		v.Says("Your words in ticket 1.")
		v.Says("What a check found: ")
	})
}
