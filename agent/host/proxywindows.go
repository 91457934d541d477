package host

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	constatv1 "constat/proto/constat/v1"
)

// Flags of a connection's proxy (INTERNET_PER_CONN_FLAGS, wininet.h).
const (
	proxyManual = 1 << 1
	proxyPAC    = 1 << 2
	proxyDetect = 1 << 3
)

// connectionSettings is the value DefaultConnectionSettings or WinHttpSettings
// of the registry: what Windows keeps of a connection's proxy.
type connectionSettings struct {
	flags                  uint32
	proxy, exceptions, pac string
}

// maxConnectionSettings bounds the value; exceptions may be many.
const maxConnectionSettings = 64 << 10

// parseConnectionSettings reads such a value: size or version, a count of
// changes, flags, and three texts with their lengths before them. Microsoft has
// not written it down; all of Windows since XP keeps it so. WinHttpSettings ends
// behind the second text.
func parseConnectionSettings(value []byte) (connectionSettings, error) {
	var s connectionSettings
	if len(value) > maxConnectionSettings {
		return s, fmt.Errorf("the proxy's settings are %d bytes long", len(value))
	}
	if len(value) < 12 {
		return s, errors.New("the proxy's settings are cut off")
	}
	s.flags = binary.LittleEndian.Uint32(value[8:])
	rest := value[12:]
	for _, text := range []*string{&s.proxy, &s.exceptions, &s.pac} {
		if len(rest) < 4 {
			return s, nil
		}
		length := binary.LittleEndian.Uint32(rest)
		if uint64(length) > uint64(len(rest)-4) {
			return s, errors.New("the proxy's settings are cut off")
		}
		*text = strings.TrimRight(string(rest[4:4+length]), "\x00")
		rest = rest[4+length:]
	}
	return s, nil
}

// proxyOf says what such settings come to, in the order in which Windows tries
// them; nil where they name no proxy. That a proxy may be asked for on the
// network, which is how Windows comes, names none.
func (s connectionSettings) proxyOf(source string) *constatv1.Proxy {
	p := &constatv1.Proxy{Source: &source}
	for _, word := range strings.FieldsFunc(s.proxy, func(c rune) bool { return c == ';' || c == ' ' }) {
		scheme, address, both := strings.Cut(word, "=")
		if !both {
			address = word
		}
		switch address = proxyAddress(address); {
		case address == "":
		case !both:
			p.Http, p.Https = &address, &address
		case strings.EqualFold(scheme, "http"):
			p.Http = &address
		case strings.EqualFold(scheme, "https"):
			p.Https = &address
		}
	}
	p.Exceptions = append(p.Exceptions, strings.FieldsFunc(s.exceptions, func(c rune) bool { return c == ';' || c == ' ' })...)
	switch {
	case s.flags&proxyPAC != 0 && s.pac != "":
		p.Mode, p.PacUrl = set("pac"), withoutUser(s.pac)
		p.Http, p.Https, p.Exceptions = nil, nil, nil
	case s.flags&proxyManual != 0 && (p.Http != nil || p.Https != nil):
		p.Mode = set("manual")
	default:
		return nil
	}
	return p
}

// firewallProfile is one of the three sets of settings of Windows' own filter,
// by MS-GPFAS 2.2.3: the registry has no value where the default holds.
type firewallProfile struct {
	enabled, blocksOut, blocksIn *bool
}

// over is what holds where an administrator's policy is over the machine's own
// setting.
func (f firewallProfile) over(own firewallProfile) firewallProfile {
	first := func(a, b *bool) *bool {
		if a != nil {
			return a
		}
		return b
	}
	return firewallProfile{first(f.enabled, own.enabled), first(f.blocksOut, own.blocksOut), first(f.blocksIn, own.blocksIn)}
}

// windowsFirewall describes the filter by the profiles of the networks that the
// machine is on: the strictest of them counts. Rules are texts as the registry
// has them (MS-FASP 2.2.20: "v2.30|Action=Block|Active=TRUE|Dir=Out|…").
func windowsFirewall(active []firewallProfile, rules []string) *constatv1.LocalFirewall {
	f := &constatv1.LocalFirewall{Kind: set("windows"), Enabled: set(false), OutgoingPolicy: set("accept"), IncomingPolicy: set("accept")}
	known := false
	for _, p := range active {
		if p.enabled == nil {
			continue
		}
		known = true
		if !*p.enabled {
			continue
		}
		f.Enabled = set(true)
		if p.blocksOut != nil && *p.blocksOut {
			f.OutgoingPolicy = set("drop")
		}
		if p.blocksIn == nil || *p.blocksIn { // it blocks where nothing is said
			f.IncomingPolicy = set("drop")
		}
	}
	if !known {
		f.Enabled, f.OutgoingPolicy, f.IncomingPolicy = nil, nil, nil
	}
	blocks := 0
	for _, rule := range rules {
		fields := map[string]string{}
		for word := range strings.SplitSeq(rule, "|") {
			if key, value, found := strings.Cut(word, "="); found {
				fields[strings.ToLower(key)] = strings.ToLower(value)
			}
		}
		if fields["action"] == "block" && fields["active"] == "true" && fields["dir"] == "out" {
			blocks++
		}
	}
	if f.OutgoingBlocks = set(int32(0)); f.GetEnabled() {
		f.OutgoingBlocks = set(int32(blocks))
	}
	return f
}
