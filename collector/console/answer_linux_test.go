package console

import (
	"fmt"
	"testing"
)

// An answer goes into a reply without a mouse: a key, a word, Enter; what has no
// value is marked, so that it is typed over.
func TestAnswerByKeyboardInChromium(t *testing.T) {
	c := startChromium(t)
	b := newBench(t)
	_, number := b.machineAsks("port-112", "Yann Le Goff", "Mes documents restent dans la file.", "printing", printerDiagnosis)
	plain := b.ask("My mouse is gone")
	ines := b.lead()
	address := ines.answer("whose", "team", "title", "Restart", "body", "Hello {requester.name}, restart {endpoint.hostname}.", "language", "fr", "title", "Redémarrer le poste", "body", "Bonjour {requester.name}, redémarrez {endpoint.hostname}.")
	ines.answer("whose", "team", "title", "Another one", "body", "Thank you.")
	c.enter(ines)

	ticket := fmt.Sprintf("/tickets/%d", number)
	c.look(1280, "light")
	c.open(b.address + ticket)
	c.press("r")
	c.at("text")
	c.write("So: ")
	c.press("Escape", "c")
	c.at("answer-search")
	c.until("document.querySelectorAll('#answer-list [data-insert]').length === 3")
	c.write("redem")
	c.until("document.querySelectorAll('#answer-list [data-insert]').length === 1")
	c.press("Enter")
	c.at("text")
	c.until("document.querySelector('#text').value === 'So: Bonjour Yann Le Goff, redémarrez port-112.'")
	c.press("Control+Enter")
	c.until("document.querySelector('.timeline')?.innerText.includes('redémarrez port-112') && document.querySelector('#text').value === ''")
	c.quiet("the answered ticket")

	c.open(b.address + fmt.Sprintf("/tickets/%d", plain))
	c.press("c")
	c.at("answer-search")
	c.write("restart")
	c.until("document.querySelectorAll('#answer-list [data-insert]').length === 1")
	c.press("Down", "Enter")
	c.at("text")
	c.until("getSelection().toString() === '{endpoint.hostname}' || document.querySelector('#text').value.slice(document.querySelector('#text').selectionStart, document.querySelector('#text').selectionEnd) === '{endpoint.hostname}'")
	c.write("your machine")
	c.until("document.querySelector('#text').value.endsWith('restart your machine.')")

	pages := map[string]string{
		"answers": "/answers", "answer": address, "answer-new": "/answers/new", "ticket-answers": ticket + "/answers", "ticket-answers-missing": fmt.Sprintf("/tickets/%d/answers", plain),
	}
	c.isGood(b, pages)
}

// isGood looks at pages as looksWell does, and with axe-core on a phone.
func (c *chromium) isGood(b *bench, pages map[string]string) {
	c.Helper()
	c.looksWell(b, pages)
	for _, scheme := range []string{"light", "dark"} {
		c.look(380, scheme)
		for name, path := range pages {
			c.open(b.address + path)
			for _, barrier := range c.barriers() {
				c.Errorf("%s, %s: %s", name, scheme, barrier)
			}
		}
	}
}

// A service request is asked for by its form, and ticked off, without a mouse.
func TestRequestFormsInChromium(t *testing.T) {
	c := startChromium(t)
	b := newBench(t)
	ines := b.lead()
	id := ines.requestForm(formExample)
	c.enter(ines)
	c.look(1280, "light")
	c.open(b.address + "/tickets/new?form=" + id)
	c.press("r")
	c.at("requester")
	c.write("Yann")
	c.press("Tab", "Tab")
	c.at("ask-model")
	c.press("Down", "Tab")
	c.eval("document.querySelector('#ask-needed-by').value = '2031-05-04'")
	c.eval("document.querySelector('#ask-why').focus()")
	c.write("The old one is slow")
	c.press("Control+Enter")
	c.until("location.pathname.startsWith('/tickets/') && document.body?.innerText.includes('Model: Light') && document.readyState === 'complete'")
	c.press("y", "1")
	c.until("document.querySelector('.check')?.getAttribute('aria-pressed') === 'true'")
	c.isGood(b, map[string]string{
		"forms": "/forms", "form-new": "/forms/new", "form": "/forms/" + id, "ticket-by-form": "/tickets/new?form=" + id, "ticket-checklist": "/tickets/1",
	})
}
