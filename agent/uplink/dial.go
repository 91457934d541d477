package uplink

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"

	"constat/internal/version"
)

const (
	dialTimeout = 20 * time.Second
	// proxyHeaderLimit bounds what a proxy answers to CONNECT.
	proxyHeaderLimit = 64 << 10
	// pingAfter is how long the connection is silent before it is asked whether
	// it lives: shorter than the five minutes after which middleboxes forget a
	// connection, and two pings a heartbeat at most.
	pingAfter = 2 * time.Minute
	// maxDownBytes bounds what the collector sends at once: commands and policy.
	maxDownBytes = 1 << 20
)

// dialer makes connections to collectors, through a proxy where one is set. It
// remembers why the last one failed: gRPC passes on no more than a text.
type dialer struct {
	proxy string

	mu  sync.Mutex
	err error
}

// connect prepares a gRPC connection to one collector; it is made at the first
// call.
func (d *dialer) connect(address string, config *tls.Config) (*grpc.ClientConn, error) {
	conn, err := grpc.NewClient("passthrough:///"+address,
		grpc.WithTransportCredentials(witness{credentials.NewTLS(config), d.note}),
		grpc.WithContextDialer(func(ctx context.Context, address string) (net.Conn, error) {
			conn, err := d.dial(ctx, address)
			d.note(err)
			return conn, err
		}),
		grpc.WithUserAgent("constat-agent/"+version.Version),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: pingAfter, Timeout: 20 * time.Second}),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxDownBytes)),
		grpc.WithDisableServiceConfig(),
		// One mostly idle connection: small buffers cost nothing but memory
		// saved.
		grpc.WithReadBufferSize(0),
		grpc.WithWriteBufferSize(4<<10),
		grpc.WithInitialWindowSize(64<<10),
		grpc.WithInitialConnWindowSize(64<<10),
	)
	if err != nil {
		return nil, fmt.Errorf("%q is no address of a collector: %w", address, err)
	}
	return conn, nil
}

func (d *dialer) note(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.err = err
}

// explain gives the reason why a call failed: what dialling or the handshake
// met, or what the collector said.
func (d *dialer) explain(address string, err error) error {
	d.mu.Lock()
	noted := d.err
	d.mu.Unlock()
	var plain tls.RecordHeaderError
	switch {
	case errors.As(noted, &plain):
		return fmt.Errorf("%s answers, but not with TLS: is it the collector's port for agents?", address)
	case noted != nil:
		return fmt.Errorf("cannot connect to %s: %w", address, noted)
	}
	if s, ok := status.FromError(err); ok {
		return &answer{status: s, address: address}
	}
	return fmt.Errorf("%s: %w", address, err)
}

// answer is what the collector said, or gRPC in its place; status.Code and
// status.FromError see through it.
type answer struct {
	status  *status.Status
	address string
}

func (a *answer) Error() string              { return a.address + ": " + a.status.Message() }
func (a *answer) GRPCStatus() *status.Status { return a.status }

// witness notes how handshakes end.
type witness struct {
	credentials.TransportCredentials
	note func(error)
}

func (w witness) ClientHandshake(ctx context.Context, authority string, raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	conn, info, err := w.TransportCredentials.ClientHandshake(ctx, authority, raw)
	w.note(err)
	return conn, info, err
}

func (w witness) Clone() credentials.TransportCredentials {
	return witness{w.TransportCredentials.Clone(), w.note}
}

// serverName is the host that a collector's certificate must be for.
func serverName(address string) (string, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil || host == "" {
		return "", fmt.Errorf("%q is no address of a collector: give HOST:PORT", address)
	}
	return host, nil
}

func (d *dialer) dial(ctx context.Context, address string) (net.Conn, error) {
	proxy, err := d.proxyFor(address)
	if err != nil {
		return nil, err
	}
	plain := &net.Dialer{Timeout: dialTimeout}
	if proxy == nil {
		return plain.DialContext(ctx, "tcp", address)
	}
	conn, err := plain.DialContext(ctx, "tcp", proxyAddress(proxy))
	if err != nil {
		return nil, fmt.Errorf("cannot reach the proxy %s: %w", proxy.Host, err)
	}
	if proxy.Scheme == "https" {
		conn = tls.Client(conn, &tls.Config{MinVersion: tls.VersionTLS12, ServerName: proxy.Hostname()})
	}
	tunnelled, err := tunnel(ctx, conn, proxy, address)
	if err != nil {
		_ = conn.Close() // it is of no use any more
		return nil, err
	}
	return tunnelled, nil
}

// proxyFor gives the proxy for an address, nil for none. Errors never hold the
// proxy's URL, which may carry a password.
func (d *dialer) proxyFor(address string) (*url.URL, error) {
	var proxy *url.URL
	var err error
	switch d.proxy {
	case Direct:
		return nil, nil
	case "":
		proxy, err = environmentProxy(address)
	default:
		proxy, err = url.Parse(d.proxy)
	}
	if err != nil {
		return nil, errors.New("the proxy's address cannot be read: write it as http://HOST:PORT or http://USER:PASSWORD@HOST:PORT, with special characters of the password percent-encoded")
	}
	if proxy != nil && (proxy.Scheme != "http" && proxy.Scheme != "https" || proxy.Host == "") {
		return nil, errors.New("only HTTP proxies are supported: write the proxy's address as http://HOST:PORT")
	}
	return proxy, nil
}

func proxyAddress(proxy *url.URL) string {
	port := proxy.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[proxy.Scheme]
	}
	return net.JoinHostPort(proxy.Hostname(), port)
}

// tunnel asks a proxy to connect to address (RFC 9110, 9.3.6).
func tunnel(ctx context.Context, conn net.Conn, proxy *url.URL, address string) (net.Conn, error) {
	deadline := time.Now().Add(dialTimeout)
	if d, ok := ctx.Deadline(); ok && d.Before(deadline) {
		deadline = d
	}
	if err := conn.SetDeadline(deadline); err != nil {
		return nil, fmt.Errorf("cannot talk to the proxy %s: %w", proxy.Host, err)
	}
	request := "CONNECT " + address + " HTTP/1.1\r\nHost: " + address + "\r\nUser-Agent: constat-agent/" + version.Version + "\r\n"
	if proxy.User != nil {
		password, _ := proxy.User.Password()
		request += "Proxy-Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(proxy.User.Username()+":"+password)) + "\r\n"
	}
	if _, err := io.WriteString(conn, request+"\r\n"); err != nil {
		return nil, fmt.Errorf("cannot talk to the proxy %s: %w", proxy.Host, err)
	}
	limited := &io.LimitedReader{R: conn, N: proxyHeaderLimit}
	reader := bufio.NewReader(limited)
	response, err := http.ReadResponse(reader, &http.Request{Method: http.MethodConnect})
	if err != nil {
		return nil, fmt.Errorf("the proxy %s does not answer as an HTTP proxy: %w", proxy.Host, err)
	}
	if response.StatusCode != http.StatusOK {
		return nil, refusedByProxy(proxy, address, response)
	}
	if reader.Buffered() > 0 {
		// In TLS the client speaks first: these bytes are not the collector's.
		return nil, fmt.Errorf("the proxy %s sends data of its own into the connection", proxy.Host)
	}
	if err := conn.SetDeadline(time.Time{}); err != nil {
		return nil, fmt.Errorf("cannot talk to the proxy %s: %w", proxy.Host, err)
	}
	return conn, nil
}

func refusedByProxy(proxy *url.URL, address string, r *http.Response) error {
	switch {
	case r.StatusCode == http.StatusProxyAuthRequired && proxy.User != nil:
		return fmt.Errorf("the proxy %s refuses the user name or the password it was given (407)", proxy.Host)
	case r.StatusCode == http.StatusProxyAuthRequired:
		offered := strings.Join(r.Header.Values("Proxy-Authenticate"), ", ")
		return fmt.Errorf("the proxy %s wants a user name and a password (407, it offers %q; Basic is supported): give them as http://USER:PASSWORD@HOST:PORT", proxy.Host, offered)
	}
	return fmt.Errorf("the proxy %s does not connect to %s: it answers %s; ask its administrator to allow CONNECT to that address", proxy.Host, address, r.Status)
}
