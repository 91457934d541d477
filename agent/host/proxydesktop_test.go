package host

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	constatv1 "constat/proto/constat/v1"
)

func TestDesktopProxy(t *testing.T) {
	for name, c := range map[string]struct {
		files map[string]string
		want  *constatv1.Proxy
	}{
		"nothing": {map[string]string{"etc/dconf/db/local.d/00-clock": "[org/gnome/desktop/interface]\nclock-format='24h'\n"}, nil},
		"GNOME, by hand": {
			map[string]string{"etc/dconf/db/local.d/01-proxy": "# ours\n[system/proxy]\nmode='manual'\nignore-hosts=['localhost', '*.corp.example']\n[system/proxy/http]\nhost='proxy.example'\nport=3128\n[system/proxy/https]\nhost='proxy.example'\nport=0\n"},
			&constatv1.Proxy{Mode: set("manual"), Http: set("proxy.example:3128"), Source: set("gnome"), Exceptions: []string{"localhost", "*.corp.example"}},
		},
		"GNOME, by a script": {
			map[string]string{"etc/dconf/db/site.d/proxy": "[system/proxy]\nmode='auto'\nautoconfig-url='http://ann:CANARY@pac.example/a.pac?CANARY'\n"},
			&constatv1.Proxy{Mode: set("pac"), PacUrl: set("http://pac.example/a.pac"), Source: set("gnome")},
		},
		"KDE, by hand": {
			map[string]string{"etc/xdg/kioslaverc": "[Proxy Settings]\nProxyType=1\nhttpProxy=http://ann:CANARY@proxy.example 8080\nhttpsProxy=proxy.example:8443\nNoProxyFor=localhost,.corp.example\n"},
			&constatv1.Proxy{Mode: set("manual"), Http: set("proxy.example:8080"), Https: set("proxy.example:8443"), Source: set("kde"), Exceptions: []string{"localhost", ".corp.example"}},
		},
		"KDE, found by itself": {map[string]string{"etc/xdg/kioslaverc": "[Proxy Settings]\nProxyType=3\n"}, &constatv1.Proxy{Mode: set("wpad"), Source: set("kde")}},
	} {
		r := &reader{Config: Config{Root: tree(t, c.files)}}
		got := r.desktopProxy()
		if got.GetPacUrl() != "" {
			told(t, &constatv1.Snapshot{Network: &constatv1.Network{Proxy: got}})
		}
		if diff := cmp.Diff(c.want, got, protocmp.Transform()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func FuzzDesktopProxy(f *testing.F) {
	f.Add([]byte("[system/proxy]\nmode='auto'\nautoconfig-url='http://a:b@c/d'\n[Proxy Settings]\nProxyType=1\nhttpProxy=http://a:b@c 8\n"))
	f.Fuzz(func(t *testing.T, content []byte) {
		sections := parseSections(content)
		for _, p := range []*constatv1.Proxy{gnomeProxy(sections), kdeProxy(sections)} {
			if strings.Contains(p.GetHttp()+p.GetHttps(), "@") {
				t.Errorf("an account is told: %v", p)
			}
		}
	})
}
