package desk_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	constatv1 "constat/proto/constat/v1"
)

// TestSetUpAnew: a machine whose disk was wiped takes its endpoint up, and the system
// that was on it is let in no more, should it live. What can't be that machine, or
// can't be known to be, is another one.
func TestSetUpAnew(t *testing.T) {
	const board = "uuid and serial"
	for name, c := range map[string]struct {
		new    *constatv1.EnrollRequest
		before func(t *testing.T, h *house, pc string)
		same   bool
	}{
		"wiped and enrolled again": {&constatv1.EnrollRequest{Hostname: "pc-9", MachineHash: "new", HardwareHash: board, OsFamily: "linux"}, nil, true},
		"another board":            {&constatv1.EnrollRequest{MachineHash: "new", HardwareHash: "another", OsFamily: "linux"}, nil, false},
		"no firmware to ask":       {&constatv1.EnrollRequest{MachineHash: "new", OsFamily: "linux"}, nil, false},
		"no id of its own":         {&constatv1.EnrollRequest{HardwareHash: board, OsFamily: "linux"}, nil, false},
		"two systems on one board": {&constatv1.EnrollRequest{MachineHash: "new", HardwareHash: board, OsFamily: "windows"}, nil, false},
		"the former one lives": {&constatv1.EnrollRequest{MachineHash: "new", HardwareHash: board, OsFamily: "linux"}, func(t *testing.T, h *house, pc string) {
			if err := h.Connected(t.Context(), pc, "192.0.2.1", &constatv1.Hello{}); err != nil {
				t.Fatal(err)
			}
		}, false},
		"retired": {&constatv1.EnrollRequest{MachineHash: "new", HardwareHash: board, OsFamily: "linux"}, func(t *testing.T, h *house, pc string) {
			if err := h.RevokeEndpoint(t.Context(), lead, pc, "sold"); err != nil {
				t.Fatal(err)
			}
		}, false},
		"a board that is not the only one": {&constatv1.EnrollRequest{MachineHash: "new", HardwareHash: board, OsFamily: "linux"}, func(t *testing.T, h *house, _ string) {
			if _, err := h.Enroll(t.Context(), h.token, &constatv1.EnrollRequest{MachineHash: "third", HardwareHash: board, OsFamily: "darwin"}, certificate); err != nil {
				t.Fatal(err)
			}
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, h *house) {
				serial := ""
				enroll := func(r *constatv1.EnrollRequest) string {
					id, err := h.Enroll(t.Context(), h.token, r, func(string) (string, time.Time, error) {
						serial = newID()
						return serial, time.Now().Add(time.Hour), nil
					})
					if err != nil {
						t.Fatal(err)
					}
					return id
				}
				pc := enroll(&constatv1.EnrollRequest{Hostname: "pc-1", MachineHash: "old", HardwareHash: board, OsFamily: "linux"})
				formerly := serial
				h.ingest(t, pc, snapshotReport(facts("pc-1", 8<<30))) // its serial, and a history
				if c.before != nil {
					c.before(t, h, pc)
				}
				now := enroll(c.new)
				if (now == pc) != c.same {
					t.Fatalf("taken up: %v, want %v", now == pc, c.same)
				}
				_, revoked, err := h.CertificateState(t.Context(), serial)
				if err != nil || revoked {
					t.Errorf("the new certificate: revoked %v, %v", revoked, err)
				}
				e, err := h.Endpoint(t.Context(), pc)
				if err != nil || e.GetSnapshot() == nil || e.GetEndpoint().GetReimagedAt().IsValid() != c.same || e.GetEndpoint().GetFormerSeenAt().IsValid() {
					t.Errorf("the endpoint: %v, %v", e.GetEndpoint(), err)
				}
				if !c.same {
					return
				}

				// Its history says it once, and not all in which the two systems differ.
				h.SetClock(time.Now().Add(time.Minute))
				h.ingest(t, pc, snapshotReport(facts("pc-9", 16<<30)))
				if e, err = h.Endpoint(t.Context(), pc); err != nil {
					t.Fatal(err)
				}
				var told []string
				for _, change := range e.GetChanges() {
					told = append(told, change.GetGroup()+" "+change.GetFact()+": "+change.GetBefore()+" > "+change.GetAfter())
				}
				if diff := cmp.Diff([]string{"hardware memory_bytes: 8589934592 > 17179869184", "installation : pc-1, Debian GNU/Linux 12 > pc-9"}, told); diff != "" {
					t.Error(diff)
				}

				// Should the former system live, that is said, and the two are two from then on.
				if _, revoked, err := h.CertificateState(t.Context(), formerly); err != nil || !revoked {
					t.Errorf("the former certificate: revoked %v, %v", revoked, err)
				}
				if e, err = h.Endpoint(t.Context(), pc); err != nil || !e.GetEndpoint().GetFormerSeenAt().IsValid() {
					t.Errorf("that both live is not said: %v, %v", e.GetEndpoint(), err)
				}
				if again := enroll(&constatv1.EnrollRequest{Hostname: "pc-1", MachineHash: "old", HardwareHash: board, OsFamily: "linux"}); again == pc {
					t.Error("the former system takes the endpoint back")
				}
				if _, revoked, err := h.CertificateState(t.Context(), serial); err != nil || revoked {
					t.Errorf("its own certificate: revoked %v, %v", revoked, err)
				}
			})
		})
	}
}

// TestSetUpAnewForgetsItsPeople: who enrols a machine anew does not read there what
// was asked on the system before.
func TestSetUpAnewForgetsItsPeople(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		enroll := func(machine string) string {
			id, err := h.Enroll(t.Context(), h.token, &constatv1.EnrollRequest{MachineHash: machine, HardwareHash: "board", OsFamily: "linux"}, certificate)
			if err != nil {
				t.Fatal(err)
			}
			return id
		}
		pc := enroll("old")
		h.ingest(t, pc, snapshotReport(facts("pc-1", 8<<30)), ticketReport(draft("Nothing comes out")))
		asked := func(want int) {
			t.Helper()
			answer, err := h.PersonTickets(t.Context(), pc, "alice", "en")
			if err != nil || len(answer.GetTickets()) != want {
				t.Errorf("%d tickets, %v; want %d", len(answer.GetTickets()), err, want)
			}
		}
		asked(1)
		h.SetClock(time.Now().Add(time.Minute))
		if enroll("new") != pc {
			t.Fatal("it is not taken up")
		}
		asked(0)
		h.ingest(t, pc, ticketReport(draft("Nothing comes out")))
		asked(1)
	})
}
