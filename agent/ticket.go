package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/user"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"constat/agent/local"
	"constat/agent/uplink"
	"constat/internal/command"
	"constat/internal/fault"
	constatv1 "constat/proto/constat/v1"
)

// complaints are what a ticket can be about: the procedures, and anything else.
func complaints() []string { return append(procedureNames(), "other") }

func ticketCommand(o *options) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "ticket",
		Short: "Ask your support team for help",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(ticketNewCommand(o))
	return cmd
}

func ticketNewCommand(o *options) *cobra.Command {
	var complaint, text string
	var wait time.Duration
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "new",
		Short: "Open a ticket, with a fresh diagnosis attached",
		Long: "new diagnoses this computer for the complaint and sends the result with what\n" +
			"you write. Without a network the ticket waits on this computer and is sent\n" +
			"as soon as the collector can be reached.\n\n" +
			"Complaints: " + strings.Join(complaints(), ", ") + ".",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !slices.Contains(complaints(), complaint) {
				return fmt.Errorf("there is no complaint %q; choose one of %s", complaint, strings.Join(complaints(), ", "))
			}
			s, err := o.load(cmd)
			if err != nil {
				return err
			}
			request := &constatv1.SubmitTicketRequest{
				Complaint: complaint, Text: text, Language: o.lang(), WaitSeconds: int32(wait.Seconds()),
			}
			show, end := showProgress(cmd.ErrOrStderr(), o.lang())
			conn, err := local.Dial(cmd.Context(), local.Socket(s.Data))
			if err != nil && !errors.Is(err, local.ErrNotRunning) {
				return err
			}
			var d *constatv1.Diagnosis
			var answer *constatv1.SubmitTicketResponse
			if err == nil {
				defer conn.Close()
				d, answer, err = askService(cmd.Context(), constatv1.NewLocalServiceClient(conn), request, show)
			} else {
				d, answer, err = askAlone(cmd.Context(), s, request, show)
			}
			end()
			if err != nil {
				return command.Plain(err)
			}
			if asJSON {
				_, err = fmt.Fprintf(cmd.OutOrStdout(), "{\"id\":%q,\"number\":%d,\"diagnosisId\":%q}\n", answer.Id, answer.Number, request.DiagnosisId)
				return err
			}
			if d != nil {
				catalog, err := fault.Builtin()
				if err != nil {
					return err
				}
				writeDiagnosis(cmd.OutOrStdout(), d, catalog, o.lang())
				fmt.Fprintln(cmd.OutOrStdout())
			}
			if answer.Number == 0 {
				fmt.Fprintln(cmd.OutOrStdout(), ticketWords[o.lang()].waits)
				return nil
			}
			fmt.Fprintf(cmd.OutOrStdout(), ticketWords[o.lang()].open+"\n", answer.Number)
			return nil
		},
	}
	cmd.Flags().StringVar(&complaint, "complaint", "", "what it is about: "+strings.Join(complaints(), ", "))
	cmd.Flags().StringVar(&text, "text", "", "what happens, in your words")
	cmd.Flags().DurationVar(&wait, "wait", 10*time.Second, "how long to wait for the ticket's number, at most 1m")
	cmd.Flags().BoolVar(&asJSON, "json", false, "one JSON object on standard output")
	_ = cmd.MarkFlagRequired("complaint")
	return cmd
}

var ticketWords = map[string]struct{ open, waits string }{
	"en": {
		open:  "Ticket %d is open; the diagnosis is attached.",
		waits: "The ticket is safe on this computer and will be sent when the collector can be reached.",
	},
	"fr": {
		open:  "Le ticket %d est ouvert ; le diagnostic y est joint.",
		waits: "Le ticket est conservé sur cet ordinateur et partira dès que le collecteur sera joignable.",
	},
}

// askService has the agent's service diagnose and submit.
func askService(ctx context.Context, agent constatv1.LocalServiceClient, r *constatv1.SubmitTicketRequest, show func(*constatv1.Progress)) (d *constatv1.Diagnosis, answer *constatv1.SubmitTicketResponse, err error) {
	if r.Complaint != "other" {
		if d, err = follow(ctx, agent, &constatv1.RunDiagnosisRequest{Procedure: r.Complaint, Language: r.Language}, show); err != nil {
			return nil, nil, err
		}
		r.DiagnosisId = d.Id
	}
	answer, err = agent.SubmitTicket(ctx, r)
	return d, answer, err
}

// askAlone does what the service would, where none runs: the ticket goes into
// the spool of this machine's identity and from there to the collector, now or
// when an agent runs again.
func askAlone(ctx context.Context, s *settings, r *constatv1.SubmitTicketRequest, show func(*constatv1.Progress)) (d *constatv1.Diagnosis, answer *constatv1.SubmitTicketResponse, err error) {
	if _, err := os.Stat(s.Data); err != nil {
		return nil, nil, local.ErrNotRunning
	}
	me, err := user.Current()
	if err != nil {
		return nil, nil, err
	}
	asker := local.User{ID: me.Uid, Name: me.Username}
	seen, err := newJudge(ctx, s, s.Data)
	if err != nil {
		return nil, nil, err
	}
	defer seen.close()
	link, err := uplink.Open(seen.dir, uplink.Proxy(s.Proxy), uplink.Logger(slog.New(slog.DiscardHandler)))
	if err != nil {
		return nil, nil, fmt.Errorf("%w; and %w", local.ErrNotRunning, err)
	}
	seen.config.EndpointID = link.EndpointID()
	c := &counter{observer: seen, ownProbes: s.Probes != nil}
	c.link.Store(link)
	c.adopt(link.Policy())
	sending, stop := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = link.Run(sending, uplink.Handlers{Diagnose: c.commanded})
	}()
	defer func() {
		stop()
		<-ended
	}()
	if r.Complaint != "other" {
		p, err := procedureByName(r.Complaint)
		if err != nil {
			return nil, nil, err
		}
		var snapshot *constatv1.Snapshot
		d, snapshot = c.run(ctx, p, r.Language, "user", show)
		c.keep(kept{asker, d, snapshot})
		r.DiagnosisId = d.Id
	}
	answer, err = c.submitFor(ctx, asker, r)
	return d, answer, err
}

// follow runs a diagnosis in the agent's service and waits for its end.
func follow(ctx context.Context, agent constatv1.LocalServiceClient, r *constatv1.RunDiagnosisRequest, show func(*constatv1.Progress)) (*constatv1.Diagnosis, error) {
	stream, err := agent.RunDiagnosis(ctx, r)
	if err != nil {
		return nil, err
	}
	for {
		m, err := stream.Recv()
		if err != nil {
			return nil, err
		}
		if d := m.GetDiagnosis(); d != nil {
			return d, nil
		}
		if p := m.GetProgress(); p != nil && show != nil {
			show(p)
		}
	}
}
