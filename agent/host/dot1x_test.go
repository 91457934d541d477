package host

import (
	"crypto/x509/pkix"
	"encoding/pem"
	"testing"
	"time"

	constatv1 "constat/proto/constat/v1"
)

func TestSupplicantStatus(t *testing.T) {
	now := time.Now()
	certificate := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate(t, pkix.Name{CommonName: "hush"})}))
	status := func(port, method string) string {
		return "wpa_state=ASSOCIATED\nSupplicant PAE state=" + port + "\nsuppPortStatus=Unauthorized\nEAP state=" + method + "\n"
	}
	for _, c := range []struct {
		content        string
		at             time.Time
		state, failure string
	}{
		{"wpa_state=INACTIVE\n", now, "", ""},
		{status("AUTHENTICATED", "SUCCESS"), now, "authenticated", ""},
		{status("HELD", "IDLE"), now, "held", "rejected"},
		{status("CONNECTING", "FAILURE"), now, "failed", "rejected"},
		{status("AUTHENTICATED", "IDLE"), now, "idle", ""},
		{status("CONNECTING", "IDLE"), now, "authenticating", ""},
		{status("HELD", "FAILURE") + certificate, now, "held", "rejected"},
		{status("HELD", "FAILURE") + certificate, now.AddDate(200, 0, 0), "held", "certificateExpired"},
	} {
		d := parseSupplicant([]byte(c.content), c.at)
		if c.failure == "certificateExpired" {
			told(t, &constatv1.Snapshot{Network: &constatv1.Network{Links: []*constatv1.Link{{Dot1X: d}}}})
		}
		if d.GetState() != c.state || d.GetFailure() != c.failure {
			t.Errorf("%q: %v", c.content, d)
		}
	}
	for _, c := range []struct {
		state, reason uint32
		failure       string
	}{{60, 7, "rejected"}, {120, 11, "timeout"}, {30, 8, "other"}, {100, 8, ""}, {30, 39, ""}} {
		if got := managerSignIn(c.state, c.reason).GetFailure(); got != c.failure {
			t.Errorf("NetworkManager's state %d, reason %d: %q", c.state, c.reason, got)
		}
	}
}

func FuzzSupplicant(f *testing.F) {
	f.Add([]byte("Supplicant PAE state=HELD\nEAP state=FAILURE\n-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"))
	f.Fuzz(func(t *testing.T, content []byte) {
		if d := parseSupplicant(content, time.Now()); d != nil && d.State == nil {
			t.Error("a sign-in without a state")
		}
	})
}
