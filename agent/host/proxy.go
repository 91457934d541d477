package host

import (
	"bufio"
	"bytes"
	"net"
	"net/url"
	"slices"
	"strings"

	constatv1 "constat/proto/constat/v1"
)

// proxyFrom reads the variables that curl, Go and most programs obey; look
// returns "" for what is not set. A lower-case name wins, as in curl. What is
// not a usable address is passed over; user and password are dropped here.
func proxyFrom(look func(string) string) *constatv1.Proxy {
	either := func(name string) string {
		if v := look(name); v != "" {
			return v
		}
		return look(strings.ToUpper(name))
	}
	all := proxyAddress(either("all_proxy"))
	p := &constatv1.Proxy{Mode: set("none"), Source: set("environment")}
	if a := proxyAddress(either("http_proxy")); a != "" {
		p.Http = &a
	} else {
		p.Http = filled(all)
	}
	if a := proxyAddress(either("https_proxy")); a != "" {
		p.Https = &a
	} else {
		p.Https = filled(all)
	}
	if p.Http == nil && p.Https == nil {
		return p
	}
	p.Mode = set("manual")
	for _, e := range strings.Split(either("no_proxy"), ",") {
		if e = strings.TrimSpace(e); e != "" {
			p.Exceptions = append(p.Exceptions, e)
		}
	}
	if slices.Contains(p.Exceptions, "*") {
		p.Mode, p.Http, p.Https = set("none"), nil, nil // nothing is ever sent to it
	}
	return p
}

// proxyAddress turns "http://user:secret@proxy:3128/" into "proxy:3128". A
// missing port is the scheme's. "" means no usable address.
func proxyAddress(text string) string {
	if text == "" {
		return ""
	}
	if !strings.Contains(text, "://") {
		text = "http://" + text
	}
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" {
		return ""
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"https": "443", "socks5": "1080", "socks5h": "1080"}[u.Scheme]
	}
	if port == "" {
		port = "80"
	}
	return net.JoinHostPort(u.Hostname(), port)
}

// bypasses tells whether the exceptions of a proxy name this host: "*", the
// name itself or a domain it lies in.
func bypasses(p *constatv1.Proxy, host string) bool {
	host = strings.ToLower(host)
	for _, e := range p.GetExceptions() {
		e = strings.ToLower(strings.TrimPrefix(strings.TrimPrefix(e, "*"), "."))
		if e == "" || host == e || strings.HasSuffix(host, "."+e) {
			return true
		}
	}
	return false
}

// parseEnvironment reads the NAME=value lines of /etc/environment, as pam_env
// does: quotes around a value and a leading "export" are dropped.
func parseEnvironment(content []byte) map[string]string {
	values := map[string]string{}
	lines := bufio.NewScanner(bytes.NewReader(content))
	for lines.Scan() {
		line := strings.TrimPrefix(strings.TrimSpace(lines.Text()), "export ")
		name, value, ok := strings.Cut(line, "=")
		if !ok || strings.HasPrefix(name, "#") {
			continue
		}
		values[strings.TrimSpace(name)] = strings.Trim(strings.TrimSpace(value), `"'`)
	}
	return values
}
