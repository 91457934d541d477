package uplink

import (
	"bufio"
	"encoding/base64"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	constatv1 "constat/proto/constat/v1"
)

// testProxy is a CONNECT proxy that resolves collector.test to loopback.
type testProxy struct {
	address string
	// credentials it wants, USER:PASSWORD; empty: none.
	credentials string
	// reply is what it answers instead of connecting.
	reply string

	mu   sync.Mutex
	seen []string
}

func (p *testProxy) start(t *testing.T) *testProxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p.address = listener.Addr().String()
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go p.serve(conn)
		}
	}()
	return p
}

func (p *testProxy) serve(conn net.Conn) {
	defer conn.Close()
	reader := bufio.NewReader(conn)
	request, err := http.ReadRequest(reader)
	if err != nil {
		return
	}
	p.mu.Lock()
	p.seen = append(p.seen, request.Method+" "+request.Host)
	p.mu.Unlock()
	if p.reply != "" {
		io.WriteString(conn, p.reply)
		return
	}
	want := "Basic " + base64.StdEncoding.EncodeToString([]byte(p.credentials))
	if p.credentials != "" && request.Header.Get("Proxy-Authorization") != want {
		io.WriteString(conn, "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=\"office\"\r\nContent-Length: 0\r\n\r\n")
		return
	}
	upstream, err := net.Dial("tcp", strings.Replace(request.Host, "collector.test", "127.0.0.1", 1))
	if err != nil {
		io.WriteString(conn, "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
		return
	}
	defer upstream.Close()
	io.WriteString(conn, "HTTP/1.1 200 Connection established\r\nX-Proxy: test\r\n\r\n")
	go func() {
		io.Copy(upstream, reader)
		upstream.Close()
	}()
	io.Copy(conn, upstream)
}

func (p *testProxy) requests() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.seen
}

// named gives the collector's address by a name that only the proxy resolves.
func (c *testCollector) named() string {
	return strings.Replace(c.address, "127.0.0.1", "collector.test", 1)
}

func TestTheLinkGoesThroughAProxy(t *testing.T) {
	c := startCollector(t)
	for name, proxy := range map[string]*testProxy{
		"open":          {},
		"with password": {credentials: "ana:p@ss/word"},
	} {
		t.Run(name, func(t *testing.T) {
			proxy.start(t)
			at := &url.URL{Scheme: "http", Host: proxy.address}
			if user, password, ok := strings.Cut(proxy.credentials, ":"); ok {
				at.User = url.UserPassword(user, password)
			}
			dir := t.TempDir()
			if err := Enroll(t.Context(), c.named(), c.token, dir, &constatv1.EnrollRequest{}, Proxy(at.String())); err != nil {
				t.Fatal(err)
			}
			l, err := Open(dir, Proxy(at.String()))
			if err != nil {
				t.Fatal(err)
			}
			c.run(l, Handlers{})
			within(t, c.hellos, "hello through the proxy")
			for _, r := range proxy.requests() {
				if r != "CONNECT "+c.named() {
					t.Errorf("the proxy was asked for %q", r)
				}
			}
		})
	}
}

func TestTheEnvironmentNamesTheProxy(t *testing.T) {
	c := startCollector(t)
	proxy := (&testProxy{credentials: "ana:secret"}).start(t)
	t.Setenv("HTTPS_PROXY", "http://ana:secret@"+proxy.address)
	t.Setenv("NO_PROXY", "")
	if err := Enroll(t.Context(), c.named(), c.token, t.TempDir(), &constatv1.EnrollRequest{}); err != nil {
		t.Error(err)
	}
	if len(proxy.requests()) == 0 {
		t.Error("HTTPS_PROXY was not heeded")
	}
	before := len(proxy.requests())
	t.Setenv("NO_PROXY", "collector.test")
	err := Enroll(t.Context(), c.named(), c.token, t.TempDir(), &constatv1.EnrollRequest{})
	if err == nil || len(proxy.requests()) != before {
		t.Errorf("NO_PROXY was not heeded: %v", err)
	}
}

func TestProxyErrorsSayWhatToDo(t *testing.T) {
	c := startCollector(t)
	const password = "hunter2"
	for name, r := range map[string]struct {
		proxy *testProxy
		user  *url.Userinfo
		want  string
	}{
		"password wanted":  {&testProxy{credentials: "ana:" + password}, nil, "wants a user name and a password (407"},
		"password wrong":   {&testProxy{credentials: "ana:other"}, url.UserPassword("ana", password), "refuses the user name or the password"},
		"forbidden":        {&testProxy{reply: "HTTP/1.1 403 Forbidden\r\n\r\n"}, nil, "allow CONNECT"},
		"no HTTP":          {&testProxy{reply: "SSH-2.0-OpenSSH_9.2\r\n"}, nil, "does not answer as an HTTP proxy"},
		"endless header":   {&testProxy{reply: "HTTP/1.1 200 OK\r\n" + strings.Repeat("X-A: b\r\n", 20_000)}, nil, "does not answer as an HTTP proxy"},
		"talks in between": {&testProxy{reply: "HTTP/1.1 200 OK\r\n\r\nhello"}, nil, "data of its own"},
	} {
		r.proxy.start(t)
		at := &url.URL{Scheme: "http", Host: r.proxy.address, User: r.user}
		err := Enroll(t.Context(), c.named(), c.token, t.TempDir(), &constatv1.EnrollRequest{}, Proxy(at.String()))
		if err == nil || !strings.Contains(err.Error(), r.want) {
			t.Errorf("%s: error is %v, want one with %q", name, err, r.want)
		} else if strings.Contains(err.Error(), password) {
			t.Errorf("%s: the error holds the password: %v", name, err)
		}
	}
	for _, bad := range []string{"socks5://127.0.0.1:1080", "127.0.0.1:3128", "http://ana:" + password + "%zz@127.0.0.1:1"} {
		err := Enroll(t.Context(), c.named(), c.token, t.TempDir(), &constatv1.EnrollRequest{}, Proxy(bad))
		if err == nil || !strings.Contains(err.Error(), "http://") || strings.Contains(err.Error(), password) {
			t.Errorf("%s: error is %v", strings.ReplaceAll(bad, password, "…"), err)
		}
	}
}

func TestWhatIsNoCollectorIsCalledSo(t *testing.T) {
	c := startCollector(t)
	web, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer web.Close()
	go http.Serve(web, http.NotFoundHandler())
	err = Enroll(t.Context(), web.Addr().String(), c.token, t.TempDir(), &constatv1.EnrollRequest{}, Proxy(Direct))
	if err == nil || !strings.Contains(err.Error(), "not with TLS") {
		t.Errorf("a plain web server: %v", err)
	}
}

func TestProxyAddress(t *testing.T) {
	for text, want := range map[string]string{
		"http://proxy":        "proxy:80",
		"https://proxy":       "proxy:443",
		"http://proxy:3128":   "proxy:3128",
		"http://[::1]:3128":   "[::1]:3128",
		"http://ana:x@proxy/": "proxy:80",
	} {
		u, err := url.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := proxyAddress(u); got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
}
