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
	c.Look(1280, "light")
	c.Open(b.address + ticket)
	c.Press("r")
	c.At("text")
	c.Write("So: ")
	c.Press("Escape", "c")
	c.At("answer-search")
	c.Until("document.querySelectorAll('#answer-list [data-insert]').length === 3")
	c.Write("redem")
	c.Until("document.querySelectorAll('#answer-list [data-insert]').length === 1")
	c.Press("Enter")
	c.At("text")
	c.Until("document.querySelector('#text').value === 'So: Bonjour Yann Le Goff, redémarrez port-112.'")
	c.Press("Control+Enter")
	c.Until("document.querySelector('.timeline')?.innerText.includes('redémarrez port-112') && document.querySelector('#text').value === ''")
	c.Quiet("the answered ticket")

	c.Open(b.address + fmt.Sprintf("/tickets/%d", plain))
	c.Press("c")
	c.At("answer-search")
	c.Write("restart")
	c.Until("document.querySelectorAll('#answer-list [data-insert]').length === 1")
	c.Press("Down", "Enter")
	c.At("text")
	c.Until("getSelection().toString() === '{endpoint.hostname}' || document.querySelector('#text').value.slice(document.querySelector('#text').selectionStart, document.querySelector('#text').selectionEnd) === '{endpoint.hostname}'")
	c.Write("your machine")
	c.Until("document.querySelector('#text').value.endsWith('restart your machine.')")

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
		c.Look(380, scheme)
		for name, path := range pages {
			c.Open(b.address + path)
			for _, barrier := range c.Barriers() {
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
	c.Look(1280, "light")
	c.Open(b.address + "/tickets/new?form=" + id)
	c.Press("r")
	c.At("requester")
	c.Write("Yann")
	c.Press("Tab", "Tab")
	c.At("ask-model")
	c.Press("Down", "Tab")
	c.Eval("document.querySelector('#ask-needed-by').value = '2031-05-04'")
	c.Eval("document.querySelector('#ask-why').focus()")
	c.Write("The old one is slow")
	c.Press("Control+Enter")
	c.Until("location.pathname.startsWith('/tickets/') && document.body?.innerText.includes('Model: Light')")
	c.Press("y", "1")
	c.Until("document.querySelector('.check')?.getAttribute('aria-pressed') === 'true'")
	c.isGood(b, map[string]string{
		"forms": "/forms", "form-new": "/forms/new", "form": "/forms/" + id, "ticket-by-form": "/tickets/new?form=" + id, "ticket-checklist": "/tickets/1",
	})
}
