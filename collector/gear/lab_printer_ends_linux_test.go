package gear

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"constat/collector/store/storetest"
	"constat/internal/diagnosis"
	"constat/internal/fault/fixture"
	"constat/internal/lab"
	deskv1 "constat/proto/constat/desk/v1"
	constatv1 "constat/proto/constat/v1"
)

// printersMAC is the address of the printers of newPrinter.
const printersMAC = "00:50:6e:00:00:01"

// printerEndRows are faults that a computer, its printer and the printer's switch
// show together. The row's make is of the switch; the printer is silent where it is
// cut off.
var printerEndRows = []struct {
	gearRow
	silent bool
	prints func(*box)
}{
	{gearRow{"cisco-port-admin-down", "somebody shuts the port of a printer", catalysts, func(c *gearCase) {
		c.cutsOff()
		c.after.is(ifTable+"7", c.port, integerType, 2)
	}}, true, nil},
	{gearRow{"cisco-errdisable-bpduguard", "a printer’s port is switched off, for a switch was plugged in there", withCauses, func(c *gearCase) {
		c.cutsOff()
		c.after.set(fmt.Sprintf("%s.%d.0", errDisableCause, c.port), integerType, 2)
	}}, true, nil},
	{gearRow{"cisco-errdisable-portsecurity", "a printer’s port is switched off, for a strange computer was plugged in there", withCauses, func(c *gearCase) {
		c.cutsOff()
		c.after.set(fmt.Sprintf("%s.%d.0", errDisableCause, c.port), integerType, 9)
	}}, true, nil},
	{gearRow{"cisco-poe-denied", "a label printer gets no power over its cable", feedingCisco, func(c *gearCase) {
		c.cutsOff()
		c.after.set("1.3.6.1.4.1.9.9.402.1.2.1.5."+c.after.feed[c.port], hexType, "80")
		c.after.fed("12", c.port, counter3, 9).fed("6", c.port, integerType, 2)
	}}, true, nil},
	{gearRow{"printer-unreachable-off", "a printer is switched off, and its port only feels that", catalysts, (*gearCase).cutsOff}, true, nil},
	{gearRow{"printer-paper-jam", "a printer jams, and the computer sees a queue that was paused", catalysts, (*gearCase).seesPrinter}, false, func(b *box) {
		b.waits(untrained, ofPath, 8, "Jam in tray 2", jammed)
	}},
	{gearRow{"printer-paper-out", "a printer has no paper, and the computer sees a queue that was paused", catalysts, (*gearCase).seesPrinter}, false, func(b *box) {
		for n := range b.prints.trays {
			b.tray(n, 0)
		}
		b.waits(untrained, ofInput, 808, "Load paper", noPaper)
	}},
	{gearRow{"printer-queue-paused", "somebody paused the queue of a printer that is well", catalysts, (*gearCase).seesPrinter}, false, func(*box) {}},
}

// seesPrinter has the switch see the printer at the port, and know its address.
func (c *gearCase) seesPrinter() {
	for _, b := range []*box{c.before, c.after} {
		b.behind(c.port, printersMAC)
		b.set(fmt.Sprintf("1.3.6.1.2.1.4.22.1.2.%d.192.0.2.60", c.port), hexType, "00506e000001")
		b.set(fmt.Sprintf("1.3.6.1.2.1.4.22.1.4.%d.192.0.2.60", c.port), integerType, 3)
	}
}

// cutsOff takes the link from the port of the printer.
func (c *gearCase) cutsOff() {
	c.seesPrinter()
	c.after.falls(c.port)
	c.after.fed("6", c.port, integerType, 2)
}

// knownBy is how a computer's queue names its printer.
var knownBy = []string{"serial", "address", "uuid"}

// prints is what a computer saw of a printer by itself, whose queue names it so.
func (w *world) prints(t *testing.T, silent bool, by, serial string) *constatv1.Snapshot {
	t.Helper()
	of, name := "printer-queue-paused", "faulty"
	if silent {
		of = "printer-unreachable-off"
	}
	cases, err := fixture.Cases(filepath.Join("..", "..", "internal", "fault", "testdata"), of)
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(cases, func(c *fixture.Case) bool { return c.Name == of+": "+name })
	if i < 0 {
		t.Fatalf("the case %q of %s is gone", name, of)
	}
	own := proto.CloneOf(cases[i].Snapshot)
	own.Gear, own.Attachment, own.Fleet, own.Polled = nil, nil, nil, nil
	own.Manifest.Groups = slices.DeleteFunc(own.Manifest.Groups, func(g *constatv1.GroupEntry) bool {
		return slices.Contains([]string{"attachment", "fleet", "gear", "polled"}, g.GetGroup())
	})
	own.Manifest.Id, own.Manifest.TakenAt = uuid.Must(uuid.NewV7()).String(), timestamppb.Now()
	p, address := own.Printing.Printers[0], "192.0.2.60:9100"
	p.Id, p.Address, p.Serial, p.Uuid, p.Sources = &address, &address, nil, nil, nil
	if by == "serial" {
		p.Serial, p.Id = &serial, &serial
	}
	if by == "uuid" { // the version that is made of the adapter's address
		p.Uuid = proto.String("urn:uuid:00000000-1dd2-11b2-8000-00506e000001")
		other := "printer-2.local:631"
		p.Address, p.Id = &other, p.Uuid
	}
	own.Printing.Queues[0].PrinterId = p.Id
	own.Printing.Queues[0].Name = proto.String("Etage-2")
	own.Printing.DefaultQueue = proto.String("Etage-2")
	return own
}

// TestLabPrinterEnds plays a printer and its switch to the collector's own watch,
// and has the user of a computer complain that nothing is printed: the ticket must
// name what neither of the three could alone, and know the printer's port.
func TestLabPrinterEnds(t *testing.T) {
	seed, only := os.Getenv("SEED"), os.Getenv("FAULT")
	for _, row := range printerEndRows {
		for n, by := range knownBy {
			if only != "" && only != row.fault || only == "" && n > 0 && os.Getenv("CONSTAT_LAB") != "whole" && row.fault != "cisco-port-admin-down" && row.fault != "printer-paper-jam" {
				continue
			}
			t.Run(row.fault+" "+by, func(t *testing.T) {
				t.Parallel()
				w := newWorld(row.gearRow, seed+"ends", n)
				w.v3, w.lines, w.traps = false, nil, nil
				printer := newPrinter(printerShapes[w.draw.IntN(len(printerShapes))], w.draw)
				serial := printer.value("1.3.6.1.2.1.43.5.1.1.17.1")
				after := printer.later(300)
				if row.prints != nil {
					row.prints(after)
				}
				switches, printers := lab.Play(t, w.recordings()...), lab.Play(t, lab.Recording{Community: "before", Text: printer.recording()}, lab.Recording{Community: "after", Text: after.recording()})
				p := newPlant(t, storetest.SQLite(t))
				p.opens(w.credential(switches, 0))
				p.opens(&deskv1.PutCredentialRequest{Name: "printer", Community: "before"})
				p.add(switches.Address, "lab")
				p.add(printers.Address, "printer")
				p.turn(0)
				began := time.Now()
				p.opens(w.credential(switches, 1))
				p.opens(&deskv1.PutCredentialRequest{Name: "printer", Community: "after"})
				p.at = p.at.Add(5 * time.Minute)
				if row.silent {
					p.vanish(p.device(printers.Address).GetDevice().GetId())
				}
				for again := 0; again < 4 && p.turn(lookEvery) > 0; again++ {
				}
				run := w.wantsToPrint(t, p, w.prints(t, row.silent, by, serial))
				run.ElapsedMs = int(time.Since(began).Milliseconds())
				run.Fault = row.fault
				lab.Record(t, "gear", run)
				if bad := wrong(run); bad != "" {
					t.Errorf("%s, known by its %s: %s: %s", w, by, bad, said(run.Diagnosis))
				}
				socket := run.Snapshot.GetPolled().GetPorts()
				if len(socket) != 1 || socket[0].GetPort().GetName() != w.after.names[w.port] || socket[0].GetGearName() != w.after.name {
					t.Errorf("%s, known by its %s: the printer is said to be at %v, not at %s of %s", w, by, socket, w.after.names[w.port], w.after.name)
				}
				t.Logf("%s, known by its %s: %s, at %s", w, by, said(run.Diagnosis), w.after.names[w.port])
			})
		}
	}
}

// wantsToPrint has the computer's user write a ticket, and gives what the desk
// makes of it.
func (w *world) wantsToPrint(t *testing.T, p *plant, own *constatv1.Snapshot) lab.Run {
	t.Helper()
	printing, _ := diagnosis.Lookup("printing")
	found := diagnosis.Judge(p.catalog, printing, own, time.Now(), "en")
	found.Id = uuid.Must(uuid.NewV7()).String()
	id, receipts := p.seat("pc-1", own, &constatv1.Report{Content: &constatv1.Report_Diagnosis{Diagnosis: found}},
		&constatv1.Report{Content: &constatv1.Report_Ticket{Ticket: &constatv1.TicketDraft{
			Id: uuid.Must(uuid.NewV7()).String(), Complaint: "printing", Text: "nothing comes out", Language: "en", DiagnosisId: found.GetId(),
		}}})
	ticket, err := p.desk.Ticket(t.Context(), receipts[2].GetTicketNumber())
	if err != nil {
		t.Fatal(err)
	}
	run := lab.Run{How: w.String(), Procedure: "printing", At: time.Now().UTC().Truncate(time.Second), Live: true, Diagnosis: found, Snapshot: own}
	for _, entry := range ticket.GetTimeline() {
		if d := entry.GetDiagnosis(); d != nil {
			run.Diagnosis = d
		}
	}
	known, err := p.desk.Printers(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	own.Polled = &constatv1.Polled{}
	for _, printer := range known {
		told := &constatv1.Printer{}
		if printer.Polled != nil && printer.Device.GetState() == "ok" {
			told = proto.CloneOf(printer.Polled)
		}
		told.Id, told.Reachable = printer.Own.Id, printer.Own.Reachable
		own.Polled.Printers = append(own.Polled.Printers, told)
		if printer.Socket != nil {
			own.Polled.Ports = append(own.Polled.Ports, printer.Socket.Attachment)
		}
	}
	own.Manifest.Groups = append(own.Manifest.Groups, &constatv1.GroupEntry{Group: "polled", Observation: &constatv1.Observation{Status: "observed", Source: "snmp", At: timestamppb.Now()}})
	return run
}
