package console

import (
	"fmt"
	"strings"
	"testing"

	"constat/collector/desk"
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
		c.look(1280, "light")
		c.open(ticket)
	}
	shows := func(name string) string {
		return fmt.Sprintf("[...document.querySelectorAll('[data-onlookers]')].length === 2 && [...document.querySelectorAll('[data-onlookers]')].every(p => p.textContent.includes(%q))", name)
	}
	lea.until(shows("marc is looking"))
	marc.until(shows("lea is looking"))
	for _, barrier := range lea.barriers() {
		t.Error(barrier)
	}
	// Lea begins to answer; Marc sees that, and is quicker.
	lea.press("r")
	lea.at("text")
	lea.write("Have you tried")
	marc.until(shows("lea is typing"))
	marc.keep("onlooker")
	marc.press("r")
	marc.at("text")
	marc.write("The name servers are being looked at.")
	marc.press("Control+Enter")
	marc.until("document.querySelector('.timeline')?.innerText.includes('being looked at')")
	// She is warned as his answer comes, and her text is where it was.
	lea.until("!document.querySelector('[data-answered]').hidden && document.querySelector('.timeline').innerText.includes('being looked at')")
	for _, barrier := range lea.barriers() {
		t.Error(barrier)
	}
	lea.keep("answered")
	if text := lea.eval("document.querySelector('#text').value + ' ' + document.activeElement.id"); text != "Have you tried text" {
		t.Errorf("what she typed became %q", text)
	}
	// Sent all the same, it is refused once, with the text and his name.
	lea.press("Control+Enter")
	lea.until("document.querySelector('#work .notice.bad')?.innerText.includes('marc wrote here') && document.readyState === 'complete'")
	if text := lea.eval("document.querySelector('#text').value"); text != "Have you tried" {
		t.Errorf("what she typed became %q", text)
	}
	if said := lea.eval("document.querySelector('.timeline').innerText"); strings.Contains(said, "Have you tried") {
		t.Error("it was sent")
	}
	lea.Complaints = nil // the browser tells of every answer that is not 200
	lea.eval("document.querySelector('#text').focus()")
	lea.press("Control+Enter")
	lea.until("document.querySelector('.timeline')?.innerText.includes('Have you tried') && document.readyState === 'complete'")
	lea.quiet("the ticket that two answer")

	// Who has read what came meanwhile says so, and sends without a second question.
	marc.until("document.querySelector('.timeline')?.innerText.includes('Have you tried') && document.querySelector('[data-seen]').value === document.querySelector('[data-last-message]').dataset.lastMessage")
	marc.eval("document.querySelector('#text').focus()")
	marc.write("And now")
	lea.eval("document.querySelector('#text').focus()")
	lea.write("It works again.")
	lea.press("Control+Enter")
	marc.until("!document.querySelector('[data-answered]').hidden && document.querySelector('.timeline').innerText.includes('It works again.')")
	marc.eval("document.querySelector('[data-have-read]').focus()")
	marc.press("Enter")
	marc.at("text")
	marc.press("Control+Enter")
	marc.until("document.querySelector('.timeline')?.innerText.includes('And now') && document.readyState === 'complete' && location.pathname.startsWith('/tickets/')")
	// Who goes away is not there any more.
	marc.until(shows("lea is looking"))
	lea.open(b.address + "/faults")
	marc.until("document.querySelector('[data-onlookers]').textContent.trim() === ''")
	marc.quiet("the ticket that two answer")
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
		c.until("document.readyState === 'complete'")
		for range 1000 {
			draft, err := b.desk.Draft(t.Context(), lea, int32(number))
			if err != nil {
				t.Fatal(err)
			}
			if draft.Text == want {
				return
			}
			c.eval(pause)
		}
		t.Fatalf("the collector does not keep %q", want)
	}
	signIn := func(name string) {
		t.Helper()
		c.until("location.pathname === '/sign-in' && document.readyState === 'complete'")
		c.eval("document.querySelector('#name').value = '" + name + "'; document.querySelector('#password').value = '" + password + "'")
		c.eval("document.querySelector('#password').form.requestSubmit()")
		c.until("location.pathname !== '/sign-in' && document.readyState === 'complete'")
	}
	offered := func(want string) {
		t.Helper()
		c.until("document.querySelector('#text') && document.readyState === 'complete'")
		c.until(fmt.Sprintf("document.querySelector('#text')?.value === %q && !document.querySelector('[data-begun]').hidden", want))
	}

	w := b.as("lea")
	c.enter(w)
	c.look(1280, "light")
	c.open(ticket)
	c.press("n")
	c.at("text")
	c.write("One")
	kept("One")

	// The session ends while she types; what she types afterwards is in the tab.
	w.post("/sign-out")
	c.write(", two")
	c.call("Page.navigate", map[string]any{"url": ticket}, nil)
	signIn("lea")
	offered("One, two")
	kept("One, two")
	if kind := c.eval("document.querySelector('#work').elements.kind.value"); kind != "note" {
		t.Errorf("the note became a %s: all would read it", kind)
	}
	for _, barrier := range c.barriers() {
		t.Error(barrier)
	}
	c.keep("draft")

	// The collector is started anew meanwhile.
	stop()
	c.eval("document.querySelector('#text').focus(); document.querySelector('#text').setSelectionRange(99, 99)")
	c.write(", three")
	c.eval("document.querySelector('#text').blur()")
	_, stop = b.serve(at)
	t.Cleanup(func() { stop() })
	c.open(ticket)
	offered("One, two, three")
	kept("One, two, three")

	// Signed out, it is nobody's who signs in on this machine, and offered in any
	// browser to who wrote it.
	c.eval("document.querySelector('form[action=\"/sign-out\"]').requestSubmit()")
	signIn("marc")
	c.open(ticket)
	if text := c.eval("document.querySelector('#text').value + document.querySelector('[data-begun]').hidden"); text != "true" {
		t.Errorf("a colleague is offered %q", text)
	}
	c.eval("document.querySelector('form[action=\"/sign-out\"]').requestSubmit()")
	c.until("location.pathname === '/sign-in' && document.readyState === 'complete'")
	c.eval("sessionStorage.clear()")
	signIn("lea")
	c.open(ticket)
	offered("One, two, three")
	c.eval("document.querySelector('#text').focus()")
	c.press("Control+Enter")
	c.until("document.querySelector('.timeline')?.innerText.includes('One, two, three') && document.readyState === 'complete'")
	kept("")
	c.open(ticket)
	if text := c.eval("document.querySelector('#text').value + document.querySelector('[data-begun]').hidden + Object.keys(sessionStorage).filter(key => key.startsWith('draft:')).length"); text != "true0" {
		t.Errorf("what was sent is offered again: %q", text)
	}

	// What is not wanted any more goes by a button.
	c.press("n")
	c.at("text")
	c.write("Never mind")
	kept("Never mind")
	c.open(ticket)
	offered("Never mind")
	c.eval("document.querySelector('[data-begun] button').focus()")
	c.press("Enter")
	c.until("document.querySelector('[data-begun]')?.hidden && document.querySelector('#text').value === '' && document.readyState === 'complete'")
	kept("")
}
