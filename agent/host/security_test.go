package host

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"
)

// certificate makes a certificate that signs itself.
func certificate(t testing.TB, subject pkix.Name) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: subject, NotBefore: time.Unix(0, 0), NotAfter: time.Unix(1<<32, 0)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func TestRootSubjects(t *testing.T) {
	corp, unnamed := certificate(t, pkix.Name{CommonName: "Corp Root", Organization: []string{"Corp"}}), certificate(t, pkix.Name{Organization: []string{"Only Org"}})
	bundle := slices.Concat(
		pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: corp}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte("secret")}),
		pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("broken")}),
		pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: unnamed}))
	if got := rootSubjects(bundle); !slices.Equal(got, []string{"Corp Root", "Only Org"}) {
		t.Errorf("subjects %q", got)
	}
	if got := rootSubjects(corp); !slices.Equal(got, []string{"Corp Root"}) {
		t.Errorf("subjects of a DER file %q", got)
	}
	if got := rootSubjects([]byte("notes")); got != nil {
		t.Errorf("subjects out of nothing: %q", got)
	}
}

func TestProtectionTable(t *testing.T) {
	kinds := []string{"antivirus", "edr", "firewall"}
	for i, p := range protections {
		if p.unit == "" || p.name == "" || !slices.Contains(kinds, p.kind) {
			t.Errorf("row %d: %+v", i, p)
		}
	}
	if len(protections) < 10 {
		t.Errorf("%d products", len(protections))
	}
	for unit, want := range map[string]string{"mdatp.service": "system.slice/mdatp.service", "clamd@scan.service": "system.slice/system-clamd.slice/clamd@scan.service"} {
		if got := unitGroup(unit); got != want {
			t.Errorf("%s is at %s, want %s", unit, got, want)
		}
	}
}

func TestClamBuilt(t *testing.T) {
	const head = "ClamAV-VDB:20 Nov 2026 08-30 +0000:27830:2068514:90:0123456789abcdef0123456789abcdef:signature:raynman:1795163400"
	if at := clamBuilt([]byte(head + strings.Repeat(" ", 400))); at.Unix() != 1795163400 {
		t.Errorf("built %v", at)
	}
	for _, other := range []string{"", "ClamAV-VDB:", head[:60], strings.Replace(head, "1795163400", "soon", 1), "x" + head} {
		if at := clamBuilt([]byte(other)); !at.IsZero() {
			t.Errorf("%q: built %v", other, at)
		}
	}
}

func FuzzClamBuilt(f *testing.F) {
	f.Add([]byte("ClamAV-VDB:20 Nov 2026 08-30 +0000:27830:2068514:90:0:s:b:1795163400"))
	f.Fuzz(func(t *testing.T, head []byte) {
		if at := clamBuilt(head); !at.IsZero() && at.Unix() < 1e9 {
			t.Errorf("%v", at)
		}
	})
}
