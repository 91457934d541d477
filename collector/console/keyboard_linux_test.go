package console

import (
	"fmt"
	"strings"
	"testing"
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
			c.look(look.width, look.scheme)
			c.open(b.address + "/sign-in")
			c.eval("document.cookie = 'constat-language=" + look.language + "; path=/'")
			c.open(b.address + "/sign-in")

			c.at("name")
			c.write("marc")
			c.press("Tab")
			c.at("password")
			c.write(password)
			c.press("Enter")
			c.until("location.pathname === '/tickets' && document.readyState === 'complete'")

			// The list: the newest first, so that ours is the second.
			c.press("j", "j", "k", "j", "Enter")
			ticket := fmt.Sprintf("/tickets/%d", number)
			c.until("location.pathname === '" + ticket + "' && document.readyState === 'complete'")

			c.press("i")
			c.until("document.querySelector('#assignee')?.value === 'marc' && document.readyState === 'complete'")

			c.press("d")
			finished := b.answer(endpoint, held)
			c.until("document.querySelector('#run')?.innerText.length > 0 && location.search.includes('run=')")
			if err := <-finished; err != nil {
				t.Fatal(err)
			}

			c.press("n")
			c.at("text")
			c.write("Paul changed the paper at noon. r n i d ? are letters here.")
			c.press("Control+Enter")
			c.until("document.querySelector('.timeline')?.innerText.includes('Paul changed the paper at noon. r n i d ?') && document.readyState === 'complete'")

			c.press("r")
			c.at("text")
			c.write(look.answered)
			c.press("Escape", "h")
			c.at("resolution")
			c.write("Resumed the queue.")
			c.press("Escape", "s")
			c.at("status")
			for range statuses {
				if c.eval("document.querySelector('#status').value") != "solved" {
					c.press("Down")
				}
			}
			c.press("Control+Enter")
			c.until("document.querySelector('#ticket-head')?.innerText.includes('" + look.solved + "') && document.readyState === 'complete'")
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
			c.press("w")
			c.until("location.pathname === '/articles/new' && document.readyState === 'complete'")
			c.press("t")
			c.at("title-" + look.language)
			c.press("Control+Enter")
			c.until("/^.articles.[0-9a-f-]+$/.test(location.pathname) && document.readyState === 'complete' && document.body.innerText.includes('Resumed the queue.')")

			// Back, and a ticket for somebody on the phone.
			c.press("g", "t")
			c.until("location.pathname === '/tickets' && document.readyState === 'complete'")
			c.press("/")
			c.at("q")
			c.write("nothinglikethis")
			c.until("!document.querySelector('.ticket-line')")
			c.press("Escape", "g", "t")
			c.until("location.search === '' && document.querySelector('.ticket-line') && document.readyState === 'complete'")
			c.press("c")
			c.until("location.pathname === '/tickets/new' && document.readyState === 'complete'")
			c.press("r")
			c.at("requester")
			c.write("Inès Roy")
			c.press("Escape", "t")
			c.at("text")
			c.write("The dock's screen stays black.")
			c.press("Control+Enter")
			c.until("/^.tickets.[0-9]+$/.test(location.pathname) && document.readyState === 'complete' && document.body.innerText.includes('Inès Roy')")
			c.quiet("the way of a ticket")
		})
	}
}

// What `?` shows is what the page has, and single keys can be turned off.
func TestKeysAreShownAndCanBeTurnedOff(t *testing.T) {
	c := startChromium(t)
	b := newBench(t)
	_, number := b.machineAsks("port-090", "Yann Le Goff", "L'imprimante ne sort rien.", "printing", printerDiagnosis)
	c.enter(b.as("marc"))
	c.look(1280, "light")
	c.open(b.address + fmt.Sprintf("/tickets/%d", number))
	c.press("?")
	c.until("document.querySelector('#keys').open")
	shown := c.eval("document.querySelector('#keys').innerText")
	for _, want := range []string{"Tickets", "Assign to me", "Status", "Internal note"} {
		if !strings.Contains(shown, want) {
			t.Errorf("the keys do not name %q:\n%s", want, shown)
		}
	}
	if found := c.barriers(); len(found) > 0 {
		t.Errorf("the keys: %q", found)
	}
	c.keep("keys")
	c.press("Tab", "Space", "Escape")
	c.until("!document.querySelector('#keys').open")
	c.press("n")
	if at := c.eval("document.activeElement.id"); at == "text" {
		t.Error("a key that was turned off still works")
	}
	c.press("?")
	c.until("document.querySelector('#keys').open")
	c.quiet("the keys")
}
