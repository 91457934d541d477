package console

import (
	"fmt"
	"strings"
	"testing"

	"constat/collector/desk"
	"constat/internal/lab/chrome"
)

// Two technicians on one ticket see each other, and neither answers over the
// other's head.
func TestTwoOnATicketInChromium(t *testing.T) {
	lea, marc := startChromium(t), startChromium(t)
	b := newBench(t)
	_, number := b.machineAsks("compta-07", "Claire Martin", "Rien ne s'ouvre.", "internet", dnsDiagnosis)
	ticket := b.address + fmt.Sprintf("/tickets/%d", number)
	for name, c := range map[string]*chromium{"lea": lea, "marc": marc} {
		c.enter(b.as(name))
		c.Look(1280, "light")
		c.Open(ticket)
	}
	shows := func(name string) string {
		return fmt.Sprintf("[...document.querySelectorAll('[data-onlookers]')].length === 2 && [...document.querySelectorAll('[data-onlookers]')].every(p => p.textContent.includes(%q))", name)
	}
	lea.Until(shows("marc is looking"))
	marc.Until(shows("lea is looking"))
	for _, barrier := range lea.Barriers() {
		t.Error(barrier)
	}
	// Lea begins to answer; Marc sees that, and is quicker.
	lea.Press("r")
	lea.At("text")
	lea.Write("Have you tried")
	marc.Until(shows("lea is typing"))
	marc.Keep("onlooker")
	marc.Press("r")
	marc.At("text")
	marc.Write("The name servers are being looked at.")
	marc.Press("Control+Enter")
	marc.Until("document.querySelector('.timeline')?.innerText.includes('being looked at')")
	// She is warned as his answer comes, and her text is where it was.
	lea.Until("!document.querySelector('[data-answered]').hidden && document.querySelector('.timeline').innerText.includes('being looked at')")
	for _, barrier := range lea.Barriers() {
		t.Error(barrier)
	}
	lea.Keep("answered")
	if text := lea.Eval("document.querySelector('#text').value + ' ' + document.activeElement.id"); text != "Have you tried text" {
		t.Errorf("what she typed became %q", text)
	}
	// Sent all the same, it is refused once, with the text and his name.
	lea.Press("Control+Enter")
	lea.Until("document.querySelector('#work .notice.bad')?.innerText.includes('marc wrote here')")
	if text := lea.Eval("document.querySelector('#text').value"); text != "Have you tried" {
		t.Errorf("what she typed became %q", text)
	}
	if said := lea.Eval("document.querySelector('.timeline').innerText"); strings.Contains(said, "Have you tried") {
		t.Error("it was sent")
	}
	lea.Complaints = nil // the browser tells of every answer that is not 200
	lea.Eval("document.querySelector('#text').focus()")
	lea.Press("Control+Enter")
	lea.Until("document.querySelector('.timeline')?.innerText.includes('Have you tried')")
	lea.Quiet("the ticket that two answer")

	// Who has read what came meanwhile says so, and sends without a second question.
	marc.Until("document.querySelector('.timeline')?.innerText.includes('Have you tried') && document.querySelector('[data-seen]').value === document.querySelector('[data-last-message]').dataset.lastMessage")
	marc.Eval("document.querySelector('#text').focus()")
	marc.Write("And now")
	lea.Eval("document.querySelector('#text').focus()")
	lea.Write("It works again.")
	lea.Press("Control+Enter")
	marc.Until("!document.querySelector('[data-answered]').hidden && document.querySelector('.timeline').innerText.includes('It works again.')")
	marc.Eval("document.querySelector('[data-have-read]').focus()")
	marc.Press("Enter")
	marc.At("text")
	marc.Press("Control+Enter")
	marc.Until("document.querySelector('.timeline')?.innerText.includes('And now') && location.pathname.startsWith('/tickets/')")
	// Who goes away is not there any more.
	marc.Until(shows("lea is looking"))
	lea.Open(b.address + "/faults")
	marc.Until("document.querySelector('[data-onlookers]').textContent.trim() === ''")
	marc.Quiet("the ticket that two answer")
}

// A reply outlives the end of its writer's session, their signing out, and the
// collector's restart; it is offered again on the same ticket, in another browser
// too, to its writer only, and is gone once it is sent.
func TestDraftOutlivesTheSessionInChromium(t *testing.T) {
	c := startChromium(t)
	b := newBench(t)
	_, number := b.machineAsks("compta-07", "Claire Martin", "Rien ne s'ouvre.", "internet", dnsDiagnosis)
	at, stop := b.serve("127.0.0.1:0")
	b.address = "http://" + at
	ticket := b.address + fmt.Sprintf("/tickets/%d", number)
	lea := desk.Actor{Name: "lea", Role: "technician"}
	user, err := b.accounts.Named(t.Context(), "lea")
	if err != nil {
		t.Fatal(err)
	}
	lea.ID = user.ID
	kept := func(want string) {
		t.Helper()
		c.Until("true") // wholly loaded
		for range 1000 {
			draft, err := b.desk.Draft(t.Context(), lea, int32(number))
			if err != nil {
				t.Fatal(err)
			}
			if draft.Text == want {
				return
			}
			c.Eval(chrome.Pause)
		}
		t.Fatalf("the collector does not keep %q", want)
	}
	signIn := func(name string) {
		t.Helper()
		c.Until("location.pathname === '/sign-in'")
		c.Eval("document.querySelector('#name').value = '" + name + "'; document.querySelector('#password').value = '" + password + "'")
		c.Eval("document.querySelector('#password').form.requestSubmit()")
		c.Until("location.pathname !== '/sign-in'")
	}
	offered := func(want string) {
		t.Helper()
		c.Until(fmt.Sprintf("document.querySelector('#text').value === %q && !document.querySelector('[data-begun]').hidden", want))
	}

	w := b.as("lea")
	c.enter(w)
	c.Look(1280, "light")
	c.Open(ticket)
	c.Press("n")
	c.At("text")
	c.Write("One")
	kept("One")

	// The session ends while she types; what she types afterwards is in the tab.
	w.post("/sign-out")
	c.Write(", two")
	c.Call("Page.navigate", map[string]any{"url": ticket}, nil)
	signIn("lea")
	offered("One, two")
	kept("One, two")
	if kind := c.Eval("document.querySelector('#work').elements.kind.value"); kind != "note" {
		t.Errorf("the note became a %s: all would read it", kind)
	}
	for _, barrier := range c.Barriers() {
		t.Error(barrier)
	}
	c.Keep("draft")

	// The collector is started anew meanwhile.
	stop()
	c.Eval("document.querySelector('#text').focus(); document.querySelector('#text').setSelectionRange(99, 99)")
	c.Write(", three")
	c.Eval("document.querySelector('#text').blur()")
	_, stop = b.serve(at)
	t.Cleanup(func() { stop() })
	c.Open(ticket)
	offered("One, two, three")
	kept("One, two, three")

	// Signed out, it is nobody's who signs in on this machine, and offered in any
	// browser to who wrote it.
	c.Eval("document.querySelector('form[action=\"/sign-out\"]').requestSubmit()")
	signIn("marc")
	c.Open(ticket)
	if text := c.Eval("document.querySelector('#text').value + document.querySelector('[data-begun]').hidden"); text != "true" {
		t.Errorf("a colleague is offered %q", text)
	}
	c.Eval("document.querySelector('form[action=\"/sign-out\"]').requestSubmit()")
	c.Until("location.pathname === '/sign-in'")
	c.Eval("sessionStorage.clear()")
	signIn("lea")
	c.Open(ticket)
	offered("One, two, three")
	c.Eval("document.querySelector('#text').focus()")
	c.Press("Control+Enter")
	c.Until("document.querySelector('.timeline')?.innerText.includes('One, two, three')")
	kept("")
	c.Open(ticket)
	if text := c.Eval("document.querySelector('#text').value + document.querySelector('[data-begun]').hidden + Object.keys(sessionStorage).filter(key => key.startsWith('draft:')).length"); text != "true0" {
		t.Errorf("what was sent is offered again: %q", text)
	}

	// What is not wanted any more goes by a button.
	c.Press("n")
	c.At("text")
	c.Write("Never mind")
	kept("Never mind")
	c.Open(ticket)
	offered("Never mind")
	c.Eval("document.querySelector('[data-begun] button').focus()")
	c.Press("Enter")
	c.Until("document.querySelector('[data-begun]')?.hidden && document.querySelector('#text').value === ''")
	kept("")
}
