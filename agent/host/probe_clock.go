package host

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"net"
	"path"
	"slices"
	"strings"
	"time"

	constatv1 "constat/proto/constat/v1"
)

// clockLimit is how long a time server may take.
const clockLimit = 900 * time.Millisecond

// maxClocks is how many of the configured time servers are asked.
const maxClocks = 3

// clockFiles configure the time services, with the words that name a server in
// them (timesyncd.conf(5), chrony.conf(5), ntp.conf(5)).
var clockFiles = []struct {
	file, drops, ending string
	words               []string
}{
	{"/etc/systemd/timesyncd.conf", "/etc/systemd/timesyncd.conf.d", ".conf", []string{"NTP=", "FallbackNTP="}},
	{"/etc/chrony/chrony.conf", "/etc/chrony/sources.d", ".sources", []string{"server ", "pool ", "peer "}},
	{"/etc/chrony.conf", "/etc/chrony.d", ".conf", []string{"server ", "pool ", "peer "}},
	{"/etc/ntpsec/ntp.conf", "/etc/ntpsec/ntp.d", ".conf", []string{"server ", "pool ", "peer "}},
	{"/etc/ntp.conf", "", "", []string{"server ", "pool ", "peer "}},
}

// timeServers are those that this machine is configured to follow, in the order
// they are named, of the first service that names any.
func (r *reader) timeServers() []string {
	for _, c := range clockFiles {
		files := []string{c.file}
		names, _ := r.names(c.drops)
		for _, name := range names {
			if c.drops != "" && path.Ext(name) == c.ending {
				files = append(files, c.drops+"/"+name)
			}
		}
		var servers []string
		for _, file := range files {
			content, err := r.file(file)
			if err == nil {
				servers = append(servers, parseTimeServers(content, c.words)...)
			}
		}
		if len(servers) > 0 {
			return servers[:min(len(servers), maxClocks)]
		}
	}
	return nil
}

// parseTimeServers finds the servers that lines with one of the words name: all
// of the words behind an assignment, the first behind a directive.
func parseTimeServers(content []byte, words []string) []string {
	var servers []string
	for line := range strings.Lines(string(content)) {
		line = strings.Join(strings.Fields(line), " ")
		for _, word := range words {
			rest, found := strings.CutPrefix(line, word)
			if !found {
				continue
			}
			named := strings.Fields(rest)
			if !strings.HasSuffix(word, "=") && len(named) > 1 {
				named = named[:1]
			}
			for _, server := range named {
				// Reference clocks of ntpd have addresses too.
				if !slices.Contains(servers, server) && !strings.HasPrefix(server, "127.127.") && !strings.HasPrefix(server, "-") && len(servers) < maxNames {
					servers = append(servers, server)
				}
			}
		}
	}
	return servers
}

// askClock asks the time servers and returns the first answer, or what became
// of the first one.
func (p *prober) askClock(servers []string) *constatv1.ClockProbe {
	ctx, cancel := p.patience.within(p.ctx, clockLimit)
	defer cancel()
	answers := make(chan *constatv1.ClockProbe, len(servers))
	for _, server := range servers {
		go func() { answers <- p.askTime(ctx, server) }()
	}
	var first *constatv1.ClockProbe
	for range servers {
		a := <-answers
		if a.GetResult() == "ok" {
			return a
		}
		if first == nil || a.GetServer() == servers[0] {
			first = a
		}
	}
	return first
}

// askTime asks one server (RFC 4330).
func (p *prober) askTime(ctx context.Context, server string) *constatv1.ClockProbe {
	c := &constatv1.ClockProbe{Server: &server}
	addresses, err := p.addresses(ctx, withPort(server, "123"))
	if err != nil {
		c.Result = set(resultOf(err))
		return c
	}
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "udp", addresses[0].String())
	if err != nil {
		c.Result = set(resultOf(err))
		return c
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })()
	request := make([]byte, 48)
	request[0] = 4<<3 | 3            // version 4, client
	_, _ = rand.Read(request[40:48]) // comes back, and tells nothing of our clock
	question := string(request[40:48])
	for _, wait := range append(slices.Clone(repeats), 3*clockLimit) {
		sent := time.Now()
		if _, err := conn.Write(request); err != nil {
			c.Result = set(resultOf(err))
			return c
		}
		_ = conn.SetReadDeadline(sent.Add(wait))
		if ctx.Err() != nil {
			_ = conn.SetReadDeadline(time.Unix(1, 0))
		}
		answer := make([]byte, 128)
		n, err := conn.Read(answer)
		if err == nil {
			offset, err := parseTime(answer[:n], question, sent, time.Now())
			if err != nil {
				c.Result = set("error")
				return c
			}
			c.Result, c.OffsetSeconds = set("ok"), set(offset.Seconds())
			return c
		}
		if c.Result = set(resultOf(err)); c.GetResult() != "timeout" || ctx.Err() != nil {
			break
		}
	}
	if c.GetResult() == "timeout" && p.filter.blocks(protocolUDP, addresses[0], p.network) {
		c.Result = set("blocked")
	}
	return c
}

// ntpEpoch is 1970 in NTP's seconds since 1900; an era is 2^32 of them.
const ntpEpoch = 2_208_988_800

// parseTime reads a server's answer and returns how far its clock is ahead of
// ours. A server that is not set itself, or sends us away, is an error.
func parseTime(answer []byte, question string, sent, received time.Time) (time.Duration, error) {
	if len(answer) < 48 || string(answer[24:32]) != question {
		return 0, errors.New("no answer to our question")
	}
	const server, alarm, unsynchronized = 4, 3, 16
	if answer[0]&7 != server || answer[0]>>6 == alarm || answer[1] == 0 || answer[1] >= unsynchronized {
		return 0, errors.New("the time server's clock is not set")
	}
	at := func(b []byte) time.Time {
		seconds := int64(binary.BigEndian.Uint32(b)) - ntpEpoch
		if seconds < 0 { // the era that begins in 2036
			seconds += 1 << 32
		}
		return time.Unix(seconds, int64(binary.BigEndian.Uint32(b[4:]))*1_000_000_000>>32)
	}
	arrived, left := at(answer[32:]), at(answer[40:])
	return (arrived.Sub(sent) + left.Sub(received)) / 2, nil
}
