package console

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"constat/collector/desk"
	"constat/internal/lab/chrome"
	constatv1 "constat/proto/constat/v1"
)

// chromium is a browser as the console's tests speak of it.
type chromium struct{ *chrome.Tab }

func startChromium(t testing.TB) *chromium {
	t.Helper()
	return &chromium{chrome.Start(t)}
}

// enter signs the browser in with the session of another: a page on another
// port of this host may set the cookie.
func (c *chromium) enter(w *browser) {
	c.Helper()
	door := httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, _ *http.Request) {
		http.SetCookie(out, &http.Cookie{Name: "constat", Value: w.cookie(), Path: "/", HttpOnly: true})
		fmt.Fprint(out, `<!doctype html><link rel="icon" href="data:,">`)
	}))
	defer door.Close()
	c.Open(door.URL + "/")
}

func TestPagesInChromium(t *testing.T) {
	c := startChromium(t)
	b := newBench(t)
	endpoint, number := b.machineAsks("compta-07", "Claire Martin", "Rien ne s'ouvre depuis ce matin, ni l'intranet ni le webmail.", "internet", dnsDiagnosis)
	_, before := b.machineAsks("port-090", "Yann Le Goff", "L'imprimante ne sort rien.", "printing", printerDiagnosis)
	_, other := b.machineAsks("port-112", "Yann Le Goff", "Mes documents restent dans la file.", "printing", printerDiagnosis)
	device := b.switchWith("Gi1/0/5")
	b.measured(device)
	printer := b.polledPrinter()
	b.plugPrinter(device, 0)
	jammed := b.printsTo("compta-08", "Mes documents restent dans la file.", true)
	b.pluggedIn(endpoint, "GigabitEthernet1/0/5")
	if _, err := b.desk.SetServiceLevels(t.Context(), desk.System, serviceExample); err != nil {
		t.Fatal(err)
	}
	virtual, third := b.machineAsks("build-3", "Inès Roy", "Le serveur de compilation ne sort plus.", "internet", dnsDiagnosis)
	b.plugged(virtual, "GigabitEthernet1/0/4", &constatv1.Link{
		Mac: proto.String("02:00:5e:00:00:08"), Kind: proto.String("veth"), Physical: proto.Bool(false), Carrier: proto.Bool(true), OperStatus: proto.String("up"), Duplex: proto.String("full"), SpeedMbps: proto.Int32(10000),
	})
	lea := b.as("lea")
	ticket := fmt.Sprintf("/tickets/%d", number)
	lea.post(ticket, lea.form(ticket).with("text", "The second floor has it too.\nAsked the network team.", "kind", "note", "status", "open", "assignee", "lea")...)
	lea.upload(ticket, lea.form(ticket).with("text", "This is what it shows; @marc, have you seen it? 🙈 مرحبا بالعالم", "kind", "note", "minutes", "25"), "screen.png", smallPNG(), "an-unusually-long-name-of-a-log-file-from-the-machine-itself-2026-11-22.log", "x", "عرض.pdf", "x")
	lea.post(ticket, "version", "1", "tagsWas", "", "tags", "vpn, second floor, waits for the provider", "wanted", "2031-05-04", "queueWas", "", "queue", "Network", "typeWas", "incident", "type", "request", "wantedWas", "", "follow", "yes")
	lea.post(ticket+"/link", "kind", "parent", "other", fmt.Sprint(before))
	lea.post(ticket+"/link", "kind", "related", "other", fmt.Sprint(other))
	solved := fmt.Sprintf("/tickets/%d", before)
	lea.post(solved, lea.form(solved).with("status", "solved", "resolution", "Resumed the queue; Paul had paused it to change the paper.")...)
	article := lea.article("title", "Resume a queue that somebody paused", "body", "The queue waits, and the printer is well.\n\n1. Open the queue.\n2. Press **Resume**.\n\n## It worked when\n\nthe first document comes out.", "faults", "printer-queue-paused", "ticket", fmt.Sprint(before))
	lea.post(article, "version", "1", "state", "published", "audience", "team", "language", "en", "title", "Resume a queue that somebody paused", "body", "The queue waits, and the printer is well.\n\n1. Open the queue.\n2. Press **Resume**, and wait.\n\n## It worked when\n\nthe first document comes out.", "faults", "printer-queue-paused", "note", "one has to wait", "review", "2020-01-01")
	lea.post(article+"/rating", "version", "2", "helped", "no", "unclear", "How long?")
	_, headset, peripheral := b.headsetAt("accueil-1")
	shown := fmt.Sprintf("/tickets/%d", headset)
	lea.post(shown, lea.form(shown).with("status", "solved", "resolution", "Installed the maker's driver.")...)
	b.headsetAt("accueil-2")
	theirs, err := b.desk.Ticket(t.Context(), headset)
	if err != nil {
		t.Fatal(err)
	}
	ines := b.lead()
	ines.write("/knowledge/push", "file", "", "text", ownProcedure, "revision", "0", "percent", "100", "note", "for the VPN of the accountants")
	ines.write("/knowledge/push", "file", "faults/hardware.yaml", "text", ownFault, "revision", "1", "percent", "10", "hosts", "compta-07, port-112")
	// An administrator sees all pages.
	if _, err := b.accounts.Create(t.Context(), "nora", "nora@example.org", "administrator", password); err != nil {
		t.Fatal(err)
	}
	if _, err := b.desk.RemoveAccount(t.Context(), desk.System, "marc"); err != nil {
		t.Fatal(err)
	}
	c.enter(b.as("nora"))

	pages := map[string]string{
		"queue": "/tickets", "queue-chosen": "/tickets?status=any", "queue-columns": "/tickets?status=any&columns=site,queue,category,tags,minutes,updated&sort=updated", "delivery": "/delivery", "accounts": "/accounts", "ticket-forms": ticket + "?forms", "nothing": "/tickets?q=nothinglikethis", "new": "/tickets/new", "ticket": ticket,
		"ticket-virtual": fmt.Sprintf("/tickets/%d", third),
		"ticket-printer": fmt.Sprintf("/tickets/%d", other), "ticket-jam": fmt.Sprintf("/tickets/%d", jammed), "printer": "/gear/" + printer, "running": ticket + "?run=gone", "endpoints": "/endpoints", "endpoint": "/endpoints/" + endpoint,
		"peripheral": "/peripherals/" + peripheral, "requester": "/people/" + theirs.GetTicket().GetRequester().GetId(), "gear": "/gear", "device": "/gear/" + device, "device-month": "/gear/" + device + "?span=30d",
		"port": "/gear/" + device + "/ports/1", "port-month": "/gear/" + device + "/ports/1?span=30d", "port-idle": "/gear/" + device + "/ports/2",
		"faults": "/faults?q=printer", "fault": "/faults/net-upstream-outage", "fault-disk": "/faults/os-disk-full", "team": "/team", "technician": "/team/lea", "service": "/service", "notices": "/notices", "notice-rule": "/notices/rule", "due": "/tickets?status=due", "settings": "/settings", "maintenances": "/maintenance", "maintenance-new": "/maintenance/new", "style": "/style", "password": "/password",
		"procedures": "/procedures", "procedure": "/procedures/printing", "knowledge": "/knowledge?file=procedures/vpn-of-ours.md", "knowledge-fault": "/knowledge?file=faults/hardware.yaml", "revision": "/knowledge/2",
		"articles": "/articles", "article": article, "article-old": article + "?version=2&language=en", "article-edit": article + "/edit", "article-new": fmt.Sprintf("/articles/new?ticket=%d", before),
	}
	// A page is opened once in each language and then made wider: what was drawn for a
	// wide window takes a moment to shrink, and so do colours that change.
	widths := []int{380, 1280}
	for language, scheme := range map[string]string{"en": "light", "fr": "dark"} {
		c.Open(b.address + "/tickets")
		c.Eval("document.cookie = 'constat-language=" + language + "; path=/'")
		for name, path := range pages {
			c.Look(widths[0], scheme)
			c.Open(b.address + path)
			switch name {
			case "queue-chosen":
				c.Eval("document.querySelector('input[name=ticket]').click(); document.querySelectorAll('.keep-view').forEach((fold) => fold.open = true)")
			case "ticket-forms":
				c.Eval("for (const fold of document.querySelectorAll('#about, #link, #split, #merge')) fold.open = true")
			}
			if strings.HasPrefix(name, "device") || strings.HasPrefix(name, "port") && name != "port-idle" {
				c.Until("document.querySelectorAll('.plot canvas').length === document.querySelectorAll('.plot').length && document.querySelector('.plot canvas').width > 0")
			}
			for _, width := range widths {
				where := fmt.Sprintf("%s-%s-%s-%d", name, language, scheme, width)
				c.Look(width, scheme)
				if wide := c.Eval("document.documentElement.scrollWidth"); wide != fmt.Sprint(width) {
					t.Errorf("%s is %s px wide, in a window of %d", where, wide, width)
				}
				if pale := c.Eval(chrome.PaleText); pale != "" {
					t.Errorf("%s: text with too little contrast: %s", where, pale)
				}
				if nameless := c.Eval(chrome.Nameless); nameless != "" {
					t.Errorf("%s: controls without a name: %s", where, nameless)
				}
				for _, barrier := range c.Barriers() {
					t.Errorf("%s: %s", where, barrier)
				}
				c.Keep(where)
				c.Quiet(where)
			}
		}
	}
	c.Open(b.address + "/nowhere")
	c.Keep("problem")
}

func TestLiveDiagnosisInChromium(t *testing.T) {
	c := startChromium(t)
	b := newBench(t)
	endpoint, number := b.machineAsks("compta-07", "Claire Martin", "Rien ne s'ouvre.", "internet", dnsDiagnosis)
	c.enter(b.as("lea"))
	c.Look(1280, "light")
	c.Open(b.address + fmt.Sprintf("/tickets/%d", number))
	c.Eval("document.querySelector('#work textarea').value = 'half a sentence'")
	c.Eval("document.querySelector('#ticket-side form button.primary').click()")
	c.Until("document.querySelector('#run').innerText.includes('Waiting for the machine until')")
	c.Keep("live-waiting")
	held := make(chan struct{})
	finished := b.answer(endpoint, held)
	c.Until("document.querySelector('#run progress')?.value === 2")
	c.Keep("live-running")
	close(held)
	c.Until("document.querySelector('#ticket-body').innerText.includes('Accounting-2')")
	c.Until("document.querySelector('#run').innerText.includes('A fault was found')")
	if err := <-finished; err != nil {
		t.Fatal(err)
	}
	c.Keep("live-finished")
	if kept := c.Eval("document.querySelector('#work textarea').value"); kept != "half a sentence" {
		t.Errorf("what was typed became %q", kept)
	}
	if !strings.Contains(c.Eval("location.search"), "run=") {
		t.Error("the address does not name the run: a reload would lose it")
	}
	c.Quiet("the ticket while a diagnosis came")
}

func TestSearchAsYouTypeInChromium(t *testing.T) {
	c := startChromium(t)
	b := newBench(t)
	b.machineAsks("compta-07", "Claire Martin", "x", "internet", dnsDiagnosis)
	b.machineAsks("port-112", "Yann Le Goff", "y", "printing", printerDiagnosis)
	c.enter(b.as("lea"))
	c.Look(1280, "light")
	c.Open(b.address + "/tickets")
	c.Eval("document.querySelector('#q').focus()")
	c.Call("Input.insertText", map[string]any{"text": "port-112"}, nil)
	c.Until("document.querySelectorAll('.ticket-line').length === 1")
	if focused := c.Eval("document.activeElement.id + ' ' + document.querySelector('#q').value"); focused != "q port-112" {
		t.Errorf("while typing, the field became %q", focused)
	}
	c.Until("location.search.includes('q=port-112')")
	c.Quiet("the queue while searching")
}
