package uplink

import (
	"net"
	"net/netip"
	"net/url"
	"os"
	"strings"
)

// environmentProxy is the proxy that HTTPS_PROXY names for host:port, unless
// NO_PROXY excepts it, or it is this machine. It follows the usual reading of the
// two (golang.org/x/net/http/httpproxy), but for names in other alphabets: that
// package's tables for them are a quarter of a megabyte, and collectors are named
// in ASCII.
func environmentProxy(address string) (*url.URL, error) {
	proxy := eitherCase("HTTPS_PROXY")
	if proxy == "" || excepted(address, eitherCase("NO_PROXY")) {
		return nil, nil
	}
	parsed, err := url.Parse(proxy)
	if err != nil || parsed.Scheme == "" || parsed.Host == "" {
		// "host:port", without a scheme, is usual as well.
		return url.Parse("http://" + proxy)
	}
	return parsed, nil
}

func eitherCase(name string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return os.Getenv(strings.ToLower(name))
}

// excepted tells whether host:port is reached directly.
func excepted(address, list string) bool {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	host = strings.ToLower(host)
	ip, err := netip.ParseAddr(host)
	if host == "localhost" || err == nil && ip.IsLoopback() {
		return true
	}
	for entry := range strings.SplitSeq(list, ",") {
		entry = strings.ToLower(strings.TrimSpace(entry))
		switch {
		case entry == "":
			continue
		case entry == "*":
			return true
		}
		if prefix, err := netip.ParsePrefix(entry); err == nil {
			if ip.IsValid() && prefix.Contains(ip.Unmap()) {
				return true
			}
			continue
		}
		if name, only, err := net.SplitHostPort(entry); err == nil {
			if only != port {
				continue
			}
			entry = name
		}
		if other, err := netip.ParseAddr(strings.Trim(entry, "[]")); err == nil {
			if other == ip {
				return true
			}
			continue
		}
		// "example.com" is it and all below, ".example.com" and "*.example.com"
		// only what is below.
		below := strings.TrimPrefix(entry, "*")
		if !strings.HasPrefix(below, ".") {
			if host == below {
				return true
			}
			below = "." + below
		}
		if strings.HasSuffix(host, below) {
			return true
		}
	}
	return false
}
