package console

import (
	"fmt"
	"strings"
	"testing"

	"constat/collector/desk/plausible"
)

// A ticket goes its whole way without a mouse: signed in, found in the queue,
// taken, a diagnosis pulled, noted, answered, solved with what helped, and a
// new one made, in both languages and on a phone's width.
func TestTicketByKeyboardInChromium(t *testing.T) {
	looks := []struct {
		language, scheme string
		width            int
		answered, solved string
	}{
		{"en", "light", 1280, "Is it printing now?", "Solved"},
		{"fr", "dark", 380, "Est-ce que ça imprime maintenant ?", "Résolu"},
	}
	for _, look := range looks {
		t.Run(look.language, func(t *testing.T) {
			c := startChromium(t)
			b := newBench(t)
			endpoint, number := b.machineAsks("port-090", "Yann Le Goff", "L'imprimante ne sort rien.", "printing", printerDiagnosis)
			b.machineAsks("compta-07", "Claire Martin", "Rien ne s'ouvre.", "internet", dnsDiagnosis)
			held := make(chan struct{})
			close(held)
			c.Look(look.width, look.scheme)
			c.Open(b.address + "/sign-in")
			c.Eval("document.cookie = 'constat-language=" + look.language + "; path=/'")
			c.Open(b.address + "/sign-in")

			c.At("name")
			c.Write("marc")
			c.Press("Tab")
			c.At("password")
			c.Write(password)
			c.Press("Enter")
			c.Until("location.pathname === '/tickets'")

			// The list: the newest first, so that ours is the second.
			c.Press("j", "j", "k", "j", "Enter")
			ticket := fmt.Sprintf("/tickets/%d", number)
			c.Until("location.pathname === '" + ticket + "'")

			c.Press("i")
			c.Until("document.querySelector('#assignee')?.value === 'marc'")

			c.Press("d")
			finished := b.answer(endpoint, held)
			c.Until("document.querySelector('#run')?.innerText.length > 0 && location.search.includes('run=')")
			if err := <-finished; err != nil {
				t.Fatal(err)
			}

			c.Press("n")
			c.At("text")
			c.Write("Paul changed the paper at noon. r n i d ? are letters here.")
			c.Press("Control+Enter")
			c.Until("document.querySelector('.timeline')?.innerText.includes('Paul changed the paper at noon. r n i d ?')")

			c.Press("r")
			c.At("text")
			c.Write(look.answered)
			c.Press("Escape", "h")
			c.At("resolution")
			c.Write("Resumed the queue.")
			c.Press("Escape", "s")
			c.At("status")
			for range statuses {
				if c.Eval("document.querySelector('#status').value") != "solved" {
					c.Press("Down")
				}
			}
			c.Press("Control+Enter")
			c.Until("document.querySelector('#ticket-head')?.innerText.includes('" + look.solved + "')")
			found, err := b.desk.Ticket(t.Context(), int32(number))
			if err != nil {
				t.Fatal(err)
			}
			if got := found.GetTicket(); got.GetAssignee() != "marc" || got.GetStatus() != "solved" || got.GetResolution() != "Resumed the queue." {
				t.Errorf("the ticket is %s, has %q, helped %q", got.GetStatus(), got.GetAssignee(), got.GetResolution())
			}
			said := map[string]string{}
			for _, entry := range found.GetTimeline() {
				said[entry.GetKind()] += entry.GetText()
			}
			if !strings.Contains(said["note"], "Paul") || said["message"] == "" || !strings.Contains(said["message"], look.answered) {
				t.Errorf("notes %q, messages %q", said["note"], said["message"])
			}

			// What helped becomes an article.
			c.Press("w")
			c.Until("location.pathname === '/articles/new'")
			c.Press("t")
			c.At("title-" + look.language)
			c.Press("Control+Enter")
			c.Until("/^.articles.[0-9a-f-]+$/.test(location.pathname) && document.body.innerText.includes('Resumed the queue.')")

			// Back, and a ticket for somebody on the phone.
			c.Press("g", "t")
			c.Until("location.pathname === '/tickets'")
			c.Press("/")
			c.At("q")
			c.Write("nothinglikethis")
			c.Until("!document.querySelector('.ticket-line')")
			c.Press("Escape", "g", "t")
			c.Until("location.search === '' && document.querySelector('.ticket-line')")
			c.Press("c")
			c.Until("location.pathname === '/tickets/new'")
			c.Press("r")
			c.At("requester")
			c.Write("Inès Roy")
			c.Press("Escape", "t")
			c.At("text")
			c.Write("The dock's screen stays black.")
			c.Press("Control+Enter")
			c.Until("/^.tickets.[0-9]+$/.test(location.pathname) && document.body.innerText.includes('Inès Roy')")
			c.Quiet("the way of a ticket")
		})
	}
}

// What `?` shows is what the page has, and single keys can be turned off.
func TestKeysAreShownAndCanBeTurnedOff(t *testing.T) {
	c := startChromium(t)
	b := newBench(t)
	_, number := b.machineAsks("port-090", "Yann Le Goff", "L'imprimante ne sort rien.", "printing", printerDiagnosis)
	c.enter(b.as("marc"))
	c.Look(1280, "light")
	c.Open(b.address + fmt.Sprintf("/tickets/%d", number))
	c.Press("?")
	c.Until("document.querySelector('#keys').open")
	shown := c.Eval("document.querySelector('#keys').innerText")
	for _, want := range []string{"Tickets", "Assign to me", "Status", "Internal note"} {
		if !strings.Contains(shown, want) {
			t.Errorf("the keys do not name %q:\n%s", want, shown)
		}
	}
	if found := c.Barriers(); len(found) > 0 {
		t.Errorf("the keys: %q", found)
	}
	c.Keep("keys")
	c.Press("Tab", "Space", "Escape")
	c.Until("!document.querySelector('#keys').open")
	c.Press("n")
	if at := c.Eval("document.activeElement.id"); at == "text" {
		t.Error("a key that was turned off still works")
	}
	c.Press("?")
	c.Until("document.querySelector('#keys').open")
	c.Quiet("the keys")
}

// A key leads to what is to be filled in, also in a fold, and to the tickets that were
// chosen; lists of all kinds are walked; and a search that finds nothing takes nobody
// away from what they write.
func TestKeysReachEverythingInChromium(t *testing.T) {
	c := startChromium(t)
	b := newBench(t)
	endpoint, number := b.machineAsks("port-090", "Yann Le Goff", "L'imprimante ne sort rien.", "printing", printerDiagnosis)
	c.enter(b.as("lea"))
	c.Open(b.address + "/endpoints")
	c.Press("j", "Enter")
	c.Until("location.pathname === '/endpoints/" + endpoint + "'")
	c.Press("u")
	c.Until("location.pathname === '/endpoints'")
	c.Press("/")
	c.At("q")

	c.Open(b.address + "/tickets")
	c.Press("j", "x", "b")
	c.At("bulk-status")
	c.Press("Escape", "o")
	c.Until("document.activeElement.name === 'columns'")

	ticket := fmt.Sprintf("/tickets/%d", number)
	c.Open(b.address + ticket)
	for key, field := range map[string]string{"l": "link-kind", "e": "about-name", "m": "into", "t": "tags"} {
		c.Press(key)
		c.At(field)
		c.Press("Escape")
	}
	c.Press("r")
	c.At("text")
	c.Write("half a sentence")
	c.Press("Escape", "c")
	c.At("answer-search")
	c.Write("nothing is called so")
	c.Press("Enter")
	c.Press("Escape")
	c.At("text")
	if got := c.Eval("location.pathname + ' ' + document.querySelector('#text').value"); got != ticket+" half a sentence" {
		t.Errorf("the search led to %s", got)
	}
	c.Quiet("keys")
}

// Another machine and a device of the network come to a ticket and leave it by the
// keyboard, and are in the page that the list of keys searches.
func TestConcernedByKeyboardInChromium(t *testing.T) {
	c := startChromium(t)
	b := newBench(t)
	second, _ := b.machineAsks("port-091", "Claire Martin", "Rien ne sort.", "printing", printerDiagnosis)
	_, number := b.machineAsks("port-090", "Yann Le Goff", "L'imprimante ne sort rien.", "printing", printerDiagnosis)
	c.enter(b.as("marc"))
	ticket := fmt.Sprintf("%s/tickets/%d", b.address, number)
	c.Open(ticket)
	add := func(name string) {
		c.Press("v")
		c.At("concerned")
		c.Write(name)
		c.Press("Enter")
	}
	add("port-091")
	c.Until("document.querySelector('#ticket-side')?.innerText.includes('port-091')")
	c.Quiet("a ticket that names a machine")
	c.isGood(b, map[string]string{"concerned": fmt.Sprintf("/tickets/%d", number)})
	c.Open(b.address + "/endpoints/" + second)
	c.Until("document.body.innerText.includes('#" + fmt.Sprint(number) + "')")
	c.Open(ticket)
	c.Press("x", "1")
	c.Until("!document.querySelector('#ticket-side')?.innerText.includes('port-091') && document.querySelector('.timeline').innerText.includes('port-091')")
	add("nowhere")
	c.Until("document.querySelector('#concern .notice')?.innerText.includes('nowhere')")
}

// What somebody on the phone asks for by a form is made and worked without a mouse: the
// form and its fields, what has to be done, the answer, solved.
func TestRequestByKeyboardInChromium(t *testing.T) {
	for _, look := range []struct {
		language, form, choice, solved string
	}{
		{"en", "Access to a shared folder", "Write", "Solved"},
		{"fr", "Accès à un dossier partagé", "Écrire", "Résolu"},
	} {
		t.Run(look.language, func(t *testing.T) {
			c := startChromium(t)
			b := newBench(t)
			ines := b.lead()
			for _, source := range plausible.Forms {
				ines.requestForm(source)
			}
			c.enter(b.as("marc"))
			c.Open(b.address + "/tickets")
			c.Eval("document.cookie = 'constat-language=" + look.language + "; path=/'")
			c.Open(b.address + "/tickets")
			c.Press("c")
			c.Until("location.pathname === '/tickets/new'")
			here := "document.activeElement?.innerText.trim() === '" + look.form + "'"
			for range 40 {
				if c.Eval(here) == "true" {
					break
				}
				c.Press("Tab")
			}
			if c.Eval(here) != "true" {
				t.Fatal("the form is not reached by the keyboard")
			}
			c.Press("Enter")
			c.Until("location.search.startsWith('?form=')")
			c.Press("r")
			c.At("requester")
			c.Write("Inès Roy")
			c.Press("Tab", "Tab")
			c.At("ask-folder")
			c.Write("Payroll 2026")
			c.Press("Tab")
			c.At("ask-right")
			c.Press("Down", "Down")
			c.Press("Control+Enter")
			c.Until("/^.tickets.[0-9]+$/.test(location.pathname) && document.querySelector('.timeline').innerText.includes('" + look.choice + "')")
			for _, key := range []string{"1", "2"} {
				c.Press("y", key)
				c.Until("document.querySelectorAll('.check[aria-pressed=true]').length === " + key)
			}
			c.Press("r")
			c.At("text")
			c.Write("You can write there now.")
			c.Press("Escape", "s")
			c.At("status")
			for range statuses {
				if c.Eval("document.querySelector('#status').value") != "solved" {
					c.Press("Down")
				}
			}
			c.Press("Control+Enter")
			c.Until("document.querySelector('#ticket-head')?.innerText.includes('" + look.solved + "')")
			c.Quiet("the way of a request")
		})
	}
}
