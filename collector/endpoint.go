package main

import (
	"context"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/proto"

	deskv1 "constat/proto/constat/desk/v1"
)

func endpointCommand(o *options) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "endpoint",
		Short: "Look at the machines of a running collector, end their trust, and forget them",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	list := remote(o, "list [PART OF A NAME OR SERIAL]", "List machines by name", cobra.MaximumNArgs(1),
		func(ctx context.Context, desk deskv1.DeskServiceClient, args []string) (proto.Message, error) {
			r := &deskv1.ListEndpointsRequest{}
			if len(args) > 0 {
				r.Query = args[0]
			}
			return desk.ListEndpoints(ctx, r)
		}, writeEndpoints)
	var reason string
	revoke := remote(o, "revoke ID", "End a machine's certificate: it must enrol again", cobra.ExactArgs(1),
		func(ctx context.Context, desk deskv1.DeskServiceClient, args []string) (proto.Message, error) {
			return desk.RevokeEndpoint(ctx, &deskv1.RevokeEndpointRequest{EndpointId: args[0], Reason: reason})
		}, func(w io.Writer, _ proto.Message) { fmt.Fprintln(w, "Revoked; its next call is refused.") })
	revoke.Flags().StringVar(&reason, "reason", "", "why, for the record and for the machine's user")
	erase := remote(o, "erase ID NAME", "Forget a machine and all that it observed, for good", cobra.ExactArgs(2),
		func(ctx context.Context, desk deskv1.DeskServiceClient, args []string) (proto.Message, error) {
			return desk.EraseEndpoint(ctx, &deskv1.EraseEndpointRequest{EndpointId: args[0], Hostname: args[1]})
		}, func(w io.Writer, m proto.Message) {
			fmt.Fprintf(w, "Erased; of its tickets %d stay, without what the machine observed. Backups made before still hold it.\n", m.(*deskv1.EraseEndpointResponse).GetTickets())
		})
	erase.Long = "Forget a machine: its facts, diagnoses, remedies and runs of procedures, where it was seen, and what else only it had.\n" +
		"The id says which, and the name that it is the one you mean. Tickets stay with what people wrote. The machine’s\n" +
		"certificate is refused from now on: to come back it has to enrol with a token, as a new machine."
	remedies := remote(o, "remedies ID|NAME", "List what was mended on a machine, who asked and who agreed", cobra.ExactArgs(1),
		func(ctx context.Context, desk deskv1.DeskServiceClient, args []string) (proto.Message, error) {
			found, err := desk.GetEndpoint(ctx, &deskv1.GetEndpointRequest{Id: args[0]})
			return &deskv1.GetEndpointResponse{Endpoint: found.GetEndpoint(), Remedies: found.GetRemedies()}, err
		}, writeRemedies)
	cmd.AddCommand(list, remedies, revoke, erase)
	return cmd
}

func writeRemedies(w io.Writer, m proto.Message) {
	all := m.(*deskv1.GetEndpointResponse).GetRemedies()
	if len(all) == 0 {
		fmt.Fprintln(w, "No remedy was done or asked for there.")
		return
	}
	for _, r := range all {
		at := r.GetAt().AsTime().Local().Format(time.DateTime)
		if r.GetTicket() != 0 {
			at += fmt.Sprintf(", ticket %d", r.GetTicket())
		}
		fmt.Fprintln(w, at)
		writeRemedy(w, r)
	}
}

func writeEndpoints(w io.Writer, m proto.Message) {
	r := m.(*deskv1.ListEndpointsResponse)
	if len(r.GetEndpoints()) == 0 {
		fmt.Fprintln(w, "No machines.")
		return
	}
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	fmt.Fprintln(t, "NAME\tSYSTEM\tMODEL\tLAST SEEN\tSTATE\tID")
	for _, e := range r.GetEndpoints() {
		state := "offline"
		switch {
		case e.GetRevoked():
			state = "revoked"
		case e.GetOnline():
			state = "online"
		}
		seen := "never"
		if e.GetLastSeenAt() != nil {
			seen = e.GetLastSeenAt().AsTime().Local().Format(time.DateTime)
		}
		fmt.Fprintf(t, "%s\t%s\t%s %s\t%s\t%s\t%s\n", e.GetHostname(), e.GetOsName(), e.GetManufacturer(), e.GetModel(), seen, state, e.GetId())
	}
	_ = t.Flush()
	if r.GetNext() != "" {
		fmt.Fprintln(w, "There are more: name a part of what you look for.")
	}
}
