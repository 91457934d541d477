package host

import (
	"net"
	"net/url"
	"strings"

	constatv1 "constat/proto/constat/v1"
)

// parseSections reads key files: [section], key=value. Quotes around values, and
// lines that are neither, are dropped.
func parseSections(content []byte) map[string]map[string]string {
	const most = 256
	sections := map[string]map[string]string{}
	section := map[string]string{}
	for line := range strings.Lines(string(content)) {
		line = strings.TrimSpace(line)
		if name, ok := strings.CutPrefix(line, "["); ok && strings.HasSuffix(name, "]") {
			section = map[string]string{}
			if len(sections) < most {
				sections[strings.TrimSuffix(name, "]")] = section
			}
			continue
		}
		key, value, found := strings.Cut(line, "=")
		if found && !strings.HasPrefix(line, "#") && len(section) < most {
			section[strings.TrimSpace(key)] = strings.Trim(strings.TrimSpace(value), "'\"")
		}
	}
	return sections
}

// gnomeProxy reads org.gnome.system.proxy; nil when the file does not set it.
func gnomeProxy(sections map[string]map[string]string) *constatv1.Proxy {
	base := sections["system/proxy"]
	p := &constatv1.Proxy{Source: set("gnome")}
	switch base["mode"] {
	case "none":
		p.Mode = set("none")
	case "auto":
		p.Mode, p.PacUrl = set("pac"), withoutUser(base["autoconfig-url"])
		if p.PacUrl == nil {
			p.Mode = set("wpad")
		}
	case "manual":
		address := func(kind string) *string {
			s := sections["system/proxy/"+kind]
			if s["host"] == "" || s["port"] == "" || s["port"] == "0" {
				return nil
			}
			return filled(proxyAddress(net.JoinHostPort(s["host"], s["port"])))
		}
		p.Mode, p.Http, p.Https = set("manual"), address("http"), address("https")
		for word := range strings.FieldsFuncSeq(base["ignore-hosts"], func(c rune) bool { return strings.ContainsRune("[]', ", c) }) {
			p.Exceptions = append(p.Exceptions, word)
		}
	default:
		return nil
	}
	return p
}

// kdeProxy reads kioslaverc; nil when the file does not set it.
func kdeProxy(sections map[string]map[string]string) *constatv1.Proxy {
	base := sections["Proxy Settings"]
	p := &constatv1.Proxy{Source: set("kde")}
	switch base["ProxyType"] {
	case "0":
		p.Mode = set("none")
	case "1":
		// "http://proxy.example 3128", the port behind a blank
		address := func(key string) *string {
			host, port, apart := strings.Cut(base[key], " ")
			if apart {
				host += ":" + port
			}
			return filled(proxyAddress(host))
		}
		p.Mode, p.Http, p.Https = set("manual"), address("httpProxy"), address("httpsProxy")
		for word := range strings.FieldsFuncSeq(base["NoProxyFor"], func(c rune) bool { return c == ',' || c == ' ' }) {
			p.Exceptions = append(p.Exceptions, word)
		}
	case "2":
		p.Mode, p.PacUrl = set("pac"), withoutUser(base["Proxy Config Script"])
	case "3":
		p.Mode = set("wpad")
	default:
		return nil
	}
	return p
}

// withoutUser is a URL without user, password, query and fragment; nil for what
// is none.
func withoutUser(text string) *string {
	u, err := url.Parse(text)
	if err != nil || u.Scheme == "" {
		return nil
	}
	u.User, u.RawQuery, u.Fragment = nil, "", ""
	return filled(u.String())
}
