package identity

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

var noon = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

func at(t time.Time) func() time.Time { return func() time.Time { return t } }

func newAuthority(t *testing.T) *Authority {
	t.Helper()
	a, err := NewAuthority(noon)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func newClient(t *testing.T, a *Authority, endpoint string, now time.Time, lifetime time.Duration) *tls.Certificate {
	t.Helper()
	key, request, err := NewRequest()
	if err != nil {
		t.Fatal(err)
	}
	c, err := a.SignClient(request, endpoint, now, lifetime)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := CheckIssued(c.Raw, a.Certificate(), key); err != nil {
		t.Fatal(err)
	}
	return &tls.Certificate{Certificate: [][]byte{c.Raw}, PrivateKey: key, Leaf: c}
}

func TestAuthoritySurvivesStorage(t *testing.T) {
	a := newAuthority(t)
	text, err := a.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	b, err := ParseAuthority(text)
	if err != nil {
		t.Fatal(err)
	}
	if a.KeyHash() != b.KeyHash() {
		t.Error("another key came back")
	}
	other, err := newAuthority(t).Marshal()
	if err != nil {
		t.Fatal(err)
	}
	certificate, key, _ := strings.Cut(string(other), "-----BEGIN PRIVATE KEY")
	_, ownKey, _ := strings.Cut(string(text), "-----BEGIN PRIVATE KEY")
	for name, bad := range map[string]string{
		"empty":       "",
		"no key":      certificate,
		"key only":    "-----BEGIN PRIVATE KEY" + key,
		"another key": certificate + "-----BEGIN PRIVATE KEY" + ownKey,
	} {
		if _, err := ParseAuthority([]byte(bad)); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestPeer(t *testing.T) {
	a, foreign := newAuthority(t), newAuthority(t)
	good := newClient(t, a, "0195-a", noon, ClientLifetime)
	server, err := a.ServerTLS([]string{"collector"}, at(noon))
	if err != nil {
		t.Fatal(err)
	}
	own, err := server.GetCertificate(nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		chain []*x509.Certificate
		now   time.Time
		want  error
		text  string
	}{
		"good":                       {chain: []*x509.Certificate{good.Leaf}, now: noon},
		"collector's clock behind":   {chain: []*x509.Certificate{good.Leaf}, now: noon.Add(-47 * time.Hour)},
		"collector far behind":       {chain: []*x509.Certificate{good.Leaf}, now: noon.Add(-72 * time.Hour), text: "3 days behind"},
		"none":                       {now: noon, want: ErrNoCertificate},
		"another authority":          {chain: []*x509.Certificate{newClient(t, foreign, "0195-a", noon, ClientLifetime).Leaf}, now: noon, want: ErrForeign},
		"a collector's certificate":  {chain: []*x509.Certificate{own.Leaf}, now: noon, want: ErrForeign},
		"the authority's":            {chain: []*x509.Certificate{a.Certificate()}, now: noon, want: ErrForeign},
		"expired":                    {chain: []*x509.Certificate{good.Leaf}, now: noon.Add(91 * 24 * time.Hour), want: ErrExpired},
		"expired more than a year":   {chain: []*x509.Certificate{good.Leaf}, now: noon.Add(500 * 24 * time.Hour), text: "enrol this machine again"},
		"foreign, shown with our CA": {chain: []*x509.Certificate{newClient(t, foreign, "0195-a", noon, ClientLifetime).Leaf, a.Certificate()}, now: noon, want: ErrForeign},
	} {
		peer, err := a.Peer(c.chain, c.now)
		switch {
		case c.text != "":
			if err == nil || !strings.Contains(err.Error(), c.text) {
				t.Errorf("%s: error is %v, want one with %q", name, err, c.text)
			}
		case !errors.Is(err, c.want):
			t.Errorf("%s: error is %v, want %v", name, err, c.want)
		case err == nil || errors.Is(err, ErrExpired):
			if peer.EndpointID != "0195-a" || peer.Serial != Serial(good.Leaf) {
				t.Errorf("%s: peer is %+v", name, peer)
			}
		}
	}
}

func TestSignClientRefusesWeakRequests(t *testing.T) {
	a := newAuthority(t)
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	rsaRequest, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, rsaKey)
	if err != nil {
		t.Fatal(err)
	}
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p384Request, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, p384)
	if err != nil {
		t.Fatal(err)
	}
	_, good, err := NewRequest()
	if err != nil {
		t.Fatal(err)
	}
	broken := append([]byte(nil), good...)
	broken[len(broken)-1] ^= 1
	for name, request := range map[string][]byte{
		"RSA": rsaRequest, "P-384": p384Request, "empty": nil, "garbage": []byte("garbage"),
		"wrong signature": broken, "huge": make([]byte, 1<<20),
	} {
		if _, err := a.SignClient(request, "x", noon, ClientLifetime); err == nil {
			t.Errorf("%s: signed", name)
		}
	}
	if _, err := a.SignClient(good, "", noon, ClientLifetime); err == nil {
		t.Error("signed for nobody")
	}
}

func TestRenewAtIsTwoThirds(t *testing.T) {
	c := newClient(t, newAuthority(t), "x", noon, 90*24*time.Hour)
	if got, want := RenewAt(c.Leaf), noon.Add(60*24*time.Hour); !got.Equal(want) {
		t.Errorf("renewed at %v, want %v", got, want)
	}
}

// handshake connects both ends over loopback TCP and gives the client's error,
// and the chain that the server saw.
func handshake(t *testing.T, server, client *tls.Config) ([]*x509.Certificate, error) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	seen := make(chan []*x509.Certificate, 1)
	go func() {
		raw, err := listener.Accept()
		if err != nil {
			seen <- nil
			return
		}
		defer raw.Close()
		conn := tls.Server(raw, server)
		// A refusal by the client is what some cases are about.
		_ = conn.Handshake()
		seen <- conn.ConnectionState().PeerCertificates
	}()
	raw, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	conn := tls.Client(raw, client)
	err = conn.Handshake()
	raw.Close()
	return <-seen, err
}

func TestHandshakes(t *testing.T) {
	a, foreign := newAuthority(t), newAuthority(t)
	server := func(by *Authority, now time.Time) *tls.Config {
		c, err := by.ServerTLS([]string{"collector.example", "192.0.2.7"}, at(now))
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	mine := newClient(t, a, "0195-a", noon, ClientLifetime)
	enrolled := func(name string, now time.Time) *tls.Config {
		return ClientTLS(a.Certificate(), func() *tls.Certificate { return mine }, name, at(now))
	}
	const day = 24 * time.Hour
	for name, c := range map[string]struct {
		server, client *tls.Config
		want           string
	}{
		"enrol":                       {server(a, noon), EnrollTLS(a.KeyHash(), "collector.example", at(noon)), ""},
		"enrol by address":            {server(a, noon), EnrollTLS(a.KeyHash(), "192.0.2.7", at(noon)), ""},
		"enrol, wrong collector":      {server(foreign, noon), EnrollTLS(a.KeyHash(), "collector.example", at(noon)), "made by another collector"},
		"enrol, wrong name":           {server(a, noon), EnrollTLS(a.KeyHash(), "elsewhere", at(noon)), "is for collector.example, 192.0.2.7 and not for elsewhere"},
		"enrol, clock a day behind":   {server(a, noon), EnrollTLS(a.KeyHash(), "collector.example", at(noon.Add(-day))), ""},
		"enrol, clock a day ahead":    {server(a, noon), EnrollTLS(a.KeyHash(), "collector.example", at(noon.Add(day))), ""},
		"enrol, clock 5 days behind":  {server(a, noon), EnrollTLS(a.KeyHash(), "collector.example", at(noon.Add(-5*day))), "5 days behind"},
		"enrol, clock 97 days ahead":  {server(a, noon), EnrollTLS(a.KeyHash(), "collector.example", at(noon.Add(97*day))), "7 days ahead"},
		"enrolled":                    {server(a, noon), enrolled("collector.example", noon), ""},
		"enrolled, other collector":   {server(foreign, noon), enrolled("collector.example", noon), "expected authority"},
		"enrolled, clock a year back": {server(a, noon), enrolled("collector.example", noon.Add(-365*day)), "365 days behind"},
	} {
		chain, err := handshake(t, c.server, c.client)
		if c.want == "" && err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: error is %v, want one with %q", name, err, c.want)
		}
		if name == "enrolled" {
			if peer, err := a.Peer(chain, noon); err != nil || peer.EndpointID != "0195-a" {
				t.Errorf("the server sees %+v, %v", peer, err)
			}
		}
	}
}

func TestServerCertificateIsMadeAnewBeforeItEnds(t *testing.T) {
	a := newAuthority(t)
	now := noon
	c, err := a.ServerTLS([]string{"collector"}, func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	serial := func() string {
		got, err := c.GetCertificate(nil)
		if err != nil {
			t.Fatal(err)
		}
		return Serial(got.Leaf)
	}
	first := serial()
	now = noon.Add(30 * 24 * time.Hour)
	if serial() != first {
		t.Error("made anew long before its end")
	}
	now = noon.Add(61 * 24 * time.Hour)
	if serial() == first {
		t.Error("not made anew after two thirds")
	}
	if _, err := a.ServerTLS(nil, at(noon)); err == nil {
		t.Error("a collector without any name got a certificate")
	}
	if _, err := a.ServerTLS([]string{"köln"}, at(noon)); err == nil {
		t.Error("a name that no certificate can hold was not refused at start")
	}
}

func TestTokenErrorsTellTheMistake(t *testing.T) {
	token, err := NewToken(newAuthority(t).KeyHash())
	if err != nil {
		t.Fatal(err)
	}
	text := token.Text()
	swap := func(i int) string {
		other := byte('a')
		if text[i] == other {
			other = 'b'
		}
		return text[:i] + string(other) + text[i+1:]
	}
	for name, c := range map[string]struct{ text, want string }{
		"as made":          {text, ""},
		"from a file":      {text + "\n", ""},
		"wrapped":          {text[:40] + "\r\n  " + text[40:], ""},
		"upper case":       {strings.ToUpper(text), ""},
		"first letter":     {swap(len(tokenPrefix)), "mistyped"},
		"last letter":      {swap(len(text) - 1), "mistyped"},
		"a one for an l":   {text[:20] + "1" + text[21:], "mistyped"},
		"cut":              {text[:60], "not complete"},
		"empty":            {" \n", "empty"},
		"a password":       {"hunter2", "no enrolment token"},
		"some other file":  {strings.Repeat("x", 1<<20), "no enrolment token"},
		"an older version": {"constat0_" + text[len(tokenPrefix):], "starts with"},
	} {
		got, err := ParseToken(c.text)
		if c.want == "" {
			if err != nil || got != token {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error is %v, want one with %q", name, err, c.want)
		} else if strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), text[20:40]) {
			t.Errorf("%s: the error repeats the token: %v", name, err)
		}
	}
	if printed := fmt.Sprintf("%v %+v %#v %s", token, token, token, token); strings.Count(printed, "<secret>") != 4 {
		t.Errorf("a token prints as %s", printed)
	}
}

func FuzzParseToken(f *testing.F) {
	token := Token{secret: [16]byte{1, 2, 3}, KeyHash: [32]byte{4, 5, 6}}
	f.Add(token.Text())
	f.Add("constat1_")
	f.Fuzz(func(t *testing.T, text string) {
		got, err := ParseToken(text)
		if err != nil {
			return
		}
		again, err := ParseToken(got.Text())
		if err != nil || again != got {
			t.Errorf("%q was read and does not come back: %v", text, err)
		}
	})
}

func TestSeal(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "key")
	if _, err := OpenKeyFile(path); !IsNoKeyFile(err) {
		t.Fatalf("no key file: %v", err)
	}
	key, err := NewKeyFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := NewKeyFile(path); err == nil {
		t.Error("a key file was replaced")
	}
	sealed, err := key.Seal("ca", []byte("the value"))
	if err != nil {
		t.Fatal(err)
	}
	key, err = OpenKeyFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := key.Open("ca", sealed); err != nil || string(got) != "the value" {
		t.Errorf("opened %q, %v", got, err)
	}
	other, err := NewKeyFile(filepath.Join(dir, "other"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.Open("ca", sealed); err == nil || !strings.Contains(err.Error(), "start with the key file") {
		t.Errorf("with another key: %v", err)
	}
	if _, err := key.Open("mail", sealed); err == nil {
		t.Error("a value opened under another's name")
	}
	for i := range sealed {
		damaged := append([]byte(nil), sealed...)
		damaged[i] ^= 0x10
		if _, err := key.Open("ca", damaged); err == nil {
			t.Errorf("opened with byte %d damaged", i)
		}
	}
	if _, err := key.Open("ca", nil); err == nil {
		t.Error("opened nothing")
	}
}

func TestKeyFileMustNotBeReadableByAll(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("needs permission bits, which Windows has not")
	}
	path := filepath.Join(t.TempDir(), "key")
	if _, err := NewKeyFile(path); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("made with %v, %v; want 0600", info.Mode(), err)
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenKeyFile(path); err == nil || !strings.Contains(err.Error(), "chmod") {
		t.Errorf("a key file everyone may read: %v", err)
	}
}

func FuzzKeyFile(f *testing.F) {
	f.Add(keyFileComment + keyFilePrefix + "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n")
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		if key, err := parseKeyFile(text); err == nil && len(key) != 32 {
			t.Errorf("a key of %d bytes was accepted", len(key))
		}
	})
}

func TestSkew(t *testing.T) {
	for off, want := range map[time.Duration]string{
		0:                             "right",
		-time.Second:                  "1 second behind",
		90 * time.Second:              "1 minute 30 seconds ahead",
		-76 * time.Hour:               "3 days 4 hours behind",
		24 * time.Hour:                "1 day ahead",
		25*time.Hour + 59*time.Second: "1 day 1 hour ahead",
	} {
		if got := Skew(off); got != want {
			t.Errorf("Skew(%v) = %q, want %q", off, got, want)
		}
	}
}

// TestOneKeyOfManyStarts: of collectors that start at once, one makes the key.
func TestOneKeyOfManyStarts(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sealing.key")
	var made atomic.Int32
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			switch _, err := NewKeyFile(path); {
			case err == nil:
				made.Add(1)
			case !errors.Is(err, fs.ErrExist):
				t.Error(err)
			}
			if _, err := OpenKeyFile(path); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if made.Load() != 1 {
		t.Errorf("%d keys were made", made.Load())
	}
}
