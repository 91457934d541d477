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

// Pauses between looks at the whole machine without a reason: as a rule, and after one
// that could not be kept.
const (
	snapshotEvery = time.Hour
	snapshotAgain = 5 * time.Minute
)

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
	slog.SetDefault(log) // one form for all that the service says
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
	seen.memory.Woken = s.woken
	c := &counter{observer: seen, ownProbes: s.Probes != nil, joined: make(chan struct{}), tried: make(chan struct{})}
	c.people.open(seen.dir)
	if err := c.open(log, s.Proxy); err != nil && !errors.Is(err, uplink.ErrNotEnrolled) {
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
		minutes := make(chan history.Minute, 1)
		go c.occasions(ctx, minutes, log)
		seen.memory.Watch(ctx, listening, c.plugged, func(m history.Minute) {
			select {
			case minutes <- m:
			default: // a look is under way, and sees for itself
			}
		}, log)
		return nil
	})
	part("local link", func(ctx context.Context) error { return local.Serve(ctx, socket, c) })
	part("uplink", func(ctx context.Context) error {
		if err := c.join(ctx, s, token, log); err != nil {
			return err
		}
		link := c.link.Load()
		if link == nil {
			return nil // the agent ends
		}
		c.adopt(link.Policy())
		err := link.Run(ctx, uplink.Handlers{
			Diagnose: c.commanded, Remedy: c.asked, Policy: c.adopt, Knowledge: usable, Answered: c.people.answered, CatalogVersion: catalogVersion,
		})
		if errors.Is(err, uplink.ErrRevoked) {
			// The machine's own users are still served.
			log.Error("the collector does not want this machine any more", "error", err)
			return nil
		}
		if errors.Is(err, uplink.ErrTwin) {
			// At its next start it is a new machine, and enrols where a token
			// is configured.
			log.Error("this computer gives back an identity that is another one's", "error", err)
			return errors.Join(err, uplink.PutAside(c.observer.dir))
		}
		return err
	})
	part("snapshots", func(ctx context.Context) error { c.snapshots(ctx, log); return nil })
	part("remedies", func(ctx context.Context) error { return c.tend(ctx, log) })
	command.Ready()
	parts.Wait()
	if err := context.Cause(ctx); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	log.Info("agent ends")
	return nil
}

// Pauses between attempts to join a collector, and between looks for an identity
// that somebody else, constat-agent enroll, put there.
const (
	firstJoinPause = 2 * time.Second
	lastJoinPause  = 5 * time.Minute
	lookForJoin    = 10 * time.Second
)

// open takes up the identity of this machine, once it has one.
func (c *counter) open(log *slog.Logger, proxy string) error {
	c.one.Lock()
	defer c.one.Unlock()
	config := c.observer.config // diagnoses go on while a connection is made
	link, err := uplink.Open(c.observer.dir, uplink.Logger(log), uplink.Proxy(proxy), uplink.Hardware(func(ctx context.Context) string {
		return host.HardwareHash(host.Observe(ctx, config, []string{"hardware"}).GetHardware())
	}))
	if err != nil {
		return err
	}
	c.observer.config.EndpointID = link.EndpointID()
	c.link.Store(link)
	close(c.joined)
	return nil
}

// join returns when this machine has an identity. Where a collector and a token
// are configured it enrols, as often as it takes: the collector may not be up
// yet, and this machine's own users are served meanwhile.
func (c *counter) join(ctx context.Context, s *settings, token string, log *slog.Logger) error {
	configured := s.Collector != "" && token != ""
	if c.link.Load() == nil && !configured {
		c.unjoined.Store(&notConfigured)
		log.Warn(notConfigured)
	}
	tried := sync.OnceFunc(func() { close(c.tried) })
	defer tried()
	if !configured {
		tried()
	}
	pause, attempt := firstJoinPause, time.Now()
	for c.link.Load() == nil {
		if configured && !time.Now().Before(attempt) {
			err := c.enroll(ctx, s, token, log)
			if ctx.Err() != nil {
				return nil
			}
			tried()
			if err == nil {
				continue
			}
			problem := err.Error()
			if former := c.unjoined.Swap(&problem); former == nil || *former != problem {
				log.Error("not enrolled yet", "error", err)
			}
			attempt, pause = time.Now().Add(pause), min(2*pause, lastJoinPause)
		}
		wait := time.NewTimer(min(lookForJoin, pause))
		select {
		case <-ctx.Done():
			wait.Stop()
			return nil
		case <-wait.C:
		}
		if err := c.open(log, s.Proxy); err != nil && !errors.Is(err, uplink.ErrNotEnrolled) {
			return err
		}
	}
	return nil
}

// enroll joins the machine to the configured collector.
func (c *counter) enroll(ctx context.Context, s *settings, token string, log *slog.Logger) error {
	log.Info("enrolling", "collector", s.Collector)
	c.one.Lock()
	seen := *c.observer // diagnoses go on meanwhile
	c.one.Unlock()
	if err := enroll(ctx, &seen, s.Collector, token, uplink.Logger(log), uplink.Proxy(s.Proxy)); err != nil {
		return err
	}
	return c.open(log, s.Proxy)
}

// enroll joins this machine to a collector, and keeps the identity it gets.
func enroll(ctx context.Context, seen *observer, collector, token string, options ...uplink.Option) error {
	s := host.Observe(ctx, seen.config, []string{"host", "hardware"})
	me := s.GetHost()
	return uplink.Enroll(ctx, collector, token, seen.dir, &constatv1.EnrollRequest{
		Hostname:     me.GetHostname(),
		MachineHash:  me.GetMachineHash(),
		HardwareHash: host.HardwareHash(s.GetHardware()),
		OsFamily:     me.GetOsFamily(),
		AgentVersion: version.Version,
	}, options...)
}

// adopt takes the organisation's probe targets, unless this machine's own
// configuration names some. A policy that names none any more means the public
// defaults.
func (c *counter) adopt(p *constatv1.Policy) {
	if p == nil {
		return
	}
	c.takeTriggers(p.GetTriggers())
	if c.ownProbes {
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
	trigger := "technician"
	if command.GetRequestedBy() == "constat" { // the desk itself
		trigger = "command"
	}
	d, s := c.run(ctx, p, (&options{}).lang(), trigger, progress)
	return d, s, ctx.Err()
}

// plugged looks at what has a plug, after something came or went.
func (c *counter) plugged(ctx context.Context) {
	c.one.Lock()
	defer c.one.Unlock()
	defer rest()
	c.noteDevices(c.observer.observe(ctx, c.observer.config, []string{"peripherals", "usb"}).GetUsb())
}

// snapshots looks at the whole machine now and then: for the collector, and for
// the memory of what changes. A full disk keeps no snapshot, and is what a diagnosis is
// wanted for: the agent goes on.
func (c *counter) snapshots(ctx context.Context, log *slog.Logger) {
	tick := time.NewTicker(snapshotEvery)
	defer tick.Stop()
	// A machine that is just joining looks once it has somebody to tell.
	patience := time.NewTimer(lookForJoin)
	defer patience.Stop()
	select {
	case <-c.tried:
	case <-patience.C:
	case <-ctx.Done():
	}
	for said := false; ; {
		s := c.look(ctx)
		if ctx.Err() != nil {
			return
		}
		joined := c.joined
		var again <-chan time.Time
		if link := c.link.Load(); link != nil {
			joined = nil
			err := link.PutSnapshot(s)
			if err != nil {
				again = time.After(snapshotAgain)
			}
			if err != nil && !said {
				log.Error("a snapshot can't be kept for the collector", "error", err, "again in", snapshotAgain.String())
			}
			said = err != nil
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-again:
		case <-joined:
		}
	}
}
