package host

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestParseResolvConf(t *testing.T) {
	for _, c := range []struct {
		name, content   string
		servers, search []string
	}{
		{"empty", "", nil, nil},
		{"comments only", "# nameserver 192.0.2.1\n; nameserver 192.0.2.2\n", nil, nil},
		{"plain", "nameserver 192.0.2.1\nsearch office.example home.example\n", []string{"192.0.2.1"}, []string{"office.example", "home.example"}},
		{"no line end", "nameserver 192.0.2.1", []string{"192.0.2.1"}, nil},
		{"tabs, CRLF", "nameserver\t192.0.2.1\r\n", []string{"192.0.2.1"}, nil},
		{"link-local with zone", "nameserver fe80::1%eth0\n", []string{"fe80::1%eth0"}, nil},
		{"only three are asked", "nameserver 192.0.2.1\nnameserver 192.0.2.2\nnameserver 192.0.2.3\nnameserver 192.0.2.4\n", []string{"192.0.2.1", "192.0.2.2", "192.0.2.3"}, nil},
		{"a name is no address", "nameserver dns.example\nnameserver 300.1.1.1\nnameserver\n", nil, nil},
		{"the last of domain and search counts", "search a.example b.example\ndomain c.example\n", nil, []string{"c.example"}},
		{"systemd's word for none", "search .\n", nil, nil},
		{"options are no servers", "options edns0 trust-ad\n", nil, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := parseResolvConf([]byte(c.content))
			var servers []string
			for _, s := range got.servers {
				servers = append(servers, s.String())
			}
			if !slices.Equal(servers, c.servers) || !slices.Equal(got.search, c.search) {
				t.Errorf("got %v, %v; want %v, %v", servers, got.search, c.servers, c.search)
			}
		})
	}
}

func FuzzParseResolvConf(f *testing.F) {
	f.Add([]byte("nameserver 192.0.2.1\nsearch a b\n"))
	f.Add([]byte("domain \x00\nnameserver ::1%\xff\n"))
	f.Add([]byte(strings.Repeat("nameserver 192.0.2.1\n", 100)))
	f.Fuzz(func(t *testing.T, content []byte) {
		c := parseResolvConf(content)
		if len(c.servers) > maxServers || len(c.search) > maxSearch {
			t.Errorf("%d servers, %d domains", len(c.servers), len(c.search))
		}
		for _, s := range c.servers {
			if !s.IsValid() {
				t.Errorf("server %v", s)
			}
		}
	})
}

func TestReadResolvers(t *testing.T) {
	root := tree(t, map[string]string{
		"etc/resolv.conf":                 "nameserver 127.0.0.53\nsearch office.example\n",
		"run/systemd/resolve/resolv.conf": "nameserver 192.0.2.1\nnameserver 2001:db8::1\n",
	})
	n := networkOf(t, root)
	var got []string
	for _, r := range n.GetResolvers() {
		got = append(got, fmt.Sprintf("%s %v %s", r.GetAddress(), r.GetStub(), r.GetOrigin()))
	}
	want := []string{"127.0.0.53 true resolv.conf", "192.0.2.1 false resolved", "2001:db8::1 false resolved"}
	if !slices.Equal(got, want) {
		t.Errorf("resolvers %v, want %v", got, want)
	}
	if n := networkOf(t, tree(t, nil)); len(n.GetResolvers()) != 0 {
		t.Errorf("without a resolv.conf: %v", n.GetResolvers())
	}
}
