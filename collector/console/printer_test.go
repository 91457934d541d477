package console

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"constat/collector/gear"
	"constat/collector/store"
	"constat/collector/store/query"
	"constat/internal/diagnosis"
	constatv1 "constat/proto/constat/v1"
)

// printerMAC is that of the polled printer of the tests.
const printerMAC = "3c:2a:f4:bf:f5:1b"

// polledPrinter polls a printer in which paper is stuck, and gives its id.
func (b *bench) polledPrinter() (id string) {
	b.Helper()
	now := time.Now()
	text, number := proto.String, proto.Int32
	g := &constatv1.Gear{
		Identity:   &constatv1.GearIdentity{Vendor: text("HP"), Model: text("HP Color LaserJet MFP M480"), Name: text("NPI8F21C4"), Serial: text("VNB3K01234")},
		PollResult: text("ok"),
		Interfaces: []*constatv1.GearInterface{{IfIndex: number(1), Name: text("eth0"), Mac: text(printerMAC), AdminStatus: text("up"), OperStatus: text("up"), SpeedMbps: number(1000)}},
		Printer: &constatv1.Printer{
			Id: text("VNB3K01234"), Serial: text("VNB3K01234"), Model: text("HP Color LaserJet MFP M480"), Connection: text("network"), Reachable: proto.Bool(true), Sources: []string{"snmp"},
			State: text("stopped"), StateReasons: []string{"media-empty-warning", "media-jam-error", "toner-low-warning"},
			Supplies: []*constatv1.Supply{
				{Name: text("Black Cartridge HP W2030X"), Kind: text("toner"), Colour: text("black"), Percent: number(61), State: text("ok")},
				{Name: text("Cyan Cartridge HP W2031X"), Kind: text("toner"), Colour: text("cyan"), Percent: number(4), State: text("low")},
				{Name: text("Toner Collection Unit"), Kind: text("wasteToner"), State: text("unknown")},
			},
			Trays: []*constatv1.Tray{{Name: text("Tray 1"), Media: text("any"), State: text("empty"), Percent: number(0)}, {Name: text("Tray 2"), Media: text("iso_a4_210x297mm"), State: text("ok"), Percent: number(80)}},
			Alerts: []*constatv1.PrinterAlert{
				{Severity: text("critical"), Code: number(8), Group: text("mediaPath"), Training: text("untrained"), Description: text("13.B2.D1 Jam in right door")},
				{Severity: text("warning"), Code: number(1104), Group: text("markerSupplies"), Training: text("trained"), Description: text("Cyan cartridge low")},
			},
		},
	}
	content, err := store.PackMessage(g)
	if err != nil {
		b.Fatal(err)
	}
	judged, err := store.PackMessage(diagnosis.Judge(b.catalog, diagnosis.Gear(), gear.Snapshot(g, "snmp", now), now, "en"))
	if err != nil {
		b.Fatal(err)
	}
	id, at := newID(), store.Millis(now.Add(-20*time.Second))
	err = b.store.Write(b.Context(), func(ctx context.Context, q *query.Queries) error {
		if _, err := q.AddGear(ctx, query.AddGearParams{ID: id, Address: "192.0.2.60", Site: "Lyon", Credential: "floors", AddedAt: at}); err != nil {
			return err
		}
		if _, err := q.ClaimGear(ctx, query.ClaimGearParams{Owner: "x", Until: at + 1, Now: at, MaxRows: 10}); err != nil {
			return err
		}
		if _, err := q.FinishGear(ctx, query.FinishGearParams{
			ID: id, LeaseOwner: "x", Name: "NPI8F21C4", NameKey: "npi8f21c4", Vendor: "HP", Model: g.Identity.GetModel(), Serial: "VNB3K01234", State: "ok", StateSince: at, AnsweredAt: at, DueAt: at + 1<<40,
		}); err != nil {
			return err
		}
		return q.PutGearFacts(ctx, query.PutGearFactsParams{GearID: id, TakenAt: at, WholeAt: at, Content: content, Counters: []byte{}, Diagnosis: judged, Plan: []byte{}})
	})
	if err != nil {
		b.Fatal(err)
	}
	return id
}

// plugPrinter has a switch see the printer at a port.
func (b *bench) plugPrinter(gearID string, ifIndex int32) {
	b.Helper()
	at := store.Millis(time.Now().Add(-40 * time.Second))
	err := b.store.Write(b.Context(), func(ctx context.Context, q *query.Queries) error {
		return q.PutStation(ctx, query.PutStationParams{Mac: printerMAC, GearID: gearID, Vlan: 10, IfIndex: ifIndex, Evidence: "forwarding", SeenAt: at, Since: at - 86_400_000})
	})
	if err != nil {
		b.Fatal(err)
	}
}

// printsTo has a machine ask for help with a queue to the printer, which it reaches
// or not.
func (b *bench) printsTo(hostname, words string, reached bool) (number int32) {
	b.Helper()
	endpoint := b.enrol(hostname)
	now := time.Now()
	facts := machine(newID(), now)
	*facts.Host.Hostname = hostname
	facts.Manifest.EndpointId = endpoint
	for _, group := range facts.Manifest.Groups {
		if group.Group == "printing" {
			group.Observation.Gaps = nil
		}
	}
	text := proto.String
	state, reasons, result := "stopped", []string{"paused"}, "ok"
	if !reached {
		reasons, result = []string{"connecting-to-device"}, "timeout"
	}
	facts.Printing = &constatv1.Printing{
		Spooler: &constatv1.Spooler{Kind: text("cups"), State: text("running")}, DefaultQueue: text("Etage-2"), DiscoveredPrinters: proto.Int32(3),
		Queues: []*constatv1.Queue{{
			Name: text("Etage-2"), DeviceUri: text("socket://192.0.2.60:9100"), Connection: text("socket"), State: &state, StateReasons: reasons, AcceptingJobs: proto.Bool(true),
			PendingJobs: proto.Int32(3), DeviceReachable: &reached, DeviceResult: &result, Physical: proto.Bool(true), PrinterId: text("192.0.2.60:9100"),
		}},
		Printers: []*constatv1.Printer{{Id: text("192.0.2.60:9100"), Address: text("192.0.2.60:9100"), Connection: text("network"), Reachable: &reached}},
	}
	procedure, _ := diagnosis.Lookup("printing")
	found := diagnosis.Judge(b.catalog, procedure, facts, now, "en")
	found.Id, found.EndpointId, found.Trigger, found.StartedAt = newID(), endpoint, "user", timestamppb.New(now)
	receipts := b.upload(endpoint, factsReport(facts), diagnosisReport(found), &constatv1.Report{Content: &constatv1.Report_Ticket{Ticket: &constatv1.TicketDraft{
		Id: newID(), Complaint: "printing", Text: words, Requester: &constatv1.Person{Name: "Yann Le Goff"}, DiagnosisId: found.GetId(), Language: "en", Channel: "tray",
	}}})
	return receipts[2].GetTicketNumber()
}

// A polled printer's page says how it is, in both languages; a ticket about printing
// takes what it told for the cause, and shows it and its port.
func TestPrinterPages(t *testing.T) {
	b := newBench(t)
	lea := b.as("lea")
	printer := b.polledPrinter()
	lea.wants(lea.get("/gear"), http.StatusOK, "HP Color LaserJet MFP M480", "/faults/printer-paper-jam")
	lea.wants(lea.get("/gear/"+printer), http.StatusOK, "Paper is stuck in the printer", "Waits for somebody", "paper is stuck", "13.B2.D1 Jam in right door",
		"Cyan Cartridge HP W2031X", "4 %", "not told", "Tray 2", "iso_a4_210x297mm", "80 %")

	number := b.printsTo("compta-08", "Mes documents restent dans la file.", true)
	lea.wants(lea.get(fmt.Sprintf("/tickets/%d", number)), http.StatusOK, "Paper is stuck in the printer HP Color LaserJet MFP M480", "as the queue Etage-2", "/gear/"+printer, "13.B2.D1 Jam in right door")

	// Its port is shut: the machine only sees silence.
	device := b.switchWith("Gi1/0/5")
	b.plugPrinter(device, 1)
	silent := b.printsTo("compta-09", "Rien ne sort.", false)
	lea.wants(lea.get(fmt.Sprintf("/tickets/%d", silent)), http.StatusOK, "The switch cut off Gi1/0/5", "The machine does not reach it", "Its switch port", "/gear/"+device+"/ports/1", "sw-floor-2 Gi1/0/5")
}
