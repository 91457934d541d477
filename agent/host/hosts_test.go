package host

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestParseHosts(t *testing.T) {
	for _, c := range []struct {
		name, content string
		want          []string
	}{
		{"the system's own", "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\nff02::1 ip6-allnodes\n127.0.1.1 laptop.office.example laptop\n", nil},
		{"an override", "127.0.0.1 localhost\n192.0.2.7\tWWW.Bank.example. # left over\n", []string{"www.bank.example 192.0.2.7 2"}},
		{"blocked by an address of nobody", "0.0.0.0 ads.example\n", []string{"ads.example 0.0.0.0 1"}},
		{"loopback for a foreign name", "127.0.0.1 intranet.example\n", []string{"intranet.example 127.0.0.1 1"}},
		{"the own name elsewhere", "192.0.2.7 laptop\n", []string{"laptop 192.0.2.7 1"}},
		{"two names, sorted", "192.0.2.7 b.example a.example\n", []string{"a.example 192.0.2.7 1", "b.example 192.0.2.7 1"}},
		{"rubbish", "#\n\n192.0.2.7\nnot-an-address name\n", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			entries, err := parseHosts([]byte(c.content), "old", "laptop")
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, e := range entries {
				got = append(got, fmt.Sprintf("%s %s %d", e.GetName(), e.GetAddress(), e.GetLine()))
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

func TestParseHostsBounds(t *testing.T) {
	var b strings.Builder
	for i := range maxHosts + 5 {
		fmt.Fprintf(&b, "0.0.0.0 ads%d.example\n", i)
	}
	entries, err := parseHosts([]byte(b.String()), "")
	if len(entries) != maxHosts || err == nil || !strings.Contains(err.Error(), "5 more") {
		t.Errorf("%d entries, error %v", len(entries), err)
	}
}

func FuzzParseHosts(f *testing.F) {
	f.Add([]byte("192.0.2.7 a b # c\n"), "laptop")
	f.Add([]byte("::1%x \xff\n"), "")
	f.Fuzz(func(t *testing.T, content []byte, hostname string) {
		entries, _ := parseHosts(content, hostname)
		if len(entries) > maxHosts {
			t.Errorf("%d entries", len(entries))
		}
		for _, e := range entries {
			if e.GetName() == "" || e.GetAddress() == "" || e.GetLine() < 1 {
				t.Errorf("entry %v", e)
			}
		}
	})
}
