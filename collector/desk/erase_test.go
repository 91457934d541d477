package desk_test

import (
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/timestamppb"

	"constat/collector/desk"
	deskv1 "constat/proto/constat/desk/v1"
	constatv1 "constat/proto/constat/v1"
)

// An erased machine leaves its tickets with what people wrote, and nothing that it
// observed; another's facts stay, in the same tickets too.
func TestErasedEndpoint(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		const canary = "canary-7f3a"
		root := h.user(t, "Root", "administrator")
		pc, other := h.enroll(t, canary), h.enroll(t, "pc-2")
		if err := h.RecordCertificate(t.Context(), pc, "aa01", time.Now().Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		var mine, others int32
		var snapshots []string
		for _, machine := range []string{pc, other} {
			name := map[string]string{pc: canary, other: "pc-2"}[machine]
			seen := facts(name, 8<<30)
			found := diskFull()
			found.RootCauses[0].Component = name
			found.RootCauses[0].Evidence = []*constatv1.Evidence{{Fact: "host.hostname", Value: name}}
			found.RootCauses[0].Remedies = []string{"flush-dns"}
			asked := draft("The printer at the window eats paper")
			asked.DiagnosisId = found.Id
			receipts := h.ingest(t, machine, snapshotReport(seen), diagnosisReport(found), ticketReport(asked))
			number := receipts[2].GetTicketNumber()
			h.ingest(t, machine, remedyReport(&constatv1.RemedyResult{
				Id: newID(), Verb: "flush-dns", Component: name, Outcome: "fixed", Ticket: number, At: timestamppb.Now(), Action: name, Proof: &constatv1.RemedyText{En: name, Fr: name},
			}), has(name, [4]string{"mouse", "Logitech", "M500", "serial-" + name}))
			if _, err := h.RequestRemedy(t.Context(), tech, &deskv1.RequestRemedyRequest{Ticket: number, Verb: "flush-dns"}); err != nil {
				t.Fatal(err)
			}
			snapshots = append(snapshots, seen.GetManifest().GetId())
			if machine == pc {
				mine = number
			} else {
				others = number
			}
		}
		h.note(t, mine, "note", "called back at noon", 5)
		h.merge(t, h.ticket(t, others).GetTicket(), h.ticket(t, mine).GetTicket())
		said := func() string {
			return protojson.Format(h.ticket(t, mine))
		}
		if got := said(); !strings.Contains(got, canary) {
			t.Fatalf("the ticket says nothing of its machine: %s", got)
		}

		_, err := h.EraseEndpoint(t.Context(), desk.Actor{Name: "Max", Role: "lead"}, pc, canary)
		wantKind(t, err, desk.ErrForbidden)
		_, err = h.EraseEndpoint(t.Context(), desk.Actor{Name: "Ada", Role: "administrator", Sites: []string{"Lyon"}}, pc, canary)
		wantKind(t, err, desk.ErrForbidden)
		_, err = h.EraseEndpoint(t.Context(), root, pc, "pc-2")
		wantKind(t, err, desk.ErrInvalid)
		_, err = h.EraseEndpoint(t.Context(), root, newID(), canary)
		wantKind(t, err, desk.ErrNotFound)
		if _, err := h.Endpoint(t.Context(), pc); err != nil {
			t.Fatalf("what was refused erased it: %v", err)
		}

		stays, err := h.EraseEndpoint(t.Context(), root, pc, strings.ToUpper(canary))
		if err != nil || stays != 1 {
			t.Fatalf("%d tickets stay, %v", stays, err)
		}
		_, err = h.Endpoint(t.Context(), pc)
		wantKind(t, err, desk.ErrNotFound)
		_, err = h.Snapshot(t.Context(), snapshots[0])
		wantKind(t, err, desk.ErrNotFound)
		if _, err := h.Snapshot(t.Context(), snapshots[1]); err != nil {
			t.Errorf("the other machine’s snapshot: %v", err)
		}
		if found, err := h.Endpoint(t.Context(), other); err != nil || len(found.GetRemedies()) == 0 || len(found.GetDiagnoses()) == 0 {
			t.Errorf("the other machine has %v, %v", found, err)
		}
		if devices, err := h.PeripheralsAt(t.Context(), other); err != nil || len(devices) == 0 {
			t.Errorf("the other’s devices: %v, %v", devices, err)
		}
		got := said()
		for _, word := range []string{"eats paper", "called back at noon", "tests-disk-full", "confirmed", "flush-dns", "fixed", `"erased"`, "pc-2"} {
			if !strings.Contains(got, word) {
				t.Errorf("the ticket does not say %q any more", word)
			}
		}
		if strings.Contains(got, canary) || strings.Contains(got, pc) {
			t.Errorf("the ticket still tells of the machine: %s", got)
		}
		for word, want := range map[string]int{canary: 0, "noon": 1} {
			list, err := h.Tickets(t.Context(), &deskv1.ListTicketsRequest{Query: word})
			if err != nil || len(list.GetTickets()) != want {
				t.Errorf("%q finds %d tickets (%v), want %d", word, len(list.GetTickets()), err, want)
			}
		}
		// Nothing is written about it any more, and what it holds opens no door.
		_, err = h.Ingest(t.Context(), pc, []*constatv1.Report{diagnosisReport(diskFull())})
		wantKind(t, err, desk.ErrNotFound)
		wantKind(t, h.Connected(t.Context(), pc, "", &constatv1.Hello{}), desk.ErrNotFound)
		if _, revoked, err := h.CertificateState(t.Context(), "aa01"); !revoked || err != nil {
			t.Errorf("its certificate: revoked %t, %v", revoked, err)
		}
		if again := h.enroll(t, canary); again == pc {
			t.Error("the erased identity was given back")
		}
		_, err = h.EraseEndpoint(t.Context(), root, pc, canary)
		wantKind(t, err, desk.ErrNotFound)
	})
}
