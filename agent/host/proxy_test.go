package host

import (
	"strings"
	"testing"

	constatv1 "constat/proto/constat/v1"
)

func TestProxyThatEverythingIsExceptedFrom(t *testing.T) {
	env := map[string]string{"http_proxy": "http://proxy.example:3128", "no_proxy": "localhost, *"}
	if p := proxyFrom(func(name string) string { return env[name] }); p.GetMode() != "none" || p.Http != nil {
		t.Error(p)
	}
}

func TestProxyFrom(t *testing.T) {
	for _, c := range []struct {
		name              string
		env               map[string]string
		mode, http, https string
	}{
		{"nothing", nil, "none", "", ""},
		{"both", map[string]string{"http_proxy": "http://proxy.example:3128", "HTTPS_PROXY": "proxy.example:3129/"}, "manual", "proxy.example:3128", "proxy.example:3129"},
		{"the lower-case name wins", map[string]string{"http_proxy": "a:1", "HTTP_PROXY": "b:2"}, "manual", "a:1", ""},
		{"for all", map[string]string{"ALL_PROXY": "socks5://proxy.example"}, "manual", "proxy.example:1080", "proxy.example:1080"},
		{"default port", map[string]string{"https_proxy": "https://proxy.example"}, "manual", "", "proxy.example:443"},
		{"IPv6", map[string]string{"https_proxy": "http://[2001:db8::1]:3128"}, "manual", "", "[2001:db8::1]:3128"},
		{"rubbish", map[string]string{"https_proxy": "http://%zz", "http_proxy": "://"}, "none", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := proxyFrom(func(name string) string { return c.env[name] })
			if p.GetMode() != c.mode || p.GetHttp() != c.http || p.GetHttps() != c.https {
				t.Errorf("got %v", p)
			}
		})
	}
}

func TestProxyKeepsNoSecret(t *testing.T) {
	const canary = "hunter2"
	p := proxyFrom(func(name string) string {
		if name == "https_proxy" {
			return "http://alice:" + canary + "@proxy.example:3128"
		}
		return ""
	})
	if text := p.String(); strings.Contains(text, canary) || strings.Contains(text, "alice") {
		t.Errorf("the proxy tells its user: %s", text)
	}
}

func TestBypasses(t *testing.T) {
	p := &constatv1.Proxy{Exceptions: []string{"localhost", ".office.example", "*.lab.example"}}
	for host, want := range map[string]bool{
		"localhost": true, "www.office.example": true, "office.example": true, "x.lab.example": true,
		"example": false, "notoffice.example": false,
	} {
		if got := bypasses(p, host); got != want {
			t.Errorf("%s: %v", host, got)
		}
	}
	if !bypasses(&constatv1.Proxy{Exceptions: []string{"*"}}, "any.example") {
		t.Error("* must name every host")
	}
}

func TestReadProxyFromEnvironmentFile(t *testing.T) {
	root := tree(t, map[string]string{"etc/environment": "# set by IT\nexport https_proxy=\"http://proxy.example:3128\"\nno_proxy=localhost,.office.example\n"})
	p := networkOf(t, root).GetProxy()
	if p.GetMode() != "manual" || p.GetHttps() != "proxy.example:3128" || len(p.GetExceptions()) != 2 {
		t.Errorf("got %v", p)
	}
}

func FuzzProxyFrom(f *testing.F) {
	f.Add([]byte("http_proxy=http://u:p@h:1\n"))
	f.Add([]byte("export https_proxy='[::1]:x'\nno_proxy=,,\n"))
	f.Fuzz(func(t *testing.T, content []byte) {
		values := parseEnvironment(content)
		p := proxyFrom(func(name string) string { return values[name] })
		if (p.GetMode() == "none") != (p.Http == nil && p.Https == nil) {
			t.Errorf("got %v", p)
		}
		bypasses(p, "www.example")
	})
}
