package host

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// ippClient asks one print server or printer.
type ippClient struct {
	http *http.Client
	// url is where requests are posted, uri what they are about.
	url, uri string
	// server is what the answer's Server header said: "CUPS/2.4 IPP/2.1".
	server string
}

// cupsClient talks to the print server at an address: a socket's path, or
// host:port.
func cupsClient(address string) *ippClient {
	network, host := "unix", "localhost"
	if !strings.HasPrefix(address, "/") {
		network = "tcp"
		address, _, _ = strings.Cut(address, "/") // CUPS_SERVER may end in "/version=1.1"
		if _, _, err := net.SplitHostPort(address); err != nil {
			address = net.JoinHostPort(strings.Trim(address, "[]"), "631")
		}
		host = address // a print server refuses other names than its own
	}
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, address)
	}
	return &ippClient{
		http: ippHTTP(dial),
		url:  "http://" + host + "/",
		uri:  "ipp://" + host + "/",
	}
}

// printerClient talks to a printer itself.
func printerClient(hostPort, path string, secure bool) *ippClient {
	scheme := map[bool]string{false: "http", true: "https"}[secure]
	if path == "" || path == "/" {
		path = "/ipp/print" // RFC 8010 and PWG 5100.12 ask for this one
	}
	return &ippClient{
		http: ippHTTP((&net.Dialer{}).DialContext),
		url:  scheme + "://" + hostPort + path,
		uri:  "ipp" + strings.TrimPrefix(scheme, "http") + "://" + hostPort + path,
	}
}

// ippHTTP is HTTP without a proxy and without following redirects. Printers
// sign their certificates themselves; only their public state is read, nothing
// is sent to them, so any certificate will do.
func ippHTTP(dial func(context.Context, string, string) (net.Conn, error)) *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			DialContext:            dial,
			TLSClientConfig:        &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // see above
			MaxIdleConnsPerHost:    1,
			IdleConnTimeout:        5 * time.Second,
			MaxResponseHeaderBytes: 64 << 10,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// close gives the connection back.
func (c *ippClient) close() { c.http.CloseIdleConnections() }

// errIPPNotFound is the answer that what was asked for does not exist.
var errIPPNotFound = errors.New("not found")

// do sends one operation with the attributes that follow the obligatory ones,
// and returns the attribute groups of the kind asked for.
func (c *ippClient) do(ctx context.Context, operation uint16, kind byte, attributes ...ippAttribute) ([][]ippAttribute, error) {
	request := ippMessage{code: operation, requestID: 1, groups: []ippGroup{{ippGroupOperation, append([]ippAttribute{
		{"attributes-charset", ippCharset, []any{"utf-8"}},
		{"attributes-natural-language", ippNaturalLanguage, []any{"en"}},
		{"printer-uri", ippURI, []any{c.uri}},
	}, attributes...)}}}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, bytes.NewReader(request.encode()))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/ipp")
	answer, err := c.http.Do(r)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	c.server = answer.Header.Get("Server")
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the print server answers %s", answer.Status)
	}
	content, err := io.ReadAll(io.LimitReader(answer.Body, ippMaxMessage+1))
	if err != nil {
		return nil, err
	}
	m, err := decodeIPP(content)
	if err != nil {
		return nil, err
	}
	switch {
	case m.code == ippNotFound:
		return nil, errIPPNotFound
	case m.code > ippLastSuccess:
		return nil, fmt.Errorf("the print server refuses with IPP status 0x%04x (RFC 8011 appendix B)", m.code)
	}
	var found [][]ippAttribute
	for _, g := range m.groups {
		if g.tag == kind {
			found = append(found, g.attributes)
		}
	}
	return found, nil
}

// wanted is the attribute that says which attributes to answer.
func wanted(names ...string) ippAttribute {
	values := make([]any, len(names))
	for i, name := range names {
		values[i] = name
	}
	return ippAttribute{"requested-attributes", ippKeyword, values}
}
