package chrome

import (
	"bufio"
	"bytes"
	"context"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"constat/internal/lab/component"
)

// Tab is one tab of a browser of its own.
type Tab struct {
	testing.TB
	ctx     context.Context
	in      *os.File
	answers chan message
	session string
	last    int
	// Complaints is what the browser's console said: errors of scripts, refused
	// resources, violations of the Content-Security-Policy.
	Complaints []string
	// Patience is how long Until waits: 20 seconds, unless a test looks at slower things.
	Patience time.Duration
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

// Start starts a browser, which ends with the test.
func Start(t testing.TB) *Tab {
	t.Helper()
	path, err := exec.LookPath("chromium")
	component.Need(t, "chromium", err == nil)
	ctx, cancel := context.WithCancel(t.Context())
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
	c := &Tab{TB: t, ctx: ctx, in: in, answers: make(chan message, 1000), Patience: 20 * time.Second}
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
	c.Call("Target.createTarget", map[string]any{"url": "about:blank"}, &target)
	c.Call("Target.attachToTarget", map[string]any{"targetId": target.TargetID, "flatten": true}, &target)
	c.session = target.SessionID
	for _, domain := range []string{"Page", "Runtime", "Log", "Network"} {
		c.Call(domain+".enable", nil, nil)
	}
	return c
}

// listen reads what the browser says until it is gone.
func (c *Tab) listen(out *os.File) {
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

func (c *Tab) send(session, method string, params any) int {
	c.last++
	line, err := json.Marshal(message{ID: c.last, Method: method, SessionID: session, Params: params})
	if err != nil {
		c.Fatal(err)
	}
	c.in.Write(append(line, 0))
	return c.last
}

// madeRoom is what the browser and its engine answer when the page that was
// waited on made room for the next.
var madeRoom = regexp.MustCompile("Inspected target navigated|Execution context was destroyed|Promise was collected")

// Call asks for something and reads the answer, noting complaints on the way.
func (c *Tab) Call(method string, params, answer any) {
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
				if c.waiting && madeRoom.Match(m.Error) {
					return
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
func (c *Tab) note(m message) {
	switch m.Method {
	case "Runtime.exceptionThrown", "Log.entryAdded", "Runtime.consoleAPICalled":
		text, _ := json.Marshal(m.Params)
		c.Complaints = append(c.Complaints, m.Method+" "+string(text))
	}
}

// Eval gives the value of an expression in the page.
func (c *Tab) Eval(expression string) string {
	c.Helper()
	var answer struct {
		Result           struct{ Value any }
		ExceptionDetails json.RawMessage
	}
	c.Call("Runtime.evaluate", map[string]any{"expression": expression, "awaitPromise": true, "returnByValue": true}, &answer)
	if answer.ExceptionDetails != nil {
		c.Fatalf("%s: %s", expression, answer.ExceptionDetails)
	}
	return fmt.Sprint(answer.Result.Value)
}

// EvalInto reads the value of an expression in the page.
func (c *Tab) EvalInto(expression string, into any) {
	c.Helper()
	if err := json.Unmarshal([]byte(c.Eval("JSON.stringify("+expression+")")), into); err != nil {
		c.Fatalf("%s: %v", expression, err)
	}
}

// Pause lets the page go on for a moment.
const Pause = "new Promise(next => setTimeout(next, 20))"

// Until waits for an expression to become true in a page that is wholly loaded:
// what is looked for in half a page is not there yet, or was there too early. An
// expression that throws is not true yet.
func (c *Tab) Until(expression string) {
	c.Helper()
	patience, cancel := context.WithTimeout(c.ctx, c.Patience)
	defer cancel()
	c.waiting = true
	defer func() { c.waiting = false }()
	look := "(() => { try { return document.readyState === 'complete' && !!(" + expression + ") } catch (e) { return `${e}` } })()"
	for {
		seen := c.Eval(look)
		if seen == "true" {
			return
		}
		if patience.Err() != nil {
			c.Quiet("while waiting")
			c.Fatalf("%s did not come true (%s); the page:\n%s", expression, seen, c.Eval("document.body?.innerText"))
		}
		c.Eval(Pause)
	}
}

// Says waits until the page says words. A space that does not break is one.
func (c *Tab) Says(words string) {
	c.Helper()
	c.Until(fmt.Sprintf("document.body.innerText.replaceAll('\u00a0', ' ').includes(%q)", plainSpaces(words)))
}

// Push clicks the button with these words, when it is there.
func (c *Tab) Push(words string) {
	c.Helper()
	find := fmt.Sprintf("[...document.querySelectorAll('button')].find(b => b.innerText.trim().replaceAll('\u00a0', ' ') === %q)", plainSpaces(words))
	c.Until(find)
	c.Eval(find + ".click()")
}

func plainSpaces(words string) string { return strings.ReplaceAll(words, "\u00a0", " ") }

// Enter opens a page by the file that leads there, and waits for its heading.
func (c *Tab) Enter(file string) {
	c.Helper()
	c.Eval("window.left = true")
	c.Call("Page.navigate", map[string]any{"url": "file://" + file}, nil)
	c.Until("!window.left && location.protocol === 'http:' && document.querySelector('h1')")
}

// Open loads a page and waits for it.
func (c *Tab) Open(address string) {
	c.Helper()
	c.Call("Page.navigate", map[string]any{"url": address}, nil)
	c.Until("location.href === " + fmt.Sprintf("%q", address))
}

// Look sets the window's width and the colour scheme.
func (c *Tab) Look(width int, scheme string) {
	c.Helper()
	c.Call("Emulation.setDeviceMetricsOverride", map[string]any{"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false}, nil)
	c.Call("Emulation.setEmulatedMedia", map[string]any{"features": []map[string]string{{"name": "prefers-color-scheme", "value": scheme}}}, nil)
}

// Keep writes a picture of the whole page into the directory that
// CONSTAT_SCREENSHOTS names; without one it does nothing.
func (c *Tab) Keep(name string) {
	c.Helper()
	dir := os.Getenv("CONSTAT_SCREENSHOTS")
	if dir == "" {
		return
	}
	var picture struct{ Data string }
	c.Call("Page.captureScreenshot", map[string]any{"captureBeyondViewport": true}, &picture)
	content, err := base64.StdEncoding.DecodeString(picture.Data)
	if err != nil {
		c.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name+".png"), content, 0o644); err != nil {
		c.Fatal(err)
	}
}

// Picture writes a small picture of what is seen into a file.
func (c *Tab) Picture(file string) {
	c.Helper()
	var picture struct{ Data string }
	c.Call("Page.captureScreenshot", map[string]any{"format": "webp", "quality": 28}, &picture)
	content, err := base64.StdEncoding.DecodeString(picture.Data)
	if err == nil {
		err = os.WriteFile(file, content, 0o644)
	}
	if err != nil {
		c.Fatal(err)
	}
}

// Quiet fails when the browser complained since the last time.
func (c *Tab) Quiet(where string) {
	c.Helper()
	for _, complaint := range c.Complaints {
		c.Errorf("%s: %s", where, complaint)
	}
	c.Complaints = nil
}

//go:embed axe/axe.min.js
var axe string

// Barriers lists what axe-core finds against WCAG 2.2 AA and good practice on
// the page that is open: rule, how many places, the first of them.
func (c *Tab) Barriers() []string {
	c.Helper()
	if c.Eval("typeof axe") == "undefined" {
		c.Call("Runtime.evaluate", map[string]any{"expression": axe}, nil)
	}
	found := c.Eval(`axe.run(document, {resultTypes: ['violations'], runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']})
		.then(r => JSON.stringify(r.violations.map(v => v.id + ' (' + v.nodes.length + '): ' + v.nodes[0].html.slice(0, 160) + ' ' + v.nodes[0].failureSummary)))`)
	var list []string
	if err := json.Unmarshal([]byte(found), &list); err != nil {
		c.Fatalf("what axe-core says: %v", err)
	}
	return list
}

// Press types keys as a person at a keyboard does: "r", "?", "Tab", "Enter",
// "Escape", "Control+Enter", "Space", "Down".
func (c *Tab) Press(keys ...string) {
	c.Helper()
	named := map[string]struct {
		key, code, text string
		number          int
	}{
		"Enter": {"Enter", "Enter", "\r", 13}, "Tab": {"Tab", "Tab", "", 9}, "Escape": {"Escape", "Escape", "", 27},
		"Space": {" ", "Space", " ", 32}, "Down": {"ArrowDown", "ArrowDown", "", 40}, "Home": {"Home", "Home", "", 36},
		"Right": {"ArrowRight", "ArrowRight", "", 39},
	}
	for _, key := range keys {
		rest, control := strings.CutPrefix(key, "Control+")
		event := map[string]any{"type": "keyDown", "key": rest, "text": rest}
		if n, ok := named[rest]; ok {
			event = map[string]any{"type": "keyDown", "key": n.key, "code": n.code, "text": n.text, "windowsVirtualKeyCode": n.number}
		}
		if control {
			const ctrl = 2
			event["modifiers"] = ctrl
			delete(event, "text")
		}
		c.Call("Input.dispatchKeyEvent", event, nil)
		delete(event, "text")
		event["type"] = "keyUp"
		c.Call("Input.dispatchKeyEvent", event, nil)
	}
}

// Write types text into the field that has the focus.
func (c *Tab) Write(text string) {
	c.Helper()
	c.Call("Input.insertText", map[string]any{"text": text}, nil)
}

// At waits until the field with this id has the focus.
func (c *Tab) At(id string) {
	c.Helper()
	c.Until("document.activeElement?.id === " + fmt.Sprintf("%q", id))
}

// PaleText lists text whose contrast with what is behind it is below WCAG 2.2
// AA (1.4.3), computed from the styles the browser applies.
const PaleText = `(() => {
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

// Nameless lists controls that a screen reader could not name, and ids used
// twice.
const Nameless = `(() => {
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
