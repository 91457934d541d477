package privileged

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestLinkVerbsRefuse: what the other half may not ask for.
func TestLinkVerbsRefuse(t *testing.T) {
	for _, argument := range []string{"", "lo", "lo 1000", "no-such-link 1000"} {
		if _, err := hearOffers(t.Context(), argument); err == nil {
			t.Errorf("DHCP was asked with %q", argument)
		}
		if _, err := findOwners(t.Context(), strings.Replace(argument, "1000", "127.0.0.1 1000", 1)); err == nil {
			t.Errorf("ARP was asked with %q", argument)
		}
	}
	for _, link := range []string{"", "..", ".", "../wpa_supplicant/eth0", "a/b", ".hidden"} {
		if _, err := askSupplicant(t.Context(), link); err == nil || errors.Is(err, fs.ErrNotExist) {
			t.Errorf("wpa_supplicant was looked for at %q: %v", link, err)
		}
	}
	inNewNetwork(t, func() {
		command(t, "", "ip", "link", "add", "eth7", "type", "veth", "peer", "name", "far7")
		command(t, "", "ip", "addr", "add", "192.0.2.5/24", "dev", "eth7")
		command(t, "", "ip", "link", "set", "eth7", "up")
		for _, argument := range []string{"eth7", "eth7 0", "eth7 -1", "eth7 4001", "eth7 9 9"} {
			if _, err := hearOffers(t.Context(), argument); err == nil || !strings.Contains(err.Error(), "argument") {
				t.Errorf("DHCP was asked with %q: %v", argument, err)
			}
		}
		if _, err := findOwners(t.Context(), "eth7 192.0.2.6 1000"); err == nil || !strings.Contains(err.Error(), "no address of") {
			t.Errorf("another's address was looked for: %v", err)
		}
	})
}

// TestKeysStay: of a file with a certificate and its key, the key stays.
func TestKeysStay(t *testing.T) {
	file := filepath.Join(t.TempDir(), "both.pem")
	const both = "-----BEGIN PRIVATE KEY-----\nQ0FOQVJZ\n-----END PRIVATE KEY-----\n-----BEGIN CERTIFICATE-----\nSGVsbG8=\n-----END CERTIFICATE-----\n"
	if err := os.WriteFile(file, []byte(both), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := string(certificateIn(file)); strings.Contains(got, "KEY") || !strings.Contains(got, "SGVsbG8=") {
		t.Errorf("%s", got)
	}
	for _, none := range []string{"/dev/zero", "/no/such/file", filepath.Dir(file)} {
		if got := certificateIn(none); got != nil {
			t.Errorf("%s: %s", none, got)
		}
	}
}

// Of a list of networks only numbers go back into a question.
func TestNetworkNumbers(t *testing.T) {
	list := "network id / ssid / bssid / flags\n0\tCorp\tany\t[CURRENT]\n12\tHome\tany\t\n0 psk\tx\tany\t\n-1\tx\tany\t\nFAIL\n"
	if got := networkNumbers(list); !slices.Equal(got, []uint{0, 12}) {
		t.Errorf("%v", got)
	}
	if got := networkNumbers(strings.Repeat("7\tx\tany\t\n", 100)); len(got) != maxNetworks {
		t.Errorf("%d networks are asked about", len(got))
	}
}
