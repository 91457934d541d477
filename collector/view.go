package main

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"strings"
	"text/tabwriter"

	"github.com/google/uuid"
	"github.com/spf13/cobra"
	"google.golang.org/protobuf/proto"

	deskv1 "constat/proto/constat/desk/v1"
)

func viewCommand(o *options) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "view",
		Short: "Keep lists of tickets that you or the team come back to",
		Long: "A view is a list of tickets with its filters, order and columns, as the console keeps\n" +
			"it; ticket list --view NAME prints it. These commands need a token in CONSTAT_TOKEN.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	list := remote(o, "list", "List your views, and those that the team shares", cobra.NoArgs,
		func(ctx context.Context, client deskv1.DeskServiceClient, _ []string) (proto.Message, error) {
			return client.ListViews(ctx, &deskv1.ListViewsRequest{})
		}, func(w io.Writer, m proto.Message) {
			views := m.(*deskv1.ListViewsResponse).GetViews()
			if len(views) == 0 {
				fmt.Fprintln(w, `No view is kept. Keep one with: view put "Printers" --query "q=printer&sort=updated"`)
				return
			}
			t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
			fmt.Fprintln(t, "NAME\tOWNER\tSHARED\tQUERY\tID")
			for _, v := range views {
				shared := "no"
				if v.GetShared() {
					shared = "yes"
				}
				fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", v.GetName(), v.GetOwner(), shared, v.GetQuery(), v.GetId())
			}
			_ = t.Flush()
		})
	var asked string
	var shared bool
	put := remote(o, "put NAME", "Keep a view, in place of your one of that name", cobra.ExactArgs(1),
		func(ctx context.Context, client deskv1.DeskServiceClient, args []string) (proto.Message, error) {
			kept, err := client.ListViews(ctx, &deskv1.ListViewsRequest{})
			if err != nil {
				return nil, err
			}
			id := uuid.Must(uuid.NewV7()).String()
			for _, v := range kept.GetViews() {
				if v.GetOwn() && strings.EqualFold(v.GetName(), args[0]) {
					id = v.GetId()
				}
			}
			return client.PutView(ctx, &deskv1.PutViewRequest{View: &deskv1.View{Id: id, Name: args[0], Query: strings.TrimPrefix(asked, "?"), Shared: shared}})
		}, func(w io.Writer, m proto.Message) {
			fmt.Fprintf(w, "Kept: /tickets?%s\n", m.(*deskv1.PutViewResponse).GetView().GetQuery())
		})
	put.Flags().StringVar(&asked, "query", "", "what stands behind the `?` of the queue's address: q=…&status=…&assignee=…&site=…&sort=…&columns=…")
	put.Flags().BoolVar(&shared, "shared", false, "for the whole team")
	remove := remote(o, "delete NAME", "Forget a view; its tickets stay", cobra.ExactArgs(1),
		func(ctx context.Context, client deskv1.DeskServiceClient, args []string) (proto.Message, error) {
			one, err := findView(ctx, client, args[0])
			if err != nil {
				return nil, err
			}
			return client.DeleteView(ctx, &deskv1.DeleteViewRequest{Id: one.GetId()})
		}, func(w io.Writer, _ proto.Message) { fmt.Fprintln(w, "The view is gone.") })
	cmd.AddCommand(list, put, remove)
	return cmd
}

// findView gives the view of a name or id, one's own before another's.
func findView(ctx context.Context, client deskv1.DeskServiceClient, name string) (*deskv1.View, error) {
	kept, err := client.ListViews(ctx, &deskv1.ListViewsRequest{})
	if err != nil {
		return nil, err
	}
	var found *deskv1.View
	for _, v := range kept.GetViews() {
		if (strings.EqualFold(v.GetName(), name) || v.GetId() == name) && (found == nil || v.GetOwn()) {
			found = v
		}
	}
	if found != nil {
		return found, nil
	}
	return nil, fmt.Errorf("no view is called %q: constat-collector view list names them", name)
}

// viewNamed gives what the view of a name asks for.
func viewNamed(ctx context.Context, client deskv1.DeskServiceClient, name string) (url.Values, error) {
	v, err := findView(ctx, client, name)
	if err != nil {
		return nil, err
	}
	return url.ParseQuery(v.GetQuery())
}
