package host

import (
	"bufio"
	"bytes"
	"net/netip"
	"slices"
	"strings"
)

// maxServers is how many servers of resolv.conf the C library asks (MAXNS);
// those below are dead letters.
const maxServers = 3

// maxSearch bounds the search list; glibc has no limit since 2.26, the
// resolvers' manual page says six.
const maxSearch = 32

// resolvConf is what resolv.conf(5) says about who is asked.
type resolvConf struct {
	servers []netip.Addr
	search  []string
}

// parseResolvConf reads resolv.conf(5) the way the C library does: unknown
// lines and malformed addresses are passed over, the last of `search` and
// `domain` counts.
func parseResolvConf(content []byte) resolvConf {
	var c resolvConf
	lines := bufio.NewScanner(bytes.NewReader(content))
	for lines.Scan() {
		words := strings.Fields(lines.Text())
		if len(words) < 2 {
			continue
		}
		switch words[0] {
		case "nameserver":
			a, err := netip.ParseAddr(words[1])
			if err == nil && len(c.servers) < maxServers && !slices.Contains(c.servers, a) {
				c.servers = append(c.servers, a)
			}
		case "domain":
			c.search = searchList(words[1:2])
		case "search":
			c.search = searchList(words[1:])
		}
	}
	return c
}

// searchList drops what is no domain: comments behind the list, the lone dot
// that systemd writes for "none".
func searchList(words []string) []string {
	var list []string
	for _, w := range words {
		if strings.HasPrefix(w, "#") || len(list) == maxSearch {
			break
		}
		if w = strings.ToLower(strings.Trim(w, ".")); w != "" {
			list = append(list, w)
		}
	}
	return list
}
