package desk_test

import (
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"constat/collector/desk"
	constatv1 "constat/proto/constat/v1"
)

func certificate(string) (string, time.Time, error) { return newID(), time.Now().Add(time.Hour), nil }

// A token for five is good for five, also when twenty come at once.
func TestTokenUses(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		five := []byte("for five")
		if err := h.NewEnrolmentToken(t.Context(), five, 5, time.Now().Add(time.Hour), ""); err != nil {
			t.Fatal(err)
		}
		var let, spent atomic.Int32
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() {
				_, err := h.Enroll(t.Context(), five, &constatv1.EnrollRequest{Hostname: "pc"}, certificate)
				switch {
				case err == nil:
					let.Add(1)
				case errors.Is(err, desk.ErrTokenSpent):
					spent.Add(1)
				default:
					t.Error(err)
				}
			})
		}
		all.Wait()
		if let.Load() != 5 || spent.Load() != 15 {
			t.Errorf("%d were let in and %d were not", let.Load(), spent.Load())
		}
	})
}

func TestEnrolmentRefusals(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		enroll := func(token string, issue func(string) (string, time.Time, error)) error {
			_, err := h.Enroll(t.Context(), []byte(token), &constatv1.EnrollRequest{}, issue)
			return err
		}
		wantKind(t, enroll("never made", certificate), desk.ErrTokenUnknown)
		if err := h.NewEnrolmentToken(t.Context(), []byte("t"), 1, time.Now().Add(time.Hour), ""); err != nil {
			t.Fatal(err)
		}
		// A certificate that could not be issued costs nothing.
		broken := errors.New("broken")
		wantKind(t, enroll("t", func(string) (string, time.Time, error) { return "", time.Time{}, broken }), broken)
		if err := enroll("t", certificate); err != nil {
			t.Error(err)
		}
		wantKind(t, enroll("t", certificate), desk.ErrTokenSpent)
		h.SetClock(time.Now().Add(2 * time.Hour))
		wantKind(t, enroll("t", certificate), desk.ErrTokenExpired)
		wantKind(t, h.NewEnrolmentToken(t.Context(), []byte("u"), 0, time.Now().Add(9*time.Hour), ""), desk.ErrInvalid)
		wantKind(t, h.NewEnrolmentToken(t.Context(), []byte("u"), 1, time.Now(), ""), desk.ErrInvalid)
	})
}

// connect is a machine's turn on the control stream.
func (h *house) turn(t *testing.T, endpoint, instance, hardware string) error {
	t.Helper()
	err := h.Connected(t.Context(), endpoint, "192.0.2.1", &constatv1.Hello{Hostname: "pc", Instance: instance, HardwareHash: hardware})
	if err == nil {
		h.Disconnected(t.Context(), endpoint)
	}
	return err
}

// Two machines with the disk of one take turns; a machine that starts again, that
// gets another board, or that is set back to a snapshot does not.
func TestTwins(t *testing.T) {
	for name, c := range map[string]struct {
		turns string // a letter an instance, a digit its firmware; 0 unknown
		twins int
		// refused is the turn at which the copy is told to go; 0: never.
		refused int
	}{
		"starts again":            {"a1 b1 c1 d1 e1 f1 g1 h1 i1 j1 k1", 0, 0},
		"connects again":          {"a1 a1 a1 b1 b1", 0, 0},
		"another board":           {"a1 b2 c2 d2", 0, 0},
		"a snapshot put back":     {"a1 b1 a1 c1 d1", 0, 0},
		"an agent of before":      {"-0 -0 -0 -0", 0, 0},
		"a copy":                  {"a1 b2 a1 b2 a1 a1", 2, 4},
		"a copy with the same id": {"a1 b1 a1 b1 a1", 2, 0},
		"firmware not readable":   {"a0 b0 a0 b0", 2, 0},
		"a copy, readable late":   {"a0 b2 a0 b2", 2, 0},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, h *house) {
				pc := h.enroll(t, "pc-1")
				now := time.Now()
				for i, turn := range strings.Fields(c.turns) {
					err := h.turn(t, pc, strings.Trim(turn[:1], "-"), strings.Trim(turn[1:], "0"))
					if c.refused == i+1 {
						wantKind(t, err, desk.ErrTwin)
					} else if err != nil {
						t.Fatalf("turn %d: %v", i+1, err)
					}
					now = now.Add(time.Minute)
					h.SetClock(now)
				}
				e, err := h.Endpoint(t.Context(), pc)
				if err != nil {
					t.Fatal(err)
				}
				if got := e.GetEndpoint().GetTwins(); len(got) != c.twins {
					t.Errorf("%d twins, want %d: %v", len(got), c.twins, got)
				}
			})
		})
	}
}

// Machines of one image enrol as themselves, also one that was a copy before.
func TestEnrolsFromOneImage(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		enroll := func(hardware string) string {
			id, err := h.Enroll(t.Context(), h.token, &constatv1.EnrollRequest{Hostname: "pc", MachineHash: "image", HardwareHash: hardware}, certificate)
			if err != nil {
				t.Fatal(err)
			}
			return id
		}
		first, second := enroll("1"), enroll("2")
		if first == second || enroll("1") != first || enroll("2") != second {
			t.Error("machines of one image share an identity")
		}
		for _, turn := range []string{"a1", "b3", "a1", "b3"} {
			err := h.turn(t, first, turn[:1], turn[1:])
			if refused := errors.Is(err, desk.ErrTwin); err != nil && !refused {
				t.Fatal(err)
			}
		}
		third := enroll("3")
		if third == first || third == second {
			t.Error("the copy got no identity of its own")
		}
		if e, err := h.Endpoint(t.Context(), first); err != nil || len(e.GetEndpoint().GetTwins()) != 0 {
			t.Errorf("twins after the copy enrolled: %v, %v", e.GetEndpoint().GetTwins(), err)
		}
	})
}

// Where no firmware tells copies apart, as in containers, who enrols again while two
// live gets an identity of its own.
func TestEnrolsFromOneImageWithoutFirmware(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		enroll := func() string {
			id, err := h.Enroll(t.Context(), h.token, &constatv1.EnrollRequest{Hostname: "pc", MachineHash: "image"}, certificate)
			if err != nil {
				t.Fatal(err)
			}
			return id
		}
		first := enroll()
		if enroll() != first {
			t.Error("a machine that enrols again is another one")
		}
		for _, turn := range []string{"a", "b", "a", "b"} {
			if err := h.turn(t, first, turn, ""); err != nil {
				t.Fatal(err)
			}
		}
		if second := enroll(); second == first || enroll() != second {
			t.Error("the copy got no identity of its own, or another one each time")
		}
		if e, err := h.Endpoint(t.Context(), first); err != nil || len(e.GetEndpoint().GetTwins()) != 0 {
			t.Errorf("twins after the copy enrolled: %v, %v", e.GetEndpoint().GetTwins(), err)
		}
	})
}

func TestIdentityAndRevocation(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		pc := h.enroll(t, "pc-1")
		if again := h.enroll(t, "pc-1"); again != pc {
			t.Error("the same machine got a second identity")
		}
		if err := h.RecordCertificate(t.Context(), pc, "aa01", time.Now().Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		whose, revoked, err := h.CertificateState(t.Context(), "aa01")
		if whose != pc || revoked || err != nil {
			t.Errorf("before: %s %v %v", whose, revoked, err)
		}
		wantKind(t, h.RevokeEndpoint(t.Context(), tech, pc, "lost"), desk.ErrForbidden)
		if err := h.Connected(t.Context(), pc, "", &constatv1.Hello{}); err != nil {
			t.Fatal(err)
		}
		stream := make(chan error, 1)
		go func() { stream <- h.Commands(t.Context(), pc, func(*constatv1.Command) error { return nil }) }()
		lead := desk.Actor{Name: "Max", Role: "lead"}
		if err := h.RevokeEndpoint(t.Context(), lead, pc, "lost"); err != nil {
			t.Fatal(err)
		}
		wantKind(t, <-stream, desk.ErrForbidden)
		if _, revoked, _ := h.CertificateState(t.Context(), "aa01"); !revoked {
			t.Error("the certificate still holds")
		}
		_, err = h.Ingest(t.Context(), pc, nil)
		wantKind(t, err, desk.ErrForbidden)
		wantKind(t, h.Connected(t.Context(), pc, "", nil), desk.ErrForbidden)
		if again := h.enroll(t, "pc-1"); again == pc {
			t.Error("a revoked identity was given back")
		}
		_, _, err = h.CertificateState(t.Context(), "ffff")
		wantKind(t, err, desk.ErrNotFound)
		wantKind(t, h.RecordCertificate(t.Context(), "nobody", "bb", time.Now()), desk.ErrNotFound)
	})
}
