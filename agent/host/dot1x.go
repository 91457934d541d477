package host

import (
	"crypto/x509"
	"encoding/pem"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	constatv1 "constat/proto/constat/v1"
)

// parseSupplicant reads what wpa_supplicant says of the sign-in on a wired link
// (its answer to STATUS), and the certificate behind it; nil when it does not
// authenticate there.
func parseSupplicant(content []byte, now time.Time) *constatv1.Dot1X {
	values := map[string]string{}
	for line := range strings.Lines(string(content)) {
		if key, value, found := strings.Cut(strings.TrimSpace(line), "="); found {
			values[key] = value
		}
	}
	port, method := values["Supplicant PAE state"], values["EAP state"]
	if port == "" {
		return nil
	}
	d := &constatv1.Dot1X{}
	if block, _ := pem.Decode(content); block != nil {
		if c, err := x509.ParseCertificate(block.Bytes); err == nil {
			d.CertificateExpiresAt = timestamppb.New(c.NotAfter)
		}
	}
	switch {
	case method == "SUCCESS":
		d.State = set("authenticated")
	case port == "HELD", method == "FAILURE":
		// It waits before it tries again; a switch that is silent never gets
		// here (IEEE 802.1X-2004 8.2.11).
		d.State, d.Failure = set("failed"), set("rejected")
		if port == "HELD" {
			d.State = set("held")
		}
		if d.CertificateExpiresAt != nil && now.After(d.CertificateExpiresAt.AsTime()) {
			d.Failure = set("certificateExpired")
		}
	case port == "AUTHENTICATED": // nobody asked: a port without 802.1X
		d.State = set("idle")
	case port == "DISCONNECTED", port == "LOGOFF", port == "S_FORCE_AUTH", port == "S_FORCE_UNAUTH":
		d.State = set("idle")
	default:
		d.State = set("authenticating")
	}
	return d
}

// managerSignIn is how NetworkManager's sign-in on a wired port ended, by its
// reason for a device's state; nil when the reason is another. It words a wrong
// password as any other end of the supplicant.
func managerSignIn(state, reason uint32) *constatv1.Dot1X {
	const configFailed = 9
	switch {
	case state == managerNeedAuth && reason == reasonNoSecrets:
		return &constatv1.Dot1X{State: set("failed"), Failure: set("rejected")}
	case state != managerFailed && state != managerDisconnected && state != managerNeedAuth:
	case reason == reasonSupplicantTimeout:
		return &constatv1.Dot1X{State: set("failed"), Failure: set("timeout")}
	case reason == reasonSupplicantGone, reason == reasonSupplicantFailed, reason == configFailed:
		return &constatv1.Dot1X{State: set("failed"), Failure: set("other")}
	}
	return nil
}
