package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime/debug"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"constat/agent/history"
	"constat/agent/host"
	"constat/agent/local"
	"constat/agent/uplink"
	"constat/internal/command"
	"constat/internal/version"
	constatv1 "constat/proto/constat/v1"
)

// snapshotEvery is how often the whole machine is looked at without a reason.
const snapshotEvery = time.Hour

func runCommand(o *options) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Run the agent in the foreground, as the service does",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := o.load(cmd)
			if err != nil {
				return err
			}
			return runService(cmd.Context(), s, command.Log(cmd.ErrOrStderr()))
		},
	}
	collectorFlags(cmd)
	return cmd
}

// runService is the agent until ctx ends.
func runService(ctx context.Context, s *settings, log *slog.Logger) error {
	token, err := readToken(s.TokenFile, os.Stdin)
	if err != nil {
		return err
	}
	// Made while the process still has the rights for it.
	socket, err := local.Listen(local.Socket(s.Data))
	if err != nil {
		return err
	}
	defer socket.Close()
	seen, err := newJudge(ctx, s, s.Data)
	if err != nil {
		return err
	}
	defer seen.close()
	// The agent works for a second and rests for an hour: a smaller heap between
	// two collections is worth more than the time they take.
	debug.SetGCPercent(25)
	// Read anew it costs a diagnosis some 10 ms; kept, with the rules as they
	// are prepared for judging, it is 2 to 3 MiB of what the agent holds at rest.
	catalogVersion := seen.catalog.Version()
	seen.catalog = nil
	log.Info("agent starts", "version", version.String())
	seen.config.Announced = host.OpenAnnouncements(seen.dir) // by the name it has after the cut
	seen.memory = history.Keep(seen.dir)
	c := &counter{observer: seen, ownProbes: s.Probes != nil}
	if c.link, err = openLink(ctx, seen, s, token, log); err != nil {
		return err
	}

	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var parts sync.WaitGroup
	part := func(name string, f func(context.Context) error) {
		parts.Go(func() {
			if err := f(ctx); err != nil && ctx.Err() == nil {
				cancel(fmt.Errorf("%s: %w", name, err))
			}
		})
	}
	listening := seen.config // a copy: policies change the other one
	part("neighbours", func(ctx context.Context) error {
		listening.Announced.Listen(ctx, listening)
		return nil
	})
	part("vitals", func(ctx context.Context) error {
		seen.memory.Watch(ctx, listening, c.plugged, log)
		return nil
	})
	part("local link", func(ctx context.Context) error { return local.Serve(ctx, socket, c) })
	if c.link != nil {
		c.adopt(c.link.Policy())
	}
	if c.link == nil {
		log.Warn("not enrolled: diagnoses stay on this machine; join it with constat-agent enroll")
	} else {
		part("uplink", func(ctx context.Context) error {
			err := c.link.Run(ctx, uplink.Handlers{
				Diagnose: c.commanded, Policy: c.adopt, CatalogVersion: catalogVersion,
			})
			if errors.Is(err, uplink.ErrRevoked) {
				// The machine's own users are still served.
				log.Error("the collector does not want this machine any more", "error", err)
				return nil
			}
			return err
		})
	}
	part("snapshots", c.snapshots)
	parts.Wait()
	if err := context.Cause(ctx); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	log.Info("agent ends")
	return nil
}

// openLink opens the identity of this machine, enrolling it first where that
// was asked for and is still to be done. No identity and no token is no error:
// the agent then works for its own users only.
func openLink(ctx context.Context, seen *observer, s *settings, token string, log *slog.Logger) (*uplink.Link, error) {
	options := []uplink.Option{uplink.Logger(log), uplink.Proxy(s.Proxy)}
	link, err := uplink.Open(seen.dir, options...)
	switch {
	case err == nil:
		seen.config.EndpointID = link.EndpointID()
		return link, nil
	case !errors.Is(err, uplink.ErrNotEnrolled):
		return nil, err
	case s.Collector == "" || token == "":
		return nil, nil
	}
	log.Info("enrolling", "collector", s.Collector)
	return enroll(ctx, seen, s.Collector, token, options...)
}

// enroll joins this machine to a collector.
func enroll(ctx context.Context, seen *observer, collector, token string, options ...uplink.Option) (*uplink.Link, error) {
	me := host.Observe(ctx, seen.config, []string{"host"}).GetHost()
	err := uplink.Enroll(ctx, collector, token, seen.dir, &constatv1.EnrollRequest{
		Hostname:     me.GetHostname(),
		MachineHash:  me.GetMachineHash(),
		OsFamily:     me.GetOsFamily(),
		AgentVersion: version.Version,
	}, options...)
	if err != nil {
		return nil, err
	}
	link, err := uplink.Open(seen.dir, options...)
	if err != nil {
		return nil, err
	}
	seen.config.EndpointID = link.EndpointID()
	return link, nil
}

// adopt takes the organisation's probe targets, unless this machine's own
// configuration names some. A policy that names none any more means the public
// defaults.
func (c *counter) adopt(p *constatv1.Policy) {
	if c.ownProbes || p == nil {
		return
	}
	c.one.Lock()
	defer c.one.Unlock()
	c.observer.config.Probes, c.observer.config.PolicyProbes = p.GetProbes(), p.GetProbes() != nil
}

// commanded runs a diagnosis that a technician asked for.
func (c *counter) commanded(ctx context.Context, command *constatv1.Command, progress func(*constatv1.Progress)) (*constatv1.Diagnosis, *constatv1.Snapshot, error) {
	p, err := procedureByName(command.GetDiagnose().GetProcedure())
	if err != nil {
		return nil, nil, err
	}
	if err := c.pace.wait(ctx); err != nil {
		return nil, nil, err
	}
	d, s := c.run(ctx, p, (&options{}).lang(), "technician", progress)
	return d, s, ctx.Err()
}

// plugged looks at what has a plug, after something came or went.
func (c *counter) plugged(ctx context.Context) {
	c.one.Lock()
	defer c.one.Unlock()
	defer rest()
	c.observer.observe(ctx, c.observer.config, []string{"peripherals", "usb"})
}

// snapshots looks at the whole machine now and then: for the collector, and for
// the memory of what changes.
func (c *counter) snapshots(ctx context.Context) error {
	tick := time.NewTicker(snapshotEvery)
	defer tick.Stop()
	for {
		s := c.look(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if c.link != nil {
			if err := c.link.PutSnapshot(s); err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}
