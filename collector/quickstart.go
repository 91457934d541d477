package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"constat/collector/intake"
	"constat/internal/durable"
)

const (
	// ticketTime is how long the first diagnosis and its ticket may take.
	ticketTime = 90 * time.Second
	// agentEnd is how long the agent may take to end in order.
	agentEnd = 10 * time.Second
)

func quickstartCommand(o *options) *cobra.Command {
	var agent string
	var once bool
	var joinTime time.Duration
	cmd := &cobra.Command{
		Use:   "quickstart",
		Short: "Try everything on this machine: collector, agent, diagnosis, ticket",
		Long: "quickstart runs a collector on loopback with its data in one folder. With\n" +
			"--agent it also enrols this machine, diagnoses it and opens a ticket with the\n" +
			"result. It prints a link to sign in with, and serves until Ctrl-C.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := o.load(cmd)
			if err != nil {
				return err
			}
			dir, err := filepath.Abs(s.Data)
			if err != nil {
				return err
			}
			s.Data = filepath.Join(dir, "collector")
			q := &quickstart{settings: s, dir: dir, agent: agent, joinTime: joinTime, out: cmd.OutOrStdout(), stderr: cmd.ErrOrStderr()}
			return q.run(cmd.Context(), once)
		},
	}
	serveFlags(cmd)
	cmd.Flags().Lookup("data").DefValue = ".constat"
	_ = cmd.Flags().Set("data", ".constat")
	cmd.Flags().StringVar(&agent, "agent", "", "the constat-agent `PROGRAM` to enrol this machine with")
	cmd.Flags().DurationVar(&joinTime, "join-time", 30*time.Second, "how long the agent may take to connect")
	cmd.Flags().BoolVar(&once, "once", false, "stop after printing, instead of serving")
	return cmd
}

// quickstart is one trial run.
type quickstart struct {
	settings    *settings
	dir         string
	agent       string
	joinTime    time.Duration
	out, stderr io.Writer
	// made: its desk is made up, and no machine is to be enrolled in it.
	made bool
}

func (q *quickstart) run(ctx context.Context, once bool) (err error) {
	// The collector's own words go to a file: this is a demonstration.
	if err := os.MkdirAll(q.dir, 0o755); err != nil {
		return fmt.Errorf("the data directory can't be made: %w; choose another with --data", err)
	}
	logFile, err := os.OpenFile(filepath.Join(q.dir, "collector.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer logFile.Close()
	srv, err := start(ctx, q.settings, slog.New(slog.NewTextHandler(logFile, nil)))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, srv.stop()) }()
	q.say("The collector runs; its data are in %s.", q.dir)
	people, err := srv.accounts.Users(ctx)
	if err != nil {
		return err
	}
	if len(people) == 0 {
		if _, err := srv.accounts.Create(ctx, adminName, "", "administrator", ""); err != nil {
			return err
		}
	}
	if q.agent != "" {
		stop, err := q.diagnose(ctx, srv)
		if err != nil {
			return err
		}
		defer stop()
	}
	link, err := srv.signInLink(ctx, adminName)
	if err != nil {
		return err
	}
	q.say("Console: %s", srv.url())
	q.say("Sign in as %s, once, within a day: %s", adminName, link)
	if once {
		return nil
	}
	if q.agent == "" && !q.made {
		q.say("Enrol a machine: %s token create --data %s > token.txt, then there:", os.Args[0], q.settings.Data)
		q.say("  constat-agent enroll --collector HOST:PORT --token-file token.txt")
	}
	where := "--data " + q.settings.Data
	if q.settings.GRPC != defaults().GRPC {
		where += " --grpc " + q.settings.GRPC
	}
	// As it was typed: bin/constat-collector is in nobody's PATH.
	q.say("For commands like %s ticket list %s, in another terminal:", os.Args[0], where)
	q.say("  export CONSTAT_TOKEN=$(%s user token %s --data %s)", os.Args[0], adminName, q.settings.Data)
	q.say("Stop with Ctrl-C.")
	select {
	case <-ctx.Done():
		return nil
	case err := <-srv.ended:
		return err
	}
}

func (q *quickstart) say(format string, args ...any) {
	fmt.Fprintf(q.out, format+"\n", args...)
}

// diagnose enrols this machine, runs its agent, and opens a ticket with a full
// diagnosis, which the agent prints. It returns how to end the agent.
func (q *quickstart) diagnose(ctx context.Context, srv *server) (stop func(), err error) {
	data := filepath.Join(q.dir, "agent")
	token, err := intake.NewToken(ctx, srv.desk, srv.authority, 1, time.Now().Add(time.Hour), "quickstart", "")
	if err != nil {
		return nil, err
	}
	tokenFile := filepath.Join(q.settings.Data, "token")
	if err := durable.Write(tokenFile, []byte(token+"\n"), 0o600); err != nil {
		return nil, err
	}
	defer os.Remove(tokenFile)
	logName := filepath.Join(q.dir, "agent.log")
	logFile, err := os.OpenFile(logName, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer logFile.Close()

	run := exec.Command(q.agent, "run", "--data", data, "--collector", srv.settings.GRPC, "--token-file", tokenFile)
	run.Stderr = logFile
	if err := run.Start(); err != nil {
		return nil, fmt.Errorf("starting the agent: %w", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- run.Wait() }()
	end := func() {
		_ = run.Process.Signal(syscall.SIGTERM)
		select {
		case <-ended:
		case <-time.After(agentEnd):
			_ = run.Process.Kill()
		}
	}
	defer func() {
		if err != nil {
			end()
			err = fmt.Errorf("%w\nThe agent's own words are in %s. To start over, remove %s", err, logName, q.dir)
		}
	}()
	if err := q.connected(ctx, data, ended); err != nil {
		return nil, err
	}
	q.say("This machine is enrolled. Diagnosing it…\n")
	within, cancel := context.WithTimeout(ctx, ticketTime)
	defer cancel()
	ticket := exec.CommandContext(within, q.agent, "ticket", "new", "--data", data, "--complaint", "full",
		"--text", "First diagnosis of this machine.", "--wait", "30s")
	ticket.Stdout, ticket.Stderr = q.out, q.stderr
	if err := ticket.Run(); err != nil {
		return nil, fmt.Errorf("opening the ticket: %w", err)
	}
	q.say("")
	return end, nil
}

// connected waits until the agent says that it reached the collector.
func (q *quickstart) connected(ctx context.Context, data string, ended <-chan error) error {
	ctx, cancel := context.WithTimeout(ctx, q.joinTime)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	var problem string
	for {
		status := exec.CommandContext(ctx, q.agent, "status", "--data", data)
		said, err := status.CombinedOutput()
		if err == nil {
			return nil
		}
		if ctx.Err() == nil {
			problem = string(bytes.TrimSpace(said))
		}
		select {
		case <-tick.C:
		case err := <-ended:
			return fmt.Errorf("the agent ended: %w", err)
		case <-ctx.Done():
			return fmt.Errorf("the agent did not connect within %s:\n%s", q.joinTime, problem)
		}
	}
}
