package host

import (
	"crypto/x509/pkix"
	"encoding/pem"
	"slices"
	"testing"

	"google.golang.org/protobuf/types/known/timestamppb"

	constatv1 "constat/proto/constat/v1"
)

func TestMachineCertificates(t *testing.T) {
	pc := certificate(t, pkix.Name{CommonName: "pc-ann.corp.example"})
	file := slices.Concat(
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte("secret")}),
		pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: pc}),
		pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("broken")}))
	found := machineCertificates(file, "network")
	if len(found) != 1 || found[0].GetSubject() != "pc-ann.corp.example" || found[0].GetPurpose() != "network" || found[0].GetNotAfter().GetSeconds() != 1<<32 {
		t.Errorf("certificates %v", found)
	}
	if found := machineCertificates(pc, ""); len(found) != 1 || found[0].GetPurpose() != "other" {
		t.Errorf("of a DER file: %v", found)
	}
}

func FuzzCertificates(f *testing.F) {
	f.Add(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate(f, pkix.Name{CommonName: "x"})}))
	f.Fuzz(func(t *testing.T, content []byte) {
		if found := machineCertificates(content, ""); len(found) > maxCertificates {
			t.Errorf("%d certificates", len(found))
		}
		rootSubjects(content)
	})
}

func TestPlacesOfCertificates(t *testing.T) {
	pc := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate(t, pkix.Name{CommonName: "pc"})}))
	root := tree(t, map[string]string{
		"etc/NetworkManager/certs/client.pem":   pc,
		"etc/NetworkManager/certs/readme.txt":   pc,
		"etc/letsencrypt/live/www/cert.pem":     pc,
		"etc/letsencrypt/live/www/privkey.pem":  pc,
		"etc/letsencrypt/live/README":           "",
		"etc/openvpn/client/server-key.pem":     pc,
		"etc/NetworkManager/certs/nothing.cer":  "",
		"etc/NetworkManager/certs/more/pc.cert": pc,
	})
	found, err := readCertificates(newReader(t.Context(), Config{Root: root}))
	told(t, &constatv1.Snapshot{Security: &constatv1.Security{Certificates: found}})
	if err != nil || len(found) != 2 || found[0].GetPurpose() != "network" || found[1].GetPurpose() != "server" ||
		found[0].GetNotAfter().AsTime() != (&timestamppb.Timestamp{Seconds: 1 << 32}).AsTime() {
		t.Errorf("certificates %v, error %v", found, err)
	}
	if _, err := readCertificates(newReader(t.Context(), Config{Root: t.TempDir()})); statusOf(err) != statusUnsupported {
		t.Errorf("where there are none: %v", err)
	}
}
