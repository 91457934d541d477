package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"

	"constat/collector/api"
	"constat/collector/console"
	"constat/collector/courier"
	"constat/collector/gear"
	"constat/collector/intake"
	"constat/internal/command"
	"constat/internal/version"
)

// requestTime is how long a request to the console may take to come in, and its
// answer to go out.
const requestTime = time.Minute

// shutdownTime is how long open requests may take to end.
const shutdownTime = 10 * time.Second

func serveCommand(o *options) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the collector",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := o.load(cmd)
			if err != nil {
				return err
			}
			log := command.Log(cmd.ErrOrStderr())
			srv, err := start(cmd.Context(), s, log)
			if err != nil {
				return err
			}
			if err := srv.firstUser(cmd.Context(), cmd.OutOrStdout()); err != nil {
				return errors.Join(err, srv.stop())
			}
			command.Ready()
			return srv.wait(cmd.Context())
		},
	}
	serveFlags(cmd)
	return cmd
}

// server is a collector at work.
type server struct {
	*core
	settings *settings
	log      *slog.Logger
	grpc     *grpc.Server
	http     *http.Server
	// ended gets the error of a listener that ends by itself.
	ended    chan error
	parts    sync.WaitGroup
	stopping context.CancelFunc
}

// start opens the data and the addresses and begins to serve.
func start(ctx context.Context, s *settings, log *slog.Logger) (*server, error) {
	forAgents, err := listen(ctx, "grpc", s.GRPC)
	if err != nil {
		return nil, err
	}
	forPeople, err := listen(ctx, "http", s.HTTP)
	if err != nil {
		return nil, errors.Join(err, forAgents.Close())
	}
	core, err := openCore(ctx, s)
	if err != nil {
		return nil, errors.Join(err, forAgents.Close(), forPeople.Close())
	}
	srv := &server{core: core, settings: s, log: log, ended: make(chan error, 8)}
	// The addresses in use, where a port of 0 left the choice to the system.
	s.GRPC, s.HTTP = forAgents.Addr().String(), forPeople.Addr().String()
	if err := srv.serve(forAgents, forPeople); err != nil {
		return nil, errors.Join(err, forAgents.Close(), forPeople.Close(), core.close())
	}
	log.Info("the collector serves", "version", version.String(), "agents", s.GRPC, "console", srv.url(), "database", core.store.Engine())
	return srv, nil
}

func listen(ctx context.Context, key, address string) (net.Listener, error) {
	var c net.ListenConfig
	l, err := c.Listen(ctx, "tcp", address)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, inUse(key, address)
	case errors.Is(err, syscall.EACCES):
		return nil, fmt.Errorf("%s needs an administrator's rights: choose a port above 1023 with --%s", address, key)
	case err != nil:
		return nil, fmt.Errorf("listening on %s (--%s): %w", address, key, err)
	}
	return l, nil
}

func inUse(key, address string) error {
	return fmt.Errorf("%s is in use by another program: stop it, or choose another address with --%s", address, key)
}

func (srv *server) serve(forAgents, forPeople net.Listener) error {
	ctx, cancel := context.WithCancel(context.Background())
	srv.stopping = cancel

	agents := intake.New(srv.desk, srv.authority, intake.Options{Names: srv.settings.names(), Log: srv.log, Policy: srv.settings.policy()})
	watch := gear.NewWatch(srv.store, srv.key, srv.catalog, srv.log)
	post := courier.New(srv.store, srv.bus, srv.desk, srv.key, srv.catalog, srv.url(), srv.log)
	technicians := api.New(srv.desk, srv.accounts, watch, post)
	var err error
	if srv.grpc, err = agents.Server(); err != nil {
		return err
	}
	technicians.Register(srv.grpc)
	healthv1.RegisterHealthServer(srv.grpc, health.NewServer())

	srv.http = &http.Server{
		Handler:           srv.routes(ctx, watch, post),
		ReadHeaderTimeout: 10 * time.Second,
		// Who sends or takes a page more slowly than this is no browser. Live
		// streams lift both for themselves.
		ReadTimeout:    requestTime,
		WriteTimeout:   requestTime,
		IdleTimeout:    2 * time.Minute,
		MaxHeaderBytes: 64 << 10,
		ErrorLog:       slog.NewLogLogger(srv.log.Handler(), slog.LevelDebug),
	}
	if !loopback(forPeople.Addr()) {
		config, err := srv.consoleTLS()
		if err != nil {
			return err
		}
		forPeople = tls.NewListener(forPeople, config)
	}
	if err := srv.listenToGear(ctx, watch); err != nil {
		return err
	}
	srv.parts.Go(func() { srv.desk.Run(ctx) })
	srv.parts.Go(func() { watch.Run(ctx) })
	srv.parts.Go(func() { post.Run(ctx) })
	srv.parts.Go(func() {
		if err := srv.grpc.Serve(forAgents); err != nil {
			srv.ended <- fmt.Errorf("serving agents: %w", err)
		}
	})
	srv.parts.Go(func() {
		if err := srv.http.Serve(forPeople); !errors.Is(err, http.ErrServerClosed) {
			srv.ended <- fmt.Errorf("serving the console: %w", err)
		}
	})
	return nil
}

// consoleTLS is how people's browsers are served: with a given certificate, or
// with one by the collector's own CA.
func (srv *server) consoleTLS() (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}}
	if srv.settings.TLSCertificate == "" {
		own, err := srv.authority.ServerTLS(srv.settings.names(), time.Now)
		if err != nil {
			return nil, err
		}
		config.GetCertificate = own.GetCertificate
		return config, nil
	}
	pair, err := tls.LoadX509KeyPair(srv.settings.TLSCertificate, srv.settings.TLSKey)
	if err != nil {
		return nil, fmt.Errorf("the console's certificate: %w", err)
	}
	config.Certificates = []tls.Certificate{pair}
	return config, nil
}

// routes puts what machines ask for beside the console.
func (srv *server) routes(stopping context.Context, watch *gear.Watch, post *courier.Courier) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok\n") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		if err := srv.store.Ping(r.Context()); err != nil {
			http.Error(w, "the database does not answer", http.StatusServiceUnavailable)
			return
		}
		_, _ = io.WriteString(w, "ready\n")
	})
	mux.Handle("GET /metrics", srv.metrics(watch))
	mux.Handle("/", console.New(srv.desk, srv.accounts, srv.catalog, console.Options{
		BaseURL: srv.url(), Store: srv.store, Log: srv.log, Stopping: stopping, Courier: post,
	}))
	return mux
}

// url is the console as people type it.
func (srv *server) url() string {
	if srv.settings.URL != "" {
		return srv.settings.URL
	}
	host, port, err := net.SplitHostPort(srv.settings.HTTP)
	if err != nil {
		return "http://" + srv.settings.HTTP
	}
	scheme := "https"
	if ip := net.ParseIP(host); ip.IsLoopback() || host == "localhost" {
		scheme = "http"
	} else if ip.IsUnspecified() {
		host = srv.settings.names()[len(srv.settings.names())-1]
	}
	return scheme + "://" + net.JoinHostPort(host, port)
}

func loopback(a net.Addr) bool {
	tcp, ok := a.(*net.TCPAddr)
	return ok && tcp.IP.IsLoopback()
}

// wait serves until ctx ends or a listener fails, then ends in order.
func (srv *server) wait(ctx context.Context) error {
	var err error
	select {
	case <-ctx.Done():
	case err = <-srv.ended:
	}
	return errors.Join(err, srv.stop())
}

// stop ends the live streams, lets open requests finish, and closes the data.
func (srv *server) stop() error {
	srv.log.Info("the collector ends")
	srv.stopping()
	ctx, cancel := context.WithTimeout(context.Background(), shutdownTime)
	defer cancel()
	// Agents' streams have no end of their own; what they send is acknowledged
	// only after its commit, so cutting them loses nothing.
	srv.grpc.Stop()
	err := srv.http.Shutdown(ctx)
	srv.parts.Wait()
	return errors.Join(err, srv.close())
}

// firstUser makes the administrator at the very first start, and says how to
// sign in.
func (srv *server) firstUser(ctx context.Context, out io.Writer) error {
	people, err := srv.accounts.Users(ctx)
	if err != nil || len(people) > 0 {
		return err
	}
	if _, err := srv.accounts.Create(ctx, adminName, "", "administrator", ""); err != nil {
		return err
	}
	link, err := srv.signInLink(ctx, adminName)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "Sign in as %s, once, within a day: %s\n", adminName, link)
	return err
}

// adminName is the first user.
const adminName = "admin"

// signInLink makes a link that signs a user in once.
func (srv *server) signInLink(ctx context.Context, name string) (string, error) {
	token, err := srv.accounts.OneTimeLink(ctx, name, 24*time.Hour)
	if err != nil {
		return "", err
	}
	return srv.url() + console.SignInPath(token), nil
}
