package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/google/uuid"
	"github.com/spf13/cobra"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	deskv1 "constat/proto/constat/desk/v1"
	constatv1 "constat/proto/constat/v1"
)

// inEnglish is a text of a form as the command line shows it.
func inEnglish(texts []*deskv1.LocalText) string {
	for _, t := range texts {
		if t.GetLanguage() == "en" {
			return t.GetText()
		}
	}
	if len(texts) == 0 {
		return ""
	}
	return texts[0].GetText()
}

func formCommand(o *options) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "form",
		Short: "Keep forms of service requests, and ask by one",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	retired := false
	list := remoteTo(o, "list", "List the forms", cobra.NoArgs,
		func(ctx context.Context, conn *grpc.ClientConn, _ []string) (proto.Message, error) {
			return deskv1.NewFormServiceClient(conn).ListForms(ctx, &deskv1.ListFormsRequest{Retired: retired})
		}, func(w io.Writer, m proto.Message) {
			t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
			fmt.Fprintln(t, "ID\tVERSION\tSTATE\tSITE\tQUEUE\tNAME\tASKS")
			for _, f := range m.(*deskv1.ListFormsResponse).GetForms() {
				var keys []string
				for _, field := range f.GetFields() {
					keys = append(keys, field.GetKey())
				}
				fmt.Fprintf(t, "%s\t%d\t%s\t%s\t%s\t%s\t%s\n", f.GetId(), f.GetVersion(), f.GetState(), f.GetSite(), f.GetQueue(), inEnglish(f.GetName()), strings.Join(keys, ", "))
			}
			_ = t.Flush()
		})
	list.Flags().BoolVar(&retired, "retired", false, "also those that are not in use any more")
	show := remoteTo(o, "show ID", "Print the text of a form", cobra.ExactArgs(1), formOf,
		func(w io.Writer, m proto.Message) { fmt.Fprint(w, m.(*deskv1.RequestForm).GetSource()) })
	retire := false
	put := remoteTo(o, "put FILE [ID]", "Make a form of a YAML file, or the next version of one", cobra.RangeArgs(1, 2),
		func(ctx context.Context, conn *grpc.ClientConn, args []string) (proto.Message, error) {
			source, err := os.ReadFile(args[0])
			if err != nil {
				return nil, err
			}
			f := &deskv1.RequestForm{Id: uuid.Must(uuid.NewV7()).String()}
			if len(args) == 2 {
				present, err := formOf(ctx, conn, args[1:])
				if err != nil {
					return nil, err
				}
				f = present.(*deskv1.RequestForm)
			}
			if f.Source, f.State = string(source), "active"; retire {
				f.State = "retired"
			}
			return deskv1.NewFormServiceClient(conn).SaveForm(ctx, &deskv1.SaveFormRequest{Form: f})
		}, func(w io.Writer, m proto.Message) {
			f := m.(*deskv1.SaveFormResponse).GetForm()
			fmt.Fprintf(w, "Kept %q as %s, version %d, %s.\n", inEnglish(f.GetName()), f.GetId(), f.GetVersion(), f.GetState())
		})
	put.Flags().BoolVar(&retire, "retire", false, "nobody asks by it any more")
	cmd.AddCommand(list, show, put, formAskCommand(o))
	return cmd
}

// formOf finds a form by its id.
func formOf(ctx context.Context, conn *grpc.ClientConn, args []string) (proto.Message, error) {
	list, err := deskv1.NewFormServiceClient(conn).ListForms(ctx, &deskv1.ListFormsRequest{Retired: true})
	if err != nil {
		return nil, err
	}
	for _, f := range list.GetForms() {
		if f.GetId() == args[0] {
			return f, nil
		}
	}
	return nil, fmt.Errorf("there is no form %s: `constat-collector form list` shows them", args[0])
}

// formAskCommand opens a ticket by a form.
func formAskCommand(o *options) *cobra.Command {
	var text, requester, language, endpoint string
	var answers []string
	ask := remoteTo(o, "ask ID", "Open a ticket by a form", cobra.ExactArgs(1),
		func(ctx context.Context, conn *grpc.ClientConn, args []string) (proto.Message, error) {
			filled := &deskv1.FilledForm{Id: args[0]}
			for _, one := range answers {
				key, value, found := strings.Cut(one, "=")
				if !found {
					return nil, fmt.Errorf("--answer %q: write it as key=value", one)
				}
				filled.Answers = append(filled.Answers, &deskv1.FormAnswer{Key: key, Value: value})
			}
			return deskv1.NewDeskServiceClient(conn).CreateTicket(ctx, &deskv1.CreateTicketRequest{
				Draft: &constatv1.TicketDraft{
					Id: uuid.Must(uuid.NewV7()).String(), Text: text, Channel: "api", Language: language, Requester: &constatv1.Person{Name: requester},
				},
				EndpointId: endpoint, Form: filled,
			})
		}, func(w io.Writer, m proto.Message) {
			t := m.(*deskv1.CreateTicketResponse).GetTicket()
			fmt.Fprintf(w, "Ticket %d: %s\n", t.GetNumber(), t.GetTitle())
		})
	f := ask.Flags()
	f.StringArrayVar(&answers, "answer", nil, "`KEY=VALUE` of a field, once for each; of a choice its number, of a date 2031-12-31")
	f.StringVar(&requester, "requester", "", "`NAME` of who asks (default: you)")
	f.StringVar(&text, "text", "", "what else there is to say")
	f.StringVar(&language, "language", "en", "`LANGUAGE` of who asks")
	f.StringVar(&endpoint, "endpoint", "", "`ID` of the machine it is about")
	return ask
}
