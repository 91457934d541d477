package desk_test

import (
	"fmt"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"constat/collector/desk"
	"constat/internal/snapshot"
	deskv1 "constat/proto/constat/desk/v1"
	constatv1 "constat/proto/constat/v1"
)

// has is a report of a machine with a network printer and USB devices, each given
// as path, id, product and serial number.
func has(printer string, devices ...[4]string) *constatv1.Report {
	s := &constatv1.Snapshot{Manifest: &constatv1.Manifest{Id: newID(), TakenAt: timestamppb.Now()}, Usb: &constatv1.Usb{}, Printing: &constatv1.Printing{}}
	for _, group := range []string{"printing", "usb"} {
		s.Manifest.Groups = append(s.Manifest.Groups, &constatv1.GroupEntry{Group: group, Observation: &constatv1.Observation{Status: "observed"}})
	}
	for _, d := range devices {
		s.Usb.Devices = append(s.Usb.Devices, &constatv1.UsbDevice{
			Path: proto.String(d[0]), Id: proto.String(d[1]), Product: proto.String(d[2]), Serial: proto.String(d[3]), Brand: proto.String("Jabra"), Class: proto.String("audio"),
		})
	}
	if printer != "" {
		s.Printing.Printers = []*constatv1.Printer{{Id: proto.String(printer), Brand: proto.String("HP"), Model: proto.String("LaserJet M404"), Serial: proto.String(printer), Connection: proto.String("network")}}
		s.Printing.Queues = []*constatv1.Queue{{Name: proto.String("Accounting-2"), PrinterId: proto.String(printer)}}
	}
	snapshot.Seal(s)
	return &constatv1.Report{Content: &constatv1.Report_Snapshot{Snapshot: &constatv1.SnapshotReport{Manifest: s.Manifest, Payloads: snapshot.Payloads(s)}}}
}

// finds is a diagnosis with one root cause that a fact speaks for.
func finds(fact string) *constatv1.Diagnosis {
	d := diskFull()
	d.RootCauses[0].Evidence = []*constatv1.Evidence{{Fact: fact, Value: "x"}}
	return d
}

// TestPeripheral: a device keeps its history from one machine to the next.
func TestPeripheral(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		headset := [4]string{"1-2", "0b0e:2453", "Evolve2 65", "50C275123456"}
		a, b := h.enroll(t, "pc-a"), h.enroll(t, "pc-b")
		h.ingest(t, a, has("VNC3A12345", headset, [4]string{"1-3", "046d:c52b", "Receiver", "0000000000"}))
		h.ingest(t, b, has("VNC3A12345"))
		asks := func(machine, fact string) int32 {
			d := finds(fact)
			asked := draft("it does not work")
			asked.DiagnosisId = d.GetId()
			return h.ingest(t, machine, diagnosisReport(d), ticketReport(asked))[1].GetTicketNumber()
		}
		there, err := h.PeripheralsAt(t.Context(), a)
		if err != nil || len(there) != 2 {
			t.Fatalf("the first machine has %v (%v)", there, err)
		}
		first := asks(a, "usb.devices[1-2].configured")
		_, err = h.Update(t.Context(), tech, &deskv1.UpdateTicketRequest{
			Number: first, Version: h.ticket(t, first).GetTicket().GetVersion(), Status: proto.String("solved"), Resolution: proto.String("another socket"),
		})
		if err != nil {
			t.Fatal(err)
		}
		// It moves to the other machine, and to another port there.
		h.ingest(t, a, has("VNC3A12345"))
		headset[0] = "3-1"
		h.ingest(t, b, has("VNC3A12345", headset))
		second := asks(b, "usb.devices[3-1]")
		other := asks(b, "usb.devices[3-11].configured")
		gone := asks(a, "peripherals.absent[Evolve2 65].last_seen_at")

		in, err := h.PeripheralsIn(t.Context(), second)
		if err != nil || len(in) != 1 || in[0].Serial != "50C275123456" {
			t.Fatalf("the second ticket is about %v (%v)", in, err)
		}
		found, machines, err := h.Peripheral(t.Context(), in[0].ID)
		if err != nil || found.Model != "Evolve2 65" || found.Kind != "audio" {
			t.Fatalf("found %v (%v)", found, err)
		}
		if len(machines) != 2 || machines[0].Name != "pc-b" || machines[0].Gone != nil || machines[1].Name != "pc-a" || machines[1].Gone == nil {
			t.Errorf("it is and was at %v", machines)
		}
		numbers := func(of desk.Subject) string {
			t.Helper()
			list, err := h.TicketsAbout(t.Context(), of, 0, 0)
			if err != nil {
				t.Fatal(err)
			}
			var all []int32
			for _, one := range list {
				all = append(all, one.GetNumber())
			}
			return fmt.Sprint(all)
		}
		if got, want := numbers(desk.Subject{Peripheral: found.ID}), fmt.Sprint([]int32{gone, second, first}); got != want {
			t.Errorf("its tickets are %s, want %s, and not %d", got, want, other)
		}
		history, err := h.History(t.Context(), desk.Subject{Peripheral: found.ID})
		if err != nil || len(history) != 1 || history[0].Times != 3 || history[0].Open != 2 || history[0].Fault != "tests-disk-full" {
			t.Fatalf("history %+v (%v)", history, err)
		}
		if helped := history[0].Helped; len(helped) != 1 || helped[0].Text != "another socket" || helped[0].Number != first {
			t.Errorf("helped %+v", helped)
		}

		// The printer is one for both machines, by its queue too.
		p, q := asks(a, "printing.queues[Accounting-2].state"), asks(b, "printing.printers[VNC3A12345].state_reasons")
		in, err = h.PeripheralsIn(t.Context(), q)
		if err != nil || len(in) != 1 || in[0].Kind != "printer" {
			t.Fatalf("it is about %v (%v)", in, err)
		}
		if got, want := numbers(desk.Subject{Peripheral: in[0].ID}), fmt.Sprint([]int32{q, p}); got != want {
			t.Errorf("the printer's tickets are %s, want %s", got, want)
		}
		polled, err := h.PeripheralOfPrinter(t.Context(), &constatv1.Printer{Brand: proto.String("hp"), Serial: proto.String("vnc3a12345")})
		if err != nil || polled == nil || polled.ID != in[0].ID {
			t.Errorf("the polled one is %v (%v)", polled, err)
		}
		// What goes into another ticket takes what it is about along.
		into := asks(a, "space.filesystems[/].used_percent")
		if _, err := h.Merge(t.Context(), tech, &deskv1.MergeTicketRequest{Number: q, Into: into, Version: h.ticket(t, q).GetTicket().GetVersion()}); err != nil {
			t.Fatal(err)
		}
		if in, err := h.PeripheralsIn(t.Context(), into); err != nil || len(in) != 1 {
			t.Errorf("after the merge: %v (%v)", in, err)
		}
		history, err = h.History(t.Context(), desk.Subject{Peripheral: polled.ID})
		if err != nil || len(history) != 1 || history[0].Times != 2 {
			t.Errorf("after the merge: %+v (%v)", history, err)
		}

		_, _, err = h.Peripheral(t.Context(), "nothing")
		wantKind(t, err, desk.ErrNotFound)
		// Whoever sees neither its machines nor its tickets, sees no device.
		lyon := desk.For(t.Context(), desk.Actor{ID: "x", Name: "x", Role: "technician", Sites: []string{"Lyon"}})
		_, _, err = h.Peripheral(lyon, found.ID)
		wantKind(t, err, desk.ErrNotFound)
		if history, err := h.History(lyon, desk.Subject{Peripheral: found.ID}); err != nil || len(history) != 0 {
			t.Errorf("another site reads %v (%v)", history, err)
		}
		_, err = h.History(desk.For(t.Context(), desk.Actor{ID: "y", Role: "requester"}), desk.Subject{Peripheral: found.ID})
		wantKind(t, err, desk.ErrForbidden)
	})
}

// A number that a maker gives to all of a model tells no device from another.
func TestTellingSerials(t *testing.T) {
	for serial, telling := range map[string]bool{
		"50C275123456": true, "VNC3A12345": true, "4C530001": true, "": false, "0": false, "00000000": false, "0123456789ABCDEF": false, "123456789": false, "1234": false,
		"0000000001": false, "AAAA": false, "12": false,
	} {
		s := &constatv1.Snapshot{Usb: &constatv1.Usb{Devices: []*constatv1.UsbDevice{{Path: proto.String("1-1"), Id: proto.String("1:2"), Serial: &serial}}}}
		if got := len(desk.PeripheralsOf(s)) == 1; got != telling {
			t.Errorf("%q tells: %v", serial, got)
		}
	}
}

// FuzzPeripheralsOf: whatever a machine says of its devices, what is kept of them is
// short, and the same for the same device.
func FuzzPeripheralsOf(f *testing.F) {
	f.Add("1-1", "046d:c52b", "Mouse", "50C275", "printer", "VNC3A12345", "urn:uuid:1")
	f.Add("]", "\n", "\xff", strings.Repeat("x1y", 1000), "hub", "", "")
	f.Fuzz(func(t *testing.T, path, id, product, serial, class, printer, uuid string) {
		s := &constatv1.Snapshot{
			Usb:         &constatv1.Usb{Devices: []*constatv1.UsbDevice{{Path: &path, Id: &id, Product: &product, Serial: &serial, Class: &class}, {Path: &path, Id: &id, Serial: &serial}}},
			Printing:    &constatv1.Printing{Printers: []*constatv1.Printer{{Id: &printer, Serial: &printer, Uuid: &uuid}}, Queues: []*constatv1.Queue{{Name: &product, PrinterId: &printer}}},
			Peripherals: &constatv1.Peripherals{Devices: []*constatv1.Peripheral{{Id: &id, Kind: &class, Serial: &serial, UsbPath: &path}}},
		}
		all := desk.PeripheralsOf(s)
		again := desk.PeripheralsOf(s)
		if len(all) != len(again) || len(all) > 3 {
			t.Fatalf("%d and %d devices", len(all), len(again))
		}
		for i, p := range all {
			if p.ID != again[i].ID || len(p.Model) > 1000 || len(p.Serial) > 1000 || strings.ContainsAny(p.Model+p.Serial, "\n\x00") {
				t.Errorf("%+v", p)
			}
		}
	})
}
