package printermib

import (
	"fmt"
	"net"
	"strconv"
	"sync"
	"testing"
	"unicode/utf8"

	"github.com/gosnmp/gosnmp"
	"google.golang.org/protobuf/proto"

	"constat/internal/snmp"
	constatv1 "constat/proto/constat/v1"
)

// Whatever a device says, the alert that the waste is full is what tells it, and
// a level that is not told is neither empty nor low.
func TestSupplies(t *testing.T) {
	for name, c := range map[string]struct {
		supply *constatv1.Supply
		code   int32
		want   string
	}{
		"full by its alert":   {&constatv1.Supply{Kind: proto.String("wasteToner")}, 1109, "full"},
		"the ink is not":      {&constatv1.Supply{Kind: proto.String("wasteInk")}, 1109, "unknown"},
		"an alert of another": {&constatv1.Supply{Kind: proto.String("toner")}, 1109, "unknown"},
	} {
		if got := (tables{}).supplyState("1.1", c.supply, []*constatv1.PrinterAlert{{Code: &c.code}}); got != c.want {
			t.Errorf("%s: %s", name, got)
		}
	}
}

// FuzzRead lets a device answer with objects of its own choice: below what was
// asked, at any index, of any type. What the bytes of an answer may be is tried
// where they are decoded.
func FuzzRead(f *testing.F) {
	f.Add([]byte("\x00\x01\x05\x01\x02\x04toner\x02\x00\x03"))
	f.Add([]byte{3, 3, 3, 0, 1, 0xff, 1, 0, 2, 9, 0, 0, 0, 1, 0xfe})
	device, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { device.Close() })
	var mutex sync.Mutex
	var choices []byte
	go func() {
		codec := gosnmp.GoSNMP{Version: gosnmp.Version2c, Community: "public"}
		question := make([]byte, 65535)
		for {
			n, from, err := device.ReadFrom(question)
			if err != nil {
				return
			}
			request, err := codec.SnmpDecodePacket(question[:n])
			if err != nil {
				continue
			}
			mutex.Lock()
			request.PDUType = gosnmp.GetResponse
			request.Variables, choices = chosen(request.Variables, choices)
			mutex.Unlock()
			request.NonRepeaters, request.MaxRepetitions = 0, 0
			if raw, err := request.MarshalMsg(); err == nil {
				_, _ = device.WriteTo(raw, from)
			}
		}
	}()
	f.Fuzz(func(t *testing.T, content []byte) {
		mutex.Lock()
		choices = content
		mutex.Unlock()
		session, err := snmp.Open(t.Context(), device.LocalAddr().String(), snmp.Credentials{Community: "public"}, snmp.Patience{Objects: 500})
		if err != nil {
			t.Fatal(err)
		}
		defer session.Close()
		printer, description, _ := Read(t.Context(), session)
		if !utf8.ValidString(description) || len(printer.GetAlerts()) > maxRows || len(printer.GetSupplies()) > maxRows || len(printer.GetTrays()) > maxRows {
			t.Errorf("%q, %v", description, printer)
		}
	})
}

// chosen are what follows the objects, as the content says, and what is left of
// it; where it ends, all tables do.
func chosen(asked []gosnmp.SnmpPDU, content []byte) (objects []gosnmp.SnmpPDU, left []byte) {
	take := func(n int) []byte {
		n = min(n, len(content))
		b := content[:n]
		content = content[n:]
		return b
	}
	for _, a := range asked {
		b := take(3)
		if len(b) < 3 {
			objects = append(objects, gosnmp.SnmpPDU{Name: a.Name, Type: gosnmp.EndOfMibView})
			continue
		}
		o := gosnmp.SnmpPDU{Name: fmt.Sprintf("%s.%d", a.Name, b[1])}
		switch b[0] % 4 {
		case 0:
			o.Type, o.Value = gosnmp.Integer, int(int8(b[2]))
		case 1:
			o.Type, o.Value = gosnmp.OctetString, take(int(b[2]))
		case 2:
			o.Type, o.Value = gosnmp.Counter64, uint64(1)<<(b[2]%64)
		case 3:
			o.Type, o.Value = gosnmp.ObjectIdentifier, ".1.3.6.1.2.1.25.3.1."+strconv.Itoa(int(b[2]%8))
		}
		objects = append(objects, o)
	}
	return objects, content
}
