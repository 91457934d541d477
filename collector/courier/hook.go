package courier

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"syscall"
	"time"

	"constat/collector/desk"
	"constat/collector/store/query"
)

// maxAnswer is how much of a webhook's answer is read.
const maxAnswer = 4 << 10

// callHook sends one event to a webhook.
func (c *Courier) callHook(ctx context.Context, row query.Outbox) result {
	hook, err := c.store.Read().Webhook(ctx, row.Recipient)
	if errors.Is(err, sql.ErrNoRows) {
		return result{dropped: true} // it was taken away
	}
	if err != nil {
		return result{err: err}
	}
	secret, err := c.key.Open(hookSealName(hook.Name), hook.Secret)
	if err != nil {
		return result{err: fmt.Errorf("the secret of the webhook %s can't be opened: set it again: %w", hook.Name, err)}
	}
	body, err := c.withLinks(row.Content)
	if err != nil {
		return result{err: err, final: true}
	}
	ctx, cancel := context.WithTimeout(ctx, tryFor)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, hook.Url, bytes.NewReader(body))
	if err != nil {
		return result{err: err, final: true}
	}
	at := strconv.FormatInt(c.now().Unix(), 10)
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("User-Agent", "constat-collector")
	// The same for each try of an event, so that its receiver sees it once.
	request.Header.Set("Constat-Event", row.EventID)
	request.Header.Set("Constat-Timestamp", at)
	request.Header.Set("Constat-Signature", "sha256="+Sign(string(secret), at, body))
	answer, err := c.caller(hook.Inside == 1).Do(request)
	if err != nil {
		return result{err: err}
	}
	defer answer.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(answer.Body, maxAnswer))
	switch code := answer.StatusCode; {
	case code >= 200 && code < 300:
		return result{}
	case code == http.StatusGone:
		return result{err: fmt.Errorf("it answers %s: it wants no more", answer.Status), final: true}
	case code >= 300 && code < 400:
		return result{err: fmt.Errorf("it answers %s: redirects are not followed, give the address itself", answer.Status)}
	default:
		return result{err: fmt.Errorf("it answers %s", answer.Status)}
	}
}

// Sign is what a webhook's receiver compares: HMAC-SHA256 with its secret over the
// timestamp, a dot and the body, in hexadecimal digits. An old timestamp is a
// repeated request.
func Sign(secret, timestamp string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(timestamp + "."))
	mac.Write(body)
	return hex.EncodeToString(mac.Sum(nil))
}

// withLinks adds where the ticket is in the console.
func (c *Courier) withLinks(content []byte) ([]byte, error) {
	var m desk.HookMessage
	if err := json.Unmarshal(content, &m); err != nil {
		return nil, err
	}
	if m.Ticket != nil {
		m.Ticket.URL = c.ticketURL(m.Ticket.Number)
	}
	return json.Marshal(m)
}

// caller makes requests. It looks at the address that is really dialled, after the
// name was resolved, follows no redirect and uses no proxy, so that a webhook leads
// nowhere but where it says. inside: an administrator allowed this machine and its
// link.
func (c *Courier) caller(inside bool) *http.Client {
	dialer := &net.Dialer{Timeout: 10 * time.Second}
	if !inside {
		dialer.Control = func(_, address string, _ syscall.RawConn) error {
			to, err := netip.ParseAddrPort(address)
			if err != nil {
				return err
			}
			if reason := forbidden(to.Addr()); reason != "" {
				return fmt.Errorf("%s is %s: webhooks don't go there unless an administrator allows it", to.Addr(), reason)
			}
			return nil
		}
	}
	return &http.Client{
		Transport: &http.Transport{
			DialContext: dialer.DialContext, DisableKeepAlives: true, ForceAttemptHTTP2: true,
			TLSClientConfig:     &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: c.roots},
			TLSHandshakeTimeout: 10 * time.Second, ResponseHeaderTimeout: tryFor, MaxResponseHeaderBytes: 64 << 10,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// metadata are addresses at which clouds tell a machine its secrets, beside those
// on its link (169.254.169.254).
var metadata = []netip.Addr{
	netip.MustParseAddr("100.100.100.200"), // Alibaba
	netip.MustParseAddr("168.63.129.16"),   // Azure
	netip.MustParseAddr("192.0.0.192"),     // Oracle
	netip.MustParseAddr("fd00:ec2::254"),   // Amazon
	netip.MustParseAddr("fd20:ce::254"),    // Google
}

// Prefixes in which an IPv4 address stands in an IPv6 one.
var (
	nat64   = netip.MustParsePrefix("64:ff9b::/96") // RFC 6052
	sixToIV = netip.MustParsePrefix("2002::/16")    // RFC 3056
	thisNet = netip.MustParsePrefix("0.0.0.0/8")    // RFC 1122: this host
)

// forbidden says what an address is that nothing outside may lead us to; empty: it
// may.
func forbidden(a netip.Addr) string {
	a = a.Unmap().WithZone("")
	if bytes := a.As16(); a.Is6() {
		switch {
		case nat64.Contains(a):
			return forbidden(netip.AddrFrom4([4]byte(bytes[12:16])))
		case sixToIV.Contains(a):
			return forbidden(netip.AddrFrom4([4]byte(bytes[2:6])))
		}
	}
	switch {
	case a.IsLoopback(), a.IsUnspecified(), thisNet.Contains(a):
		return "this machine itself"
	case a.IsLinkLocalUnicast():
		return "an address of the link, where clouds tell machines their secrets"
	case a.IsMulticast():
		return "an address of many"
	}
	for _, known := range metadata {
		if a == known {
			return "where a cloud tells machines their secrets"
		}
	}
	return ""
}
