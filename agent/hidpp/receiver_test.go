package hidpp

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// script is a receiver: answers by question, both in hexadecimal, several
// reports with blanks between. A question that is not in it gets the error that
// receivers give to what they don't know; "silent" gets none.
type script map[string]string

// unifying has a keyboard of HID++ 2.0 nearby, a mouse of HID++ 1.0, and a mouse
// that is switched off.
var unifying = script{
	// A mouse moves and the kernel gets an answer before we get ours.
	"10ff8102000000": "0201000300000000 110105010102030405060708090a0b0c0d0e0f10 10ff8102000300",
	"10ff81f1010000": "10ff81f1011211", "10ff81f1020000": "10ff81f1020032",
	"10ff83b5030000": "11ff83b503c8a1b2c300060000000000000000ff",
	// 1: keyboard 4024
	"10ff83b5200000": "11ff83b520081440240401010000000000000000",
	"10ff83b5300000": "11ff83b530874eab121e40000002000000000000",
	"10ff83b5400000": "11ff83b540044b383030ffffffffffffffffffff",
	"1001001b00005a": "1101001b04055a00000000000000000000000000",
	"1001000b000500": "1101000b03000000000000000000000000000000",
	"1001030b000000": "1101030b18000000000000000000000000000000",
	"1001031b000000": "1101031b576972656c657373204b6579626f6172",
	"1001031b100000": "1101031b64204b38303000000000000000000000",
	"1001000b000300": "1101000b02000000000000000000000000000000",
	"1001020b000000": "1101020b02000000000000000000000000000000",
	"1001021b000000": "1101021b01424c20000100000000000000000000",
	"1001021b010000": "1101021b0052424b280100150000000000000000",
	"1001000b100400": "1101000b06000000000000000000000000000000",
	"1001061b000000": "1101061b37040000000000000000000000000000",
	// 2: mouse 101b, HID++ 1.0
	"10ff83b5210000": "11ff83b5210808101b0402020000000000000000",
	"10ff83b5410000": "11ff83b541044d373035ffffffffffffffffffff",
	"1002001b00005a": "10028f001b0100",
	"1002810d000000": "10028f810d0200",
	"10028107000000": "10028107030000",
	// 3: mouse 4082, switched off
	"10ff83b5220000": "11ff83b5220808408204020200000000000000ff",
	"10ff83b5320000": "11ff83b532a1b2c3d41e40000001000000000000",
	"10ff83b5420000": "11ff83b5420b4d58204d617374657220333300ff",
	"1003001b00005a": "10038f001b0900",
}

// bolt has a keyboard that sleeps.
var bolt = script{
	"10ff8102000000": "10ff8102000100",
	"10ff81f1010000": "10ff81f1010503", "10ff81f1020000": "10ff81f1020014",
	"10ff83b5510000": "11ff83b55101628b11223344010000000000000f",
	"10ff83b5610100": "11ff83b561010c4d58204b65797320532042ffff",
	"1001001b00005a": "silent",
}

// play answers questions on c until it closes.
func (s script) play(c net.Conn) {
	var question [shortLength]byte
	for {
		if _, err := io.ReadFull(c, question[:]); err != nil {
			return
		}
		reports, known := s[hex.EncodeToString(question[:])]
		if !known {
			reports = hex.EncodeToString([]byte{shortReport, question[1], errorReport, question[2], question[3], 0x02, 0})
		}
		for _, report := range strings.Fields(reports) {
			raw, err := hex.DecodeString(report)
			if err != nil { // "silent"
				continue
			}
			if _, err := c.Write(raw); err != nil {
				return
			}
		}
	}
}

func connect(t *testing.T, s script) Device {
	t.Helper()
	ours, theirs := net.Pipe()
	go s.play(theirs)
	t.Cleanup(func() { ours.Close(); theirs.Close() })
	return ours
}

func TestUnifyingReceiver(t *testing.T) {
	got, err := Read(t.Context(), connect(t, unifying))
	if err != nil {
		t.Fatal(err)
	}
	logitech, behind := told("Logitech"), told("receiver")
	want := []*Peripheral{{
		Brand: logitech, Kind: behind, Serial: told("C8A1B2C3"), Firmware: told("12.11.B0032"),
	}, {
		ID: told("046d:4024"), Brand: logitech, Model: told("Wireless Keyboard K800"), Kind: told("keyboard"),
		Serial: told("874EAB12"), Firmware: told("RBK28.01.B0015"), Connection: behind, Linked: told(true),
		BatteryPercent: told[int32](55), BatteryState: told("good"),
	}, {
		ID: told("046d:101b"), Brand: logitech, Model: told("M705"), Kind: told("mouse"), Connection: behind,
		Linked: told(true), BatteryState: told("low"),
	}, {
		ID: told("046d:4082"), Brand: logitech, Model: told("MX Master 3"), Kind: told("mouse"),
		Serial: told("A1B2C3D4"), Connection: behind, Linked: told(false),
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestBoltReceiver(t *testing.T) {
	got, err := Read(t.Context(), connect(t, bolt))
	if err != nil {
		t.Fatal(err)
	}
	want := []*Peripheral{{
		Brand: told("Logitech"), Kind: told("receiver"), Firmware: told("05.03.B0014"),
	}, {
		ID: told("046d:8b62"), Brand: told("Logitech"), Model: told("MX Keys S B"), Kind: told("keyboard"),
		Serial: told("11223344"), Connection: told("receiver"),
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestSilentReceiver(t *testing.T) {
	if _, err := Read(t.Context(), connect(t, script{"10ff8102000000": "silent"})); !errors.Is(err, errSilent) {
		t.Errorf("a receiver that says nothing: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Read(ctx, connect(t, unifying)); !errors.Is(err, context.Canceled) {
		t.Errorf("no time left: %v", err)
	}
}

// TestOnlyReads: whatever a receiver answers, it is never told to change
// anything.
func TestOnlyReads(t *testing.T) {
	for _, s := range []script{unifying, bolt} {
		d := &recorder{Device: connect(t, s)}
		if _, err := Read(t.Context(), d); err != nil {
			t.Fatal(err)
		}
		for _, q := range d.questions {
			register := q[2] == readShort || q[2] == readLong
			if q[0] != shortReport || q[1] == receiver && !register {
				t.Errorf("question % x is no reading of a register", q)
			}
		}
	}
}

type recorder struct {
	Device
	questions [][]byte
}

func (r *recorder) Write(b []byte) (int, error) {
	r.questions = append(r.questions, bytes.Clone(b))
	return r.Device.Write(b)
}

// hostile answers each question with the next bytes it was given, in a report
// that looks like the answer.
type hostile struct {
	content  []byte
	question [shortLength]byte
	pending  bool
}

func (h *hostile) SetReadDeadline(time.Time) error { return nil }

func (h *hostile) Write(b []byte) (int, error) {
	h.pending = true
	return copy(h.question[:], b), nil
}

func (h *hostile) Read(b []byte) (int, error) {
	if len(h.content) == 0 || !h.pending {
		return 0, os.ErrDeadlineExceeded
	}
	how := h.content[0]
	h.content = h.content[1:]
	if how == 0xff { // a report of its own making
		n := copy(b, h.content[:min(len(h.content), longLength)])
		h.content = h.content[n:]
		return n, nil
	}
	h.pending = false
	report := [longLength]byte{longReport, h.question[1], h.question[2], h.question[3]}
	n := copy(report[4:], h.content[:min(len(h.content), int(how%17))])
	h.content = h.content[n:]
	if how&0x80 == 0 {
		report[4] = h.question[4]
	}
	return copy(b, report[:]), nil
}

func FuzzReceiver(f *testing.F) {
	f.Add([]byte{3, 0, 3, 0, 16, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 0xff, 0x10, 0xff, 0x8f, 0x83, 0xb5, 2, 0})
	for _, s := range []script{unifying, bolt} {
		var all []byte
		for _, reports := range s {
			raw, _ := hex.DecodeString(strings.ReplaceAll(reports, " ", ""))
			all = append(append(all, 0xff), raw...)
		}
		f.Add(all)
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		list, err := Read(t.Context(), &hostile{content: content})
		if (err == nil) != (len(list) > 0) || len(list) > 1+maxPaired {
			t.Fatalf("%d devices, error %v", len(list), err)
		}
		for _, p := range list {
			if p.Model != nil && len(*p.Model) > maxName || p.BatteryPercent != nil && (*p.BatteryPercent > 100 || *p.BatteryPercent < 0) {
				t.Errorf("%+v", p)
			}
		}
	})
}
