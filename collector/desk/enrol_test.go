package desk_test

import (
	"errors"
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
		if err := h.Connected(t.Context(), pc, &constatv1.Hello{}); err != nil {
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
		wantKind(t, h.Connected(t.Context(), pc, nil), desk.ErrForbidden)
		if again := h.enroll(t, "pc-1"); again == pc {
			t.Error("a revoked identity was given back")
		}
		_, _, err = h.CertificateState(t.Context(), "ffff")
		wantKind(t, err, desk.ErrNotFound)
		wantKind(t, h.RecordCertificate(t.Context(), "nobody", "bb", time.Now()), desk.ErrNotFound)
	})
}
