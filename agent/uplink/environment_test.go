package uplink

import (
	"net/url"
	"testing"

	"golang.org/x/net/http/httpproxy"
)

// What the environment says of proxies is read as everybody reads it.
func TestEnvironmentProxy(t *testing.T) {
	for _, name := range []string{"HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "NO_PROXY", "no_proxy"} {
		t.Setenv(name, "")
	}
	for _, proxy := range []string{"", "http://proxy.example:3128", "proxy.example:3128", "https://user:secret@proxy.example", "10.0.0.1:8080"} {
		t.Setenv("HTTPS_PROXY", proxy)
		for _, list := range []string{
			"", "*", "desk.example", ".example", "*.example", "example", "desk.example:7400", "desk.example:1", "192.0.2.0/24", "192.0.2.7", "2001:db8::/32",
			"[2001:db8::1]:7400", " other.example , DESK.example", "k.example", "192.0.2.7:7400,", "::1,127.0.0.1",
		} {
			t.Setenv("NO_PROXY", list)
			for _, address := range []string{"desk.example:7400", "DESK.EXAMPLE:7400", "example:7400", "192.0.2.7:7400", "[2001:db8::1]:7400", "localhost:7400", "127.0.0.1:7400", "[::1]:7400", "203.0.113.9:443"} {
				got, err := environmentProxy(address)
				want, wrong := httpproxy.FromEnvironment().ProxyFunc()(&url.URL{Scheme: "https", Host: address})
				if (err == nil) != (wrong == nil) || got == nil != (want == nil) || got != nil && got.String() != want.String() {
					t.Errorf("%q except %q to %s: %v, %v; want %v, %v", proxy, list, address, got, err, want, wrong)
				}
			}
		}
	}
}
