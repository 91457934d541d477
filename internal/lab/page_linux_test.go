package lab

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"constat/agent/page"
	"constat/internal/diagnosis"
	"constat/internal/fault"
	"constat/internal/lab/chrome"
	deskv1 "constat/proto/constat/desk/v1"
)

// visitor is a person at the page of a machine's agent, with a real browser.
type visitor struct {
	*chrome.Tab
	page *page.Page
}

func (v *visitor) enter(view string) {
	v.Helper()
	file, err := v.page.Way(view)
	if err != nil {
		v.Fatal(err)
	}
	v.Eval("window.left = true")
	v.Call("Page.navigate", map[string]any{"url": "file://" + file}, nil)
	v.Until("!window.left && location.protocol === 'http:' && document.querySelector('h1')")
}

func (v *visitor) says(words string) {
	v.Helper()
	v.Until(fmt.Sprintf("document.body.innerText.includes(%q)", words))
}

func (v *visitor) push(words string) {
	v.Helper()
	find := fmt.Sprintf("[...document.querySelectorAll('button')].find(b => b.innerText.trim() === %q)", words)
	v.Until(find)
	v.Eval(find + ".click()")
}

// TestLabPage has a person look into faults that are there, on the page, with a
// browser: what is healthy, what a remedy mends and what it does not, a network
// without names and one without a router, a ticket that waits for the network, and
// the talk with a technician.
func TestLabPage(t *testing.T) {
	h := newHelpdesk(t)
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
	t.Setenv("XDG_STATE_HOME", t.TempDir())
	served, err := page.Serve(t.Context(), h.machine.Path("/run/constat-agent/agent.sock"), "en")
	if err != nil {
		t.Fatal(err)
	}
	v := &visitor{chrome.Start(t), served}
	catalog, err := fault.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	part := func(name string, do func(t *testing.T)) {
		t.Run(name, func(t *testing.T) {
			end := h.during(t)
			defer func() { end() }()
			outer := v.Tab.TB
			v.Tab.TB = t
			defer func() { v.Tab.TB = outer }()
			begun := time.Now()
			do(t)
			t.Logf("%d ms", time.Since(begun).Milliseconds())
		})
	}
	const healthy, wrong = "Everything that the computer can check works.", "Here is what is wrong"
	// walked keeps pictures of a view in both languages, where pictures are wanted.
	walked := func(view, name string) {
		t.Helper()
		if os.Getenv("CONSTAT_SCREENSHOTS") == "" {
			return
		}
		for _, language := range []string{"en", "fr"} {
			other, err := page.Serve(t.Context(), h.machine.Path("/run/constat-agent/agent.sock"), language)
			if err != nil {
				t.Fatal(err)
			}
			(&visitor{v.Tab, other}).enter(view)
			v.Until("!document.querySelector('progress')")
			for _, width := range []int{1280, 320} {
				v.Look(width, "light")
				v.Keep(fmt.Sprintf("%s-%s-%d", name, language, width))
			}
		}
	}
	// finds wants the words that the catalog has for a fault.
	finds := func(view, id string) {
		t.Helper()
		v.enter(view)
		v.says(wrong)
		said := catalog.Lookup(id).Explanation.In("en")
		v.says(strings.Split(said, ".")[0])
		walked(view, id)
		if os.Getenv("CONSTAT_SCREENSHOTS") != "" {
			v.enter(view)
			v.says(wrong)
		}
	}

	part("healthy, the Internet", func(t *testing.T) {
		begun := time.Now()
		v.enter("internet")
		v.says(healthy)
		t.Logf("from the click to the answer: %d ms", time.Since(begun).Milliseconds())
		for _, p := range diagnosis.Procedures() {
			walked(p.ID, "healthy-"+p.ID)
		}
		walked("", "start")
	})
	part("healthy", func(t *testing.T) {
		v.enter("printing")
		v.says(healthy)
		v.push("Yes, it works")
		v.says("Nothing more needs to be done.")
	})
	part("a remedy mends it", func(t *testing.T) {
		h.pause(h.queue)
		finds("printing", "printer-queue-paused")
		v.push("Yes, do it")
		v.says("Fixed.")
		v.push("Look again")
		v.says(healthy)
	})
	part("a remedy does not mend it", func(t *testing.T) {
		h.sh(`mkdir -p /run/systemd/system/cups.service.d
printf '[Service]\nType=simple\nExecStart=\nExecStart=/bin/sleep 1000\n' >/run/systemd/system/cups.service.d/asleep.conf; systemctl daemon-reload`)
		h.stopPrintService()
		h.undo("systemctl stop cups.service; rm -r /run/systemd/system/cups.service.d; systemctl daemon-reload")
		finds("printing", "printer-spooler-stopped")
		v.push("Yes, do it")
		h.awaitLong("the remedy's end", func() bool { return v.Eval("!!document.querySelector('.card .bad')") == "true" })
		v.says("It was done, but the problem is still there.")
		v.push("Look again")
		v.says(wrong)
	})
	part("no names", func(t *testing.T) {
		h.Filter(h.dnsHost, "inet", "filter", "input", "udp dport 53 drop", "tcp dport 53 drop")
		table := fmt.Sprintf("filter%d", h.filters)
		t.Cleanup(func() { h.Run(h.dnsHost, "nft", "delete table inet "+table) })
		finds("internet", "net-dns-unreachable")
	})
	part("no router", func(t *testing.T) {
		h.IP(Gateway, "link set lan0 down")
		t.Cleanup(func() { h.IP(Gateway, "link set lan0 up") })
		finds("internet", "net-gateway-arp-unresolved")
	})
	const words = "Nothing comes out since nine"
	part("a ticket waits", func(t *testing.T) {
		h.pause(h.queue)
		finds("printing", "printer-queue-paused")
		h.Filter(PC, "inet", "filter", "output", "tcp dport 7400 reject with tcp reset")
		table := fmt.Sprintf("filter%d", h.filters)
		open := func() { h.Run(PC, "nft", "delete table inet "+table) }
		defer func() {
			if open != nil {
				open()
			}
		}()
		v.push("Send to support")
		v.Until("document.querySelector('#text')")
		v.Eval("document.querySelector('main > details').open = true")
		v.says("Who asks, and what was found") // all that is sent
		v.Eval("for (const more of document.querySelectorAll('details')) more.open = true")
		v.Keep("preview-en")
		v.Eval("document.querySelector('#text').focus()")
		v.Write(words)
		v.push("Send now")
		v.says("It is sent as soon as there is a connection.")
		v.push("My tickets")
		v.says("This ticket waits on this computer for a connection.")
		v.says(words)
		open()
		open = nil
		h.awaitLong("the ticket with the collector", func() bool {
			v.enter("tickets")
			return v.Eval("document.body.innerText.includes('Ticket 1:')") == "true"
		})
		v.says(words)
	})
	part("both ways", func(t *testing.T) {
		h.ask(nil, "ticket", "write", "1", "Is there paper in it?", "--grpc", deskAt, "--data", h.at("desk"))
		h.ask(nil, "ticket", "write", "1", "She has no paper", "--note", "--grpc", deskAt, "--data", h.at("desk"))
		v.enter("tickets")
		v.says("Is there paper in it?")
		if v.Eval("document.body.innerText.includes('She has no paper')") == "true" {
			t.Error("the person reads a note")
		}
		v.Eval("document.querySelector('#reply-0').focus()")
		v.Write("Yes, a whole pile")
		v.push("Send the answer")
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
		v.enter("sent")
		v.says("Your ticket, number 1.")
		v.says("Your words in ticket 1.")
		v.says("What a check found: ")
	})
}
