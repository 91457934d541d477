// Package bus carries hints between collectors, and between the parts of one:
// "endpoint X has a command", "ticket 7 changed". A hint holds no data and may get
// lost; who waits for one also looks into the database now and then, so a lost
// hint costs delay and nothing else.
//
// The bus is a NATS server inside the process. Collectors on one PostgreSQL
// database cluster theirs, or use a NATS server of the house.
//
// Subjects: endpoint.ID.command, command.ID.progress, ticket.NUMBER.changed.
package bus

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// Bus is a connection to the bus. It is safe for use by many goroutines.
type Bus struct {
	conn   *nats.Conn
	server *server.Server // nil when it is somebody else's
}

// Cluster says how an embedded bus reaches those of other collectors. The zero
// value is a bus alone, which listens nowhere.
type Cluster struct {
	// Listen is the address for other collectors, host:port; empty: none.
	Listen string
	// Peers are the Listen addresses of other collectors; one that answers is
	// enough, the rest is learned from it.
	Peers []string
	// Secret is the same on all of them and keeps others out. The hints that
	// travel are not encrypted: they name tickets and endpoints by number.
	Secret string
}

// Embedded starts a bus inside this process. It gives up when ctx ends before
// the bus is ready.
func Embedded(ctx context.Context, cluster Cluster) (*Bus, error) {
	options := &server.Options{
		DontListen: true, NoSigs: true, NoLog: true,
		MaxPayload: 64 << 10,
	}
	if cluster.Listen != "" {
		if err := listen(options, cluster); err != nil {
			return nil, err
		}
	} else if len(cluster.Peers) > 0 {
		return nil, errors.New("the bus has peers but no address of its own for them: give one, host:port")
	}
	s, err := server.NewServer(options)
	if err != nil {
		return nil, fmt.Errorf("starting the bus: %w", err)
	}
	s.Start()
	wait := 10 * time.Second
	if deadline, ok := ctx.Deadline(); ok {
		wait = min(wait, time.Until(deadline))
	}
	if !s.ReadyForConnections(wait) {
		s.Shutdown()
		return nil, fmt.Errorf("the bus is not ready after %s: see whether %s is free", wait, cluster.Listen)
	}
	conn, err := nats.Connect("", nats.InProcessServer(s), nats.MaxReconnects(-1),
		nats.UserInfo(options.Username, options.Password))
	if err != nil {
		s.Shutdown()
		return nil, fmt.Errorf("connecting to the bus inside: %w", err)
	}
	return &Bus{conn: conn, server: s}, nil
}

// listen makes the server one of a cluster.
func listen(options *server.Options, cluster Cluster) error {
	if cluster.Secret == "" {
		return errors.New("the bus would take hints from anybody: give all collectors the same secret")
	}
	host, port, err := splitAddress(cluster.Listen)
	if err != nil {
		return err
	}
	// A server of a cluster listens for clients too, or its routes never start
	// (nats-server 2.15, StartRouting): on loopback, and not without the secret.
	options.DontListen, options.Host, options.Port = false, "127.0.0.1", server.RANDOM_PORT
	options.Username, options.Password = "constat", cluster.Secret
	options.Cluster = server.ClusterOpts{
		Name: "constat", Host: host, Port: port, Username: "constat", Password: cluster.Secret,
		// One connection between two servers carries more than hints ever need.
		PoolSize: -1,
	}
	for _, peer := range cluster.Peers {
		if _, _, err := splitAddress(peer); err != nil {
			return err
		}
		options.Routes = append(options.Routes,
			&url.URL{Scheme: "nats", Host: peer, User: url.UserPassword("constat", cluster.Secret)})
	}
	return nil
}

func splitAddress(address string) (host string, port int, err error) {
	host, text, err := net.SplitHostPort(address)
	if err == nil {
		port, err = strconv.Atoi(text)
	}
	if err != nil || port < 1 || port > 65535 {
		return "", 0, fmt.Errorf("the bus cannot use the address %q: give host:port", address)
	}
	return host, port, nil
}

// Connect uses the NATS servers at url, "nats://host:4222"; several are separated
// by commas. A server that is down is tried again for ever.
func Connect(url string) (*Bus, error) {
	conn, err := nats.Connect(url, nats.MaxReconnects(-1), nats.RetryOnFailedConnect(true), nats.Name("constat"))
	if err != nil {
		return nil, fmt.Errorf("connecting to the bus: %w; it looks like nats://host:4222", err)
	}
	return &Bus{conn: conn}, nil
}

// Publish sends a hint to all who subscribed, here and on other collectors. It
// does not wait for them; an error is no reason to stop, only to log.
func (b *Bus) Publish(subject string, data []byte) error {
	return b.conn.Publish(subject, data)
}

// Subscribe calls heard for each hint on the subject, one after the other, until
// cancel. A * stands for one word of a subject. After cancel returned, heard may
// still be under way once.
func (b *Bus) Subscribe(subject string, heard func(subject string, data []byte)) (cancel func(), err error) {
	sub, err := b.conn.Subscribe(subject, func(m *nats.Msg) { heard(m.Subject, m.Data) })
	if err != nil {
		return nil, fmt.Errorf("listening to %s: %w", subject, err)
	}
	// Whoever publishes from now on is heard.
	if b.server != nil {
		if err := b.conn.Flush(); err != nil {
			return nil, fmt.Errorf("listening to %s: %w", subject, err)
		}
	}
	return func() { _ = sub.Unsubscribe() }, nil
}

// Close ends the connection, and the server inside.
func (b *Bus) Close() {
	b.conn.Close()
	if b.server != nil {
		b.server.Shutdown()
		b.server.WaitForShutdown()
	}
}
