package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"syscall"

	"constat/collector/gear"
)

// listenToGear takes traps and syslog where an address is given for them. They come
// without asking, so nothing listens unless somebody wants it.
func (srv *server) listenToGear(ctx context.Context, watch *gear.Watch) error {
	s := srv.settings
	if s.Traps == "" && s.Syslog == "" && s.SyslogTLS == "" {
		return nil
	}
	l, err := watch.NewListener(ctx)
	if err != nil {
		return err
	}
	var parts []func() error
	// What was opened is closed when ctx ends, by who reads it; until then by us.
	var opened []interface{ Close() error }
	fail := func(err error) error {
		for _, o := range opened {
			err = errors.Join(err, o.Close())
		}
		return err
	}
	if s.Traps != "" {
		conn, err := listenPackets(ctx, "traps", s.Traps)
		if err != nil {
			return fail(err)
		}
		opened = append(opened, conn)
		s.Traps = conn.LocalAddr().String()
		parts = append(parts, func() error { return l.Traps(ctx, conn) })
		srv.log.Info("traps are taken", "address", s.Traps, "engine", l.Engine())
	}
	if s.Syslog != "" {
		streams, err := listen(ctx, "syslog", s.Syslog)
		if err != nil {
			return fail(err)
		}
		opened = append(opened, streams)
		s.Syslog = streams.Addr().String() // UDP at the port that TCP got
		lines, err := listenPackets(ctx, "syslog", s.Syslog)
		if err != nil {
			return fail(err)
		}
		opened = append(opened, lines)
		parts = append(parts, func() error { return l.Syslog(ctx, lines) }, func() error { return l.SyslogStreams(ctx, streams) })
		srv.log.Info("syslog is taken", "address", s.Syslog)
	}
	if s.SyslogTLS != "" {
		config, err := srv.consoleTLS()
		if err != nil {
			return fail(err)
		}
		streams, err := listen(ctx, "syslog-tls", s.SyslogTLS)
		if err != nil {
			return fail(err)
		}
		s.SyslogTLS = streams.Addr().String()
		config.NextProtos = nil
		parts = append(parts, func() error { return l.SyslogStreams(ctx, tls.NewListener(streams, config)) })
		srv.log.Info("syslog is taken over TLS", "address", s.SyslogTLS)
	}
	srv.parts.Go(func() { l.Run(ctx) })
	for _, part := range parts {
		srv.parts.Go(func() {
			if err := part(); err != nil {
				srv.ended <- fmt.Errorf("listening to gear: %w", err)
			}
		})
	}
	return nil
}

// listenPackets opens a UDP address.
func listenPackets(ctx context.Context, key, address string) (net.PacketConn, error) {
	var c net.ListenConfig
	conn, err := c.ListenPacket(ctx, "udp", address)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("UDP %s is in use by another program: stop it, or choose another address with --%s", address, key)
	case errors.Is(err, syscall.EACCES):
		return nil, fmt.Errorf("UDP %s needs an administrator's rights: choose a port above 1023 with --%s", address, key)
	case err != nil:
		return nil, fmt.Errorf("listening on UDP %s (--%s): %w", address, key, err)
	}
	return conn, nil
}
