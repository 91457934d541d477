package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"constat/collector/desk"
	"constat/internal/command"
	deskv1 "constat/proto/constat/desk/v1"
	constatv1 "constat/proto/constat/v1"
)

func ticketCommand(o *options) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "ticket",
		Short: "Work with tickets of a running collector",
		Long: "These commands ask a running collector and need a token in CONSTAT_TOKEN:\n\n" +
			"  export CONSTAT_TOKEN=$(constat-collector user token NAME)",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	var state, assignee, site, order, named string
	var active, unassigned bool
	var limit int32
	var columns []string
	list := remote(o, "list", "List tickets, newest first", cobra.NoArgs,
		func(ctx context.Context, client deskv1.DeskServiceClient, _ []string) (proto.Message, error) {
			r := &deskv1.ListTicketsRequest{Status: state, Assignee: assignee, Active: active, Unassigned: unassigned, Site: site, Order: order}
			if named != "" {
				form, err := viewNamed(ctx, client, named)
				if err != nil {
					return nil, err
				}
				if r = desk.Asked(form); len(columns) == 0 && form.Has("columns") {
					columns = desk.AskedColumns(form)
				}
			}
			r.Limit = limit
			return client.ListTickets(ctx, r)
		}, func(w io.Writer, m proto.Message) { writeTicketColumns(w, m, columns) })
	list.Flags().StringVar(&named, "view", "", "the list of this `NAME` or id that is kept (see view list); of the other filters only --limit and --columns count then")
	list.Flags().StringVar(&order, "order", "", "newest, oldest, updated (last change first) or priority (most pressing first)")
	list.Flags().StringSliceVar(&columns, "columns", nil, "what is told beside number and title, with commas between: "+strings.Join(desk.Columns, ", "))
	list.MarkFlagsMutuallyExclusive("view", "order")
	list.Flags().StringVar(&state, "status", "", "only this status: new, open, pending, solved, closed, merged")
	list.Flags().BoolVar(&active, "active", false, "only those still to be worked on: neither closed nor merged")
	list.Flags().BoolVar(&unassigned, "unassigned", false, "only those that nobody has")
	list.Flags().StringVar(&assignee, "assignee", "", "only this assignee's")
	list.Flags().StringVar(&site, "site", "", "only those of this site")
	list.Flags().Int32Var(&limit, "limit", 50, "how many, at most 200")
	var best bool
	search := remote(o, "search WORDS…", "Find tickets by number, words or machine", cobra.MinimumNArgs(1),
		func(ctx context.Context, desk deskv1.DeskServiceClient, args []string) (proto.Message, error) {
			return desk.ListTickets(ctx, &deskv1.ListTicketsRequest{Query: strings.Join(args, " "), Best: best})
		}, writeTickets)
	search.Flags().BoolVar(&best, "best", false, "the best match first, of the newest that are found, and not the newest")
	show := remote(o, "show N", "Show a ticket with its whole timeline", cobra.ExactArgs(1),
		func(ctx context.Context, desk deskv1.DeskServiceClient, args []string) (proto.Message, error) {
			n, err := number(args[0])
			if err != nil {
				return nil, err
			}
			return desk.GetTicket(ctx, &deskv1.GetTicketRequest{Number: n})
		}, writeTicket)
	var to string
	assign := remote(o, "assign N", "Give a ticket to a technician", cobra.ExactArgs(1),
		func(ctx context.Context, desk deskv1.DeskServiceClient, args []string) (proto.Message, error) {
			n, err := number(args[0])
			if err != nil {
				return nil, err
			}
			t, err := desk.GetTicket(ctx, &deskv1.GetTicketRequest{Number: n})
			if err != nil {
				return nil, err
			}
			return desk.UpdateTicket(ctx, &deskv1.UpdateTicketRequest{Number: n, Version: t.GetTicket().GetVersion(), Assignee: &to})
		}, func(w io.Writer, m proto.Message) {
			t := m.(*deskv1.UpdateTicketResponse).GetTicket()
			fmt.Fprintf(w, "Ticket %d is with %s.\n", t.GetNumber(), orNobody(t.GetAssignee()))
		})
	assign.Flags().StringVar(&to, "to", "", "the technician's name; empty: nobody")
	merge := remote(o, "merge N M", "Make ticket N part of ticket M, for good", cobra.ExactArgs(2),
		func(ctx context.Context, desk deskv1.DeskServiceClient, args []string) (proto.Message, error) {
			from, errFrom := number(args[0])
			into, errInto := number(args[1])
			if err := errors.Join(errFrom, errInto); err != nil {
				return nil, err
			}
			t, err := desk.GetTicket(ctx, &deskv1.GetTicketRequest{Number: from})
			if err != nil {
				return nil, err
			}
			return desk.MergeTicket(ctx, &deskv1.MergeTicketRequest{Number: from, Version: t.GetTicket().GetVersion(), Into: into})
		}, func(w io.Writer, m proto.Message) {
			t := m.(*deskv1.MergeTicketResponse).GetTicket()
			fmt.Fprintf(w, "It is part of ticket %d now: %s.\n", t.GetNumber(), t.GetTitle())
		})
	cmd.AddCommand(changeCommands(o)...)
	cmd.AddCommand(list, search, show, assign, whyCommand(o), merge, diagnoseCommand(o), requestRemedyCommand(o))
	return cmd
}

// remote makes a command that asks a running collector one question.
func remote(o *options, use, short string, args cobra.PositionalArgs,
	ask func(context.Context, deskv1.DeskServiceClient, []string) (proto.Message, error),
	write func(io.Writer, proto.Message),
) *cobra.Command {
	return remoteTo(o, use, short, args, func(ctx context.Context, conn *grpc.ClientConn, args []string) (proto.Message, error) {
		return ask(ctx, deskv1.NewDeskServiceClient(conn), args)
	}, write)
}

// remoteTo is remote for any of the collector's services.
func remoteTo(o *options, use, short string, args cobra.PositionalArgs,
	ask func(context.Context, *grpc.ClientConn, []string) (proto.Message, error),
	write func(io.Writer, proto.Message),
) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   use,
		Short: short,
		Args:  args,
		RunE: func(cmd *cobra.Command, args []string) error {
			return o.withCollector(cmd, func(ctx context.Context, conn *grpc.ClientConn) error {
				m, err := ask(ctx, conn, args)
				if err != nil {
					return plain(err)
				}
				if asJSON {
					return command.WriteMessage(cmd.OutOrStdout(), m, command.EveryKey)
				}
				write(cmd.OutOrStdout(), m)
				return nil
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "one JSON object on standard output")
	remoteFlags(cmd)
	return cmd
}

func remoteFlags(cmd *cobra.Command) {
	cmd.Flags().String("grpc", defaults().GRPC, "the collector's `ADDRESS` for agents and the command line")
	cmd.Flags().String("data", defaults().Data, "`DIR` with the collector's ca.pem")
	cmd.Flags().String("ca", "", "the collector's CA certificate, a PEM `FILE` (default: ca.pem under --data)")
}

func diagnoseCommand(o *options) *cobra.Command {
	var procedure string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "diagnose N",
		Short: "Pull a fresh diagnosis into a ticket, and follow it",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			n, err := number(args[0])
			if err != nil {
				return err
			}
			return o.withDesk(cmd, func(ctx context.Context, desk deskv1.DeskServiceClient) error {
				stream, err := desk.Diagnose(ctx, &deskv1.DiagnoseRequest{Ticket: n, Procedure: procedure})
				if err != nil {
					return plain(err)
				}
				return followDiagnosis(cmd, stream, asJSON)
			})
		},
	}
	cmd.Flags().StringVar(&procedure, "procedure", "", "the procedure to run (default: the ticket's)")
	cmd.Flags().BoolVar(&asJSON, "json", false, "one JSON object on standard output")
	remoteFlags(cmd)
	return cmd
}

func requestRemedyCommand(o *options) *cobra.Command {
	var component, fault string
	cmd := remote(o, "remedy N VERB", "Ask the person at a ticket's machine for their consent to a remedy", cobra.ExactArgs(2),
		func(ctx context.Context, desk deskv1.DeskServiceClient, args []string) (proto.Message, error) {
			n, err := number(args[0])
			if err != nil {
				return nil, err
			}
			return desk.RequestRemedy(ctx, &deskv1.RequestRemedyRequest{Ticket: n, Verb: args[1], Component: component, Fault: fault})
		}, func(w io.Writer, m proto.Message) {
			r := m.(*deskv1.RequestRemedyResponse)
			fmt.Fprintf(w, "The person at the machine is asked (for %s); nothing is done without their yes.\nThey may answer until %s; what comes of it stands in the ticket.\n",
				strings.TrimSpace(r.GetFault()+" "+r.GetComponent()), r.GetExpiresAt().AsTime().Local().Format(time.DateTime))
		})
	cmd.Flags().StringVar(&component, "component", "", "what it is to be done to (default: what the diagnosis names)")
	cmd.Flags().StringVar(&fault, "fault", "", "the `FAULT` it is for (default: the first cause that has this remedy)")
	return cmd
}

func followDiagnosis(cmd *cobra.Command, stream grpc.ServerStreamingClient[deskv1.DiagnoseResponse], asJSON bool) error {
	for {
		m, err := stream.Recv()
		switch {
		case errors.Is(err, io.EOF):
			return errors.New("the collector ended without a diagnosis: it will still be attached to the ticket when it comes")
		case err != nil:
			return plain(err)
		}
		switch {
		case m.GetWaitingUntil() != nil:
			fmt.Fprintf(cmd.ErrOrStderr(), "The machine is offline; the request waits until %s.\n", m.GetWaitingUntil().AsTime().Local().Format(time.DateTime))
		case m.GetProgress() != nil:
			p := m.GetProgress()
			fmt.Fprintf(cmd.ErrOrStderr(), "%s %d/%d %s %s\n", p.Phase, p.Done, p.Total, p.Group, p.Status)
		case m.GetDiagnosis() != nil:
			d := m.GetDiagnosis()
			if asJSON {
				return command.WriteMessage(cmd.OutOrStdout(), d, command.EveryKey)
			}
			writeSummary(cmd.OutOrStdout(), "", d)
			return nil
		}
	}
}

// withDesk is withCollector for the desk's service.
func (o *options) withDesk(cmd *cobra.Command, f func(context.Context, deskv1.DeskServiceClient) error) error {
	return o.withCollector(cmd, func(ctx context.Context, conn *grpc.ClientConn) error {
		return f(ctx, deskv1.NewDeskServiceClient(conn))
	})
}

// withCollector connects to a running collector as CONSTAT_TOKEN's user.
func (o *options) withCollector(cmd *cobra.Command, f func(context.Context, *grpc.ClientConn) error) error {
	s, err := o.load(cmd)
	if err != nil {
		return err
	}
	token := os.Getenv("CONSTAT_TOKEN")
	if token == "" {
		return errors.New("CONSTAT_TOKEN is not set; on the collector's machine: export CONSTAT_TOKEN=$(constat-collector user token NAME)")
	}
	file, err := cmd.Flags().GetString("ca")
	if err != nil {
		return err
	}
	if file == "" {
		file = s.caFile()
	}
	pem, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("the collector's CA certificate: %w; name it with --ca", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return fmt.Errorf("%s holds no PEM certificate", file)
	}
	conn, err := grpc.NewClient(s.GRPC, grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS13})))
	if err != nil {
		return err
	}
	defer conn.Close()
	ctx := metadata.AppendToOutgoingContext(cmd.Context(), "authorization", "Bearer "+token)
	return f(ctx, conn)
}

func number(text string) (int32, error) {
	n, err := strconv.ParseInt(strings.TrimPrefix(text, "#"), 10, 32)
	if err != nil || n < 1 {
		return 0, fmt.Errorf("%q is no ticket number", text)
	}
	return int32(n), nil
}

// plain is command.Plain that knows what to try when nobody answers.
func plain(err error) error {
	if s := status.Convert(err); s.Code() == codes.Unavailable {
		return fmt.Errorf("no collector can be reached: see that it runs, and that --grpc and --ca name the right one (%s)", s.Message())
	}
	return command.Plain(err)
}

func writeTickets(w io.Writer, m proto.Message) { writeTicketColumns(w, m, nil) }

// cellOf is what a column tells of a ticket.
var cellOf = map[string]func(*constatv1.Ticket) string{
	"requester": func(t *constatv1.Ticket) string { return t.GetRequester().GetName() },
	"machine":   (*constatv1.Ticket).GetEndpointName,
	"assignee":  func(t *constatv1.Ticket) string { return orNobody(t.GetAssignee()) },
	"cause":     (*constatv1.Ticket).GetRootCause,
	"status":    (*constatv1.Ticket).GetStatus,
	"priority":  (*constatv1.Ticket).GetPriority,
	"created":   func(t *constatv1.Ticket) string { return t.GetCreatedAt().AsTime().Local().Format(time.DateTime) },
	"updated":   func(t *constatv1.Ticket) string { return t.GetUpdatedAt().AsTime().Local().Format(time.DateTime) },
	"site":      (*constatv1.Ticket).GetSite,
	"queue":     (*constatv1.Ticket).GetQueue,
	"category":  (*constatv1.Ticket).GetCategory,
	"tags":      func(t *constatv1.Ticket) string { return strings.Join(t.GetTags(), ", ") },
	"minutes":   func(t *constatv1.Ticket) string { return strconv.Itoa(int(t.GetMinutes())) },
}

// writeTicketColumns writes a list with what is asked for of each ticket; nothing: the
// usual.
func writeTicketColumns(w io.Writer, m proto.Message, columns []string) {
	list := m.(*deskv1.ListTicketsResponse).GetTickets()
	if len(list) == 0 {
		fmt.Fprintln(w, "No tickets.")
		return
	}
	if len(columns) == 0 {
		columns = []string{"status", "priority", "assignee", "machine"}
	}
	columns = slices.DeleteFunc(slices.Clone(columns), func(name string) bool { return cellOf[name] == nil })
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	fmt.Fprintln(t, strings.ToUpper(strings.Join(slices.Concat([]string{"number"}, columns, []string{"title"}), "\t")))
	for _, k := range list {
		fmt.Fprintf(t, "%d\t", k.GetNumber())
		for _, name := range columns {
			fmt.Fprintf(t, "%s\t", cellOf[name](k))
		}
		fmt.Fprintln(t, k.GetTitle())
	}
	_ = t.Flush()
}

func orNobody(name string) string {
	if name == "" {
		return "nobody"
	}
	return name
}

func writeTicket(w io.Writer, m proto.Message) {
	r := m.(*deskv1.GetTicketResponse)
	t := r.GetTicket()
	writeFields(w, t)
	writeLinks(w, r.GetLinks())
	for _, c := range r.GetConcerned() {
		fmt.Fprintf(w, "concerns %s: %s\n", map[string]string{"endpoint": "machine", "gear": "network device"}[c.GetKind()], c.GetName())
	}
	fmt.Fprintf(w, "%s on %s, by %s, %s\n", t.GetRequester().GetName(), t.GetEndpointName(), t.GetChannel(), t.GetCreatedAt().AsTime().Local().Format(time.DateTime))
	for _, e := range r.GetTimeline() {
		fmt.Fprintf(w, "\n%s  %s, %s", e.GetAt().AsTime().Local().Format(time.DateTime), e.GetKind(), e.GetActor())
		if e.GetKind() == "message" || e.GetKind() == "note" {
			fmt.Fprintf(w, "  [%s]", e.GetId()) // what split takes
		}
		fmt.Fprintln(w)
		if e.GetText() != "" {
			fmt.Fprintf(w, "  %s\n", strings.ReplaceAll(e.GetText(), "\n", "\n  "))
		}
		for _, f := range e.GetFiles() {
			fmt.Fprintf(w, "  file %s: %s (%d bytes)\n", f.GetId(), f.GetName(), f.GetSize())
		}
		if e.GetMinutes() > 0 {
			fmt.Fprintf(w, "  %d minutes\n", e.GetMinutes())
		}
		for _, c := range e.GetChanges() {
			fmt.Fprintf(w, "  %s: %s → %s\n", c.GetField(), c.GetBefore(), c.GetAfter())
		}
		if r := e.GetRemedy(); r != nil {
			writeRemedy(w, r)
		}
		if d := e.GetDiagnosis(); d != nil {
			writeSummary(w, "  ", d)
		}
	}
}

// writeRemedy prints what came of a remedy, or that it waits for consent.
func writeRemedy(w io.Writer, r *constatv1.RemedyResult) {
	outcome := cmp.Or(r.GetOutcome(), "waits for the person at the machine")
	fmt.Fprintf(w, "  %s: %s\n", strings.TrimSpace(r.GetVerb()+" "+r.GetComponent()), outcome)
	if r.GetConsentedBy() != "" {
		fmt.Fprintf(w, "    asked for by %s, agreed to by %s\n", r.GetRequestedBy(), r.GetConsentedBy())
	}
	for _, text := range []string{r.GetProof().GetEn(), r.GetAction(), r.GetReason()} {
		if text != "" {
			fmt.Fprintf(w, "    %s\n", text)
		}
	}
}

// writeSummary prints what a technician needs of a diagnosis: causes and proof.
func writeSummary(w io.Writer, indent string, d *constatv1.Diagnosis) {
	fmt.Fprintf(w, "%s%s: %s\n", indent, d.GetProcedure(), d.GetVerdict())
	for _, c := range d.GetRootCauses() {
		fmt.Fprintf(w, "%s* %s [%s, %s]\n", indent, c.GetTitle(), c.GetFault(), c.GetCertainty())
		for _, e := range c.GetEvidence() {
			fmt.Fprintf(w, "%s    %s = %s (%s)\n", indent, e.GetFact(), e.GetValue(), e.GetSource())
		}
	}
	for _, u := range d.GetUnobserved() {
		fmt.Fprintf(w, "%s  not seen: %s, %s (%s)\n", indent, u.GetGroup(), u.GetObservation().GetStatus(), u.GetObservation().GetReason())
	}
}
