package console

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"testing"

	"constat/collector/desk"
	deskv1 "constat/proto/constat/desk/v1"
)

// serve starts a console of its own on the bench's desk at an address, as a
// collector does that was just started. stop ends it as a restart would: the
// connections that are open are cut.
func (b *bench) serve(address string) (at string, stop func()) {
	b.Helper()
	listener, err := net.Listen("tcp", address)
	if err != nil {
		b.Fatal(err)
	}
	stopping, end := context.WithCancel(context.Background())
	server := &http.Server{Handler: New(b.desk, b.accounts, b.catalog, Options{Store: b.store, Stopping: stopping})}
	done := make(chan struct{})
	go func() { defer close(done); _ = server.Serve(listener) }()
	return listener.Addr().String(), func() {
		end()
		server.Close()
		<-done
	}
}

// A page that is open while the collector restarts goes on: who looks at it stays
// signed in, what they typed stays, what happened meanwhile is shown, and what
// they send next is saved.
func TestPageSurvivesARestartInChromium(t *testing.T) {
	c := startChromium(t)
	b := newBench(t)
	_, number := b.machineAsks("compta-07", "Claire Martin", "Rien ne s'ouvre.", "internet", dnsDiagnosis)
	at, stop := b.serve("127.0.0.1:0")
	b.address = "http://" + at
	marc := b.as("marc")
	c.enter(marc)
	c.Look(1280, "light")
	c.Open(b.address + fmt.Sprintf("/tickets/%d", number))
	c.Press("n")
	c.At("text")
	c.Write("Half a sentence")

	stop()
	if _, err := b.desk.AddEntry(t.Context(), desk.Actor{ID: "9", Name: "Ada", Role: "technician"}, &deskv1.AddEntryRequest{
		Number: int32(number), Id: newID(), Kind: "note", Text: "Written while nobody served",
	}); err != nil {
		t.Fatal(err)
	}
	_, stop = b.serve(at)
	t.Cleanup(func() { stop() })

	c.Until("document.querySelector('.timeline')?.innerText.includes('Written while nobody served')")
	if kept := c.Eval("document.querySelector('#text').value + ' ' + document.activeElement.id"); kept != "Half a sentence text" {
		t.Errorf("what was typed became %q", kept)
	}
	c.Write(", and its end.")
	c.Press("Control+Enter")
	c.Until("document.querySelector('.timeline')?.innerText.includes('Half a sentence, and its end.')")
}
