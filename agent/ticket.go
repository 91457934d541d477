package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/grpc/status"

	"constat/agent/local"
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
			conn, err := local.Dial(cmd.Context(), local.Socket(s.Data))
			if err != nil {
				return err
			}
			defer conn.Close()
			agent := constatv1.NewLocalServiceClient(conn)

			request := &constatv1.SubmitTicketRequest{
				Complaint: complaint, Text: text, Language: o.lang(), WaitSeconds: int32(wait.Seconds()),
			}
			var d *constatv1.Diagnosis
			if complaint != "other" {
				show, end := showProgress(cmd.ErrOrStderr(), o.lang())
				d, err = follow(cmd, agent, &constatv1.RunDiagnosisRequest{Procedure: complaint, Language: o.lang()}, show)
				end()
				if err != nil {
					return err
				}
				request.DiagnosisId = d.Id
			}
			answer, err := agent.SubmitTicket(cmd.Context(), request)
			if err != nil {
				return plain(err)
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

// follow runs a diagnosis in the agent's service and waits for its end.
func follow(cmd *cobra.Command, agent constatv1.LocalServiceClient, r *constatv1.RunDiagnosisRequest, show func(*constatv1.Progress)) (*constatv1.Diagnosis, error) {
	stream, err := agent.RunDiagnosis(cmd.Context(), r)
	if err != nil {
		return nil, plain(err)
	}
	for {
		m, err := stream.Recv()
		if err != nil {
			return nil, plain(err)
		}
		if d := m.GetDiagnosis(); d != nil {
			return d, nil
		}
		if p := m.GetProgress(); p != nil && show != nil {
			show(p)
		}
	}
}

// plain takes the transport's wrapping off an error meant for people.
func plain(err error) error {
	if s, ok := status.FromError(err); ok {
		return fmt.Errorf("%s", s.Message())
	}
	return err
}
