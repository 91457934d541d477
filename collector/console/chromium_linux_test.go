package console

import (
	"bufio"
	"bytes"
	"constat/collector/desk"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"constat/internal/lab"
	constatv1 "constat/proto/constat/v1"
)

// chromium is one tab of a real browser, spoken to over the DevTools protocol
// on a pipe: no driver, no Node, no port.
type chromium struct {
	testing.TB
	ctx     context.Context
	in      *os.File
	answers chan message
	session string
	last    int
	// complaints is what the browser's console said: errors of scripts, refused
	// resources, violations of the Content-Security-Policy.
	complaints []string
	// waiting is whether the page may make room for another at any moment.
	waiting bool
}

// message is one of the protocol's, either way.
type message struct {
	ID        int             `json:"id,omitempty"`
	Method    string          `json:"method,omitempty"`
	SessionID string          `json:"sessionId,omitempty"`
	Params    any             `json:"params,omitempty"`
	Result    json.RawMessage `json:"result,omitempty"`
	Error     json.RawMessage `json:"error,omitempty"`
}

func startChromium(t testing.TB) *chromium {
	t.Helper()
	path, err := exec.LookPath("chromium")
	lab.Need(t, "chromium", err == nil)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	toBrowser, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	out, fromBrowser, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	profile, err := os.MkdirTemp("", "chromium")
	if err != nil {
		t.Fatal(err)
	}
	command := exec.CommandContext(ctx, path, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars",
		"--remote-debugging-pipe", "--user-data-dir="+profile, "about:blank")
	command.ExtraFiles = []*os.File{toBrowser, fromBrowser}
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	command.WaitDelay = 5 * time.Second
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	toBrowser.Close()
	fromBrowser.Close()
	c := &chromium{TB: t, ctx: ctx, in: in, answers: make(chan message, 1000)}
	go c.listen(out)
	t.Cleanup(func() {
		c.send("", "Browser.close", nil)
		in.Close()
		command.Wait()
		cancel()
		// Its children outlive it for a moment, and write into the profile.
		syscall.Kill(-command.Process.Pid, syscall.SIGKILL)
		for range 1000 {
			if os.RemoveAll(profile) == nil {
				break
			}
		}
	})
	var target struct{ TargetID, SessionID string }
	c.call("Target.createTarget", map[string]any{"url": "about:blank"}, &target)
	c.call("Target.attachToTarget", map[string]any{"targetId": target.TargetID, "flatten": true}, &target)
	c.session = target.SessionID
	for _, domain := range []string{"Page", "Runtime", "Log", "Network"} {
		c.call(domain+".enable", nil, nil)
	}
	return c
}

// listen reads what the browser says until it is gone.
func (c *chromium) listen(out *os.File) {
	defer close(c.answers)
	defer out.Close()
	lines := bufio.NewReader(out)
	for {
		line, err := lines.ReadBytes(0)
		if err != nil {
			return
		}
		var m message
		if json.Unmarshal(bytes.TrimSuffix(line, []byte{0}), &m) == nil {
			c.answers <- m
		}
	}
}

func (c *chromium) send(session, method string, params any) int {
	c.last++
	line, err := json.Marshal(message{ID: c.last, Method: method, SessionID: session, Params: params})
	if err != nil {
		c.Fatal(err)
	}
	c.in.Write(append(line, 0))
	return c.last
}

// call asks for something and reads the answer, noting complaints on the way.
func (c *chromium) call(method string, params, answer any) {
	c.Helper()
	id := c.send(c.session, method, params)
	for {
		select {
		case m, open := <-c.answers:
			if !open {
				c.Fatalf("the browser ended during %s", method)
			}
			if m.ID != id {
				c.note(m)
				continue
			}
			if m.Error != nil {
				if c.waiting && strings.Contains(string(m.Error), "Inspected target navigated") {
					return // the page that was waited on made room for the next
				}
				c.Fatalf("%s: %s", method, m.Error)
			}
			if answer != nil {
				if err := json.Unmarshal(m.Result, answer); err != nil {
					c.Fatal(err)
				}
			}
			return
		case <-c.ctx.Done():
			c.Fatalf("no answer to %s", method)
		}
	}
}

// note keeps what the console of the browser says.
func (c *chromium) note(m message) {
	switch m.Method {
	case "Runtime.exceptionThrown", "Log.entryAdded", "Runtime.consoleAPICalled":
		text, _ := json.Marshal(m.Params)
		c.complaints = append(c.complaints, m.Method+" "+string(text))
	}
}

// eval gives the value of an expression in the page.
func (c *chromium) eval(expression string) string {
	c.Helper()
	var answer struct {
		Result           struct{ Value any }
		ExceptionDetails json.RawMessage
	}
	c.call("Runtime.evaluate", map[string]any{"expression": expression, "awaitPromise": true, "returnByValue": true}, &answer)
	if answer.ExceptionDetails != nil {
		c.Fatalf("%s: %s", expression, answer.ExceptionDetails)
	}
	return fmt.Sprint(answer.Result.Value)
}

// pause lets the page go on for a moment.
const pause = "new Promise(next => setTimeout(next, 20))"

// until waits for an expression in the page to become true.
func (c *chromium) until(expression string) {
	c.Helper()
	patience, cancel := context.WithTimeout(c.ctx, 20*time.Second)
	defer cancel()
	c.waiting = true
	defer func() { c.waiting = false }()
	for c.eval("!!("+expression+")") != "true" {
		if patience.Err() != nil {
			c.quiet("while waiting")
			c.Fatalf("%s did not come true; the page:\n%s", expression, c.eval("document.body.innerText"))
		}
		c.eval(pause)
	}
}

// open loads a page and waits for it.
func (c *chromium) open(address string) {
	c.Helper()
	c.call("Page.navigate", map[string]any{"url": address}, nil)
	c.until("location.href === " + fmt.Sprintf("%q", address) + " && document.readyState === 'complete'")
}

// look sets the window's width and the colour scheme.
func (c *chromium) look(width int, scheme string) {
	c.Helper()
	c.call("Emulation.setDeviceMetricsOverride", map[string]any{"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false}, nil)
	c.call("Emulation.setEmulatedMedia", map[string]any{"features": []map[string]string{{"name": "prefers-color-scheme", "value": scheme}}}, nil)
}

// keep writes a picture of the whole page into the directory that
// CONSTAT_SCREENSHOTS names; without one it does nothing.
func (c *chromium) keep(name string) {
	c.Helper()
	dir := os.Getenv("CONSTAT_SCREENSHOTS")
	if dir == "" {
		return
	}
	var picture struct{ Data string }
	c.call("Page.captureScreenshot", map[string]any{"captureBeyondViewport": true}, &picture)
	content, err := base64.StdEncoding.DecodeString(picture.Data)
	if err != nil {
		c.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name+".png"), content, 0o644); err != nil {
		c.Fatal(err)
	}
}

// quiet fails when the browser complained since the last time.
func (c *chromium) quiet(where string) {
	c.Helper()
	for _, complaint := range c.complaints {
		c.Errorf("%s: %s", where, complaint)
	}
	c.complaints = nil
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
	c.open(door.URL + "/")
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
	// A lead sees all pages.
	ines := b.lead()
	ines.write("/knowledge/push", "file", "", "text", ownProcedure, "revision", "0", "percent", "100", "note", "for the VPN of the accountants")
	ines.write("/knowledge/push", "file", "faults/hardware.yaml", "text", ownFault, "revision", "1", "percent", "10", "hosts", "compta-07, port-112")
	c.enter(ines)

	pages := map[string]string{
		"queue": "/tickets", "queue-chosen": "/tickets?status=any", "ticket-forms": ticket + "?forms", "nothing": "/tickets?q=nothinglikethis", "new": "/tickets/new", "ticket": ticket,
		"ticket-virtual": fmt.Sprintf("/tickets/%d", third),
		"ticket-printer": fmt.Sprintf("/tickets/%d", other), "ticket-jam": fmt.Sprintf("/tickets/%d", jammed), "printer": "/gear/" + printer, "running": ticket + "?run=gone", "endpoints": "/endpoints", "endpoint": "/endpoints/" + endpoint,
		"peripheral": "/peripherals/" + peripheral, "requester": "/people/" + theirs.GetTicket().GetRequester().GetId(), "gear": "/gear", "device": "/gear/" + device, "device-month": "/gear/" + device + "?span=30d",
		"port": "/gear/" + device + "/ports/1", "port-month": "/gear/" + device + "/ports/1?span=30d", "port-idle": "/gear/" + device + "/ports/2",
		"faults": "/faults?q=printer", "fault": "/faults/net-upstream-outage", "fault-disk": "/faults/os-disk-full", "team": "/team", "technician": "/team/marc", "service": "/service", "notices": "/notices", "notice-rule": "/notices/rule", "due": "/tickets?status=due", "settings": "/settings", "maintenances": "/maintenance", "maintenance-new": "/maintenance/new", "style": "/style", "password": "/password",
		"procedures": "/procedures", "procedure": "/procedures/printing", "knowledge": "/knowledge?file=procedures/vpn-of-ours.md", "knowledge-fault": "/knowledge?file=faults/hardware.yaml", "revision": "/knowledge/2",
		"articles": "/articles", "article": article, "article-old": article + "?version=2&language=en", "article-edit": article + "/edit", "article-new": fmt.Sprintf("/articles/new?ticket=%d", before),
	}
	looks := []struct {
		language, scheme string
		width            int
	}{{"en", "light", 1280}, {"fr", "dark", 1280}, {"fr", "light", 380}, {"en", "dark", 380}}
	for _, look := range looks {
		c.look(look.width, look.scheme)
		c.open(b.address + "/tickets")
		c.eval("document.cookie = 'constat-language=" + look.language + "; path=/'")
		for name, path := range pages {
			where := fmt.Sprintf("%s-%s-%s-%d", name, look.language, look.scheme, look.width)
			c.open(b.address + path)
			switch name {
			case "queue-chosen":
				c.eval("document.querySelector('input[name=ticket]').click(); document.querySelector('.keep-view').open = true")
			case "ticket-forms":
				c.eval("for (const fold of document.querySelectorAll('#about, #link, #split, #merge')) fold.open = true")
			}
			if wide := c.eval("document.documentElement.scrollWidth"); wide != fmt.Sprint(look.width) {
				t.Errorf("%s is %s px wide, in a window of %d", where, wide, look.width)
			}
			if pale := c.eval(paleText); pale != "" {
				t.Errorf("%s: text with too little contrast: %s", where, pale)
			}
			if nameless := c.eval(nameless); nameless != "" {
				t.Errorf("%s: controls without a name: %s", where, nameless)
			}
			if strings.HasPrefix(name, "device") || strings.HasPrefix(name, "port") && name != "port-idle" {
				c.until("document.querySelectorAll('.plot canvas').length === document.querySelectorAll('.plot').length && document.querySelector('.plot canvas').width > 0")
			}
			for _, barrier := range c.barriers() {
				t.Errorf("%s: %s", where, barrier)
			}
			c.keep(where)
			c.quiet(where)
		}
	}
	c.open(b.address + "/nowhere")
	c.keep("problem")
}

func TestLiveDiagnosisInChromium(t *testing.T) {
	c := startChromium(t)
	b := newBench(t)
	endpoint, number := b.machineAsks("compta-07", "Claire Martin", "Rien ne s'ouvre.", "internet", dnsDiagnosis)
	c.enter(b.as("lea"))
	c.look(1280, "light")
	c.open(b.address + fmt.Sprintf("/tickets/%d", number))
	c.eval("document.querySelector('#work textarea').value = 'half a sentence'")
	c.eval("document.querySelector('#ticket-side form button.primary').click()")
	c.until("document.querySelector('#run').innerText.includes('Waiting for the machine until')")
	c.keep("live-waiting")
	held := make(chan struct{})
	finished := b.answer(endpoint, held)
	c.until("document.querySelector('#run progress')?.value === 2")
	c.keep("live-running")
	close(held)
	c.until("document.querySelector('#ticket-body').innerText.includes('Accounting-2')")
	c.until("document.querySelector('#run').innerText.includes('A fault was found')")
	if err := <-finished; err != nil {
		t.Fatal(err)
	}
	c.keep("live-finished")
	if kept := c.eval("document.querySelector('#work textarea').value"); kept != "half a sentence" {
		t.Errorf("what was typed became %q", kept)
	}
	if !strings.Contains(c.eval("location.search"), "run=") {
		t.Error("the address does not name the run: a reload would lose it")
	}
	c.quiet("the ticket while a diagnosis came")
}

func TestSearchAsYouTypeInChromium(t *testing.T) {
	c := startChromium(t)
	b := newBench(t)
	b.machineAsks("compta-07", "Claire Martin", "x", "internet", dnsDiagnosis)
	b.machineAsks("port-112", "Yann Le Goff", "y", "printing", printerDiagnosis)
	c.enter(b.as("lea"))
	c.look(1280, "light")
	c.open(b.address + "/tickets")
	c.eval("document.querySelector('#q').focus()")
	c.call("Input.insertText", map[string]any{"text": "port-112"}, nil)
	c.until("document.querySelectorAll('.ticket-line').length === 1")
	if focused := c.eval("document.activeElement.id + ' ' + document.querySelector('#q').value"); focused != "q port-112" {
		t.Errorf("while typing, the field became %q", focused)
	}
	c.until("location.search.includes('q=port-112')")
	c.quiet("the queue while searching")
}

// paleText lists text whose contrast with what is behind it is below WCAG 2.2
// AA (1.4.3), computed from the styles the browser applies.
const paleText = `(() => {
  const parse = c => { const m = c.match(/[\d.]+/g).map(Number); return m.length < 4 ? [...m, 1] : m };
  const light = ([r, g, b]) => { const f = v => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; return 0.2126 * f(r) + 0.7152 * f(g) + 0.0722 * f(b) };
  const behind = e => { for (; e; e = e.parentElement) { const c = parse(getComputedStyle(e).backgroundColor); if (c[3] === 1) return c } return [255, 255, 255, 1] };
  const pale = new Set();
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const e = walk.currentNode.parentElement;
    if (!walk.currentNode.data.trim() || !e.checkVisibility() || e.closest('.skip, noscript, option')) continue;
    const style = getComputedStyle(e);
    const [a, b] = [light(parse(style.color)), light(behind(e))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    const large = parseFloat(style.fontSize) >= 24 || (parseFloat(style.fontSize) >= 18.66 && style.fontWeight >= 700);
    if (ratio < (large ? 3 : 4.5)) pale.add(walk.currentNode.data.trim().slice(0, 30) + ' ' + ratio.toFixed(2));
  }
  return [...pale].join('; ');
})()`

// nameless lists controls that a screen reader could not name, and ids used
// twice.
const nameless = `(() => {
  const bad = [];
  for (const e of document.querySelectorAll('input:not([type=hidden]), select, textarea'))
    if (!e.labels.length && !e.ariaLabel && e.ariaHidden !== 'true') bad.push(e.outerHTML.slice(0, 80));
  for (const e of document.querySelectorAll('button, a'))
    if (!e.innerText.trim() && !e.textContent.trim() && !e.ariaLabel) bad.push(e.outerHTML.slice(0, 80));
  const ids = [...document.querySelectorAll('[id]')].map(e => e.id);
  for (const id of ids.filter((id, i) => ids.indexOf(id) !== i)) bad.push('id ' + id + ' twice');
  if (document.querySelectorAll('h1').length !== 1) bad.push(document.querySelectorAll('h1').length + ' h1');
  return bad.join('; ');
})()`
