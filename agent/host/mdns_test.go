package host

import (
	"net"
	"testing"

	"golang.org/x/net/dns/dnsmessage"

	constatv1 "constat/proto/constat/v1"
)

// announcedPrinter is what a printer answers, by two services.
func announcedPrinter(t testing.TB) []byte {
	t.Helper()
	name := func(text string) dnsmessage.Name { return dnsmessage.MustNewName(text) }
	header := func(text string, kind dnsmessage.Type) dnsmessage.ResourceHeader {
		return dnsmessage.ResourceHeader{Name: name(text), Type: kind, Class: dnsmessage.ClassINET, TTL: 120}
	}
	m := dnsmessage.Message{
		Header: dnsmessage.Header{Response: true, Authoritative: true},
		Answers: []dnsmessage.Resource{
			{Header: header("_ipp._tcp.local.", dnsmessage.TypePTR), Body: &dnsmessage.PTRResource{PTR: name("Office Printer._ipp._tcp.local.")}},
			{Header: header("_ipps._tcp.local.", dnsmessage.TypePTR), Body: &dnsmessage.PTRResource{PTR: name("Office Printer._ipps._tcp.local.")}},
			{Header: header("_http._tcp.local.", dnsmessage.TypePTR), Body: &dnsmessage.PTRResource{PTR: name("A web page._http._tcp.local.")}},
		},
		Additionals: []dnsmessage.Resource{
			{Header: header("Office Printer._ipp._tcp.local.", dnsmessage.TypeTXT), Body: &dnsmessage.TXTResource{TXT: []string{"txtvers=1", "UUID=ABCD-1"}}},
			{Header: header("Office Printer._ipp._tcp.local.", dnsmessage.TypeSRV), Body: &dnsmessage.SRVResource{Port: 631, Target: name("printer.local.")}},
			{Header: header("printer.local.", dnsmessage.TypeA), Body: &dnsmessage.AResource{A: [4]byte{192, 0, 2, 9}}},
		},
	}
	packet, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	return packet
}

func TestHearPrinters(t *testing.T) {
	us, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer us.Close()
	printer, err := net.Dial("udp4", us.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer printer.Close()
	question, err := printersQuestion()
	if err != nil {
		t.Fatal(err)
	}
	for _, packet := range [][]byte{announcedPrinter(t), []byte("noise"), question} { // another's question is no answer
		if _, err := printer.Write(packet); err != nil {
			t.Fatal(err)
		}
	}
	found := hearPrinters(t.Context(), us)
	if len(found.names) != 1 || found.at["abcd-1"] != "192.0.2.9:631" {
		t.Errorf("found %+v", found)
	}
	moved := &constatv1.Printer{Connection: set("network"), Address: set("192.0.2.7:631"), Reachable: set(false)}
	fine := &constatv1.Printer{Connection: set("network"), Address: set("192.0.2.8:631"), Reachable: set(true), Uuid: set("abcd-1")}
	found.locate([]*constatv1.Printer{moved, fine}, map[string]string{"192.0.2.7:631": "ABCD-1"})
	told(t, &constatv1.Snapshot{Printing: &constatv1.Printing{Printers: []*constatv1.Printer{moved}}})
	if moved.GetFoundAt() != "192.0.2.9:631" || fine.FoundAt != nil {
		t.Errorf("moved %v, fine %v", moved, fine)
	}
	// A queue that knows but an address: what answered there is remembered.
	silent := &constatv1.Printer{Connection: set("network"), Address: set("192.0.2.6:631"), Reachable: set(false)}
	fine.Uuid = set("other")
	recallPrinters([]*constatv1.Printer{silent, fine}, map[string]string{"192.0.2.6:631": "abcd-1", "192.0.2.8:631": "abcd-2"})
	found.locate([]*constatv1.Printer{silent}, nil)
	if silent.GetFoundAt() != "192.0.2.9:631" || fine.GetUuid() != "other" {
		t.Errorf("silent %v, fine %v", silent, fine)
	}
}

func FuzzAnnouncedPrinters(f *testing.F) {
	f.Add(announcedPrinter(f))
	f.Fuzz(func(t *testing.T, packet []byte) {
		d := &discovered{names: map[string]bool{}, at: map[string]string{}}
		d.add(packet)
		if len(d.names) > maxDiscovered || len(d.at) > maxDiscovered {
			t.Error("more than the limit")
		}
	})
}
