package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/google/uuid"
	"github.com/spf13/cobra"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	deskv1 "constat/proto/constat/desk/v1"
)

// remoteAnswer is remote for the answers' service.
func remoteAnswer(o *options, use, short string, args cobra.PositionalArgs,
	ask func(context.Context, deskv1.AnswerServiceClient, []string) (proto.Message, error),
	write func(io.Writer, proto.Message),
) *cobra.Command {
	return remoteTo(o, use, short, args, func(ctx context.Context, conn *grpc.ClientConn, args []string) (proto.Message, error) {
		return ask(ctx, deskv1.NewAnswerServiceClient(conn), args)
	}, write)
}

func answerCommand(o *options) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "answer",
		Short: "Keep texts that are sent often, and fill them with a ticket's values",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	list := remoteAnswer(o, "list [WORDS…]", "List the team's answers and your own", cobra.ArbitraryArgs,
		func(ctx context.Context, answers deskv1.AnswerServiceClient, args []string) (proto.Message, error) {
			return answers.ListAnswers(ctx, &deskv1.ListAnswersRequest{Query: strings.Join(args, " ")})
		}, func(w io.Writer, m proto.Message) {
			t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
			fmt.Fprintln(t, "ID\tWHOSE\tSITE\tQUEUE\tLANGUAGE\tTITLE")
			for _, a := range m.(*deskv1.ListAnswersResponse).GetAnswers() {
				whose := "team"
				if a.GetOwner() != "" {
					whose = a.GetOwner()
				}
				for _, text := range a.GetTexts() {
					fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\n", a.GetId(), whose, a.GetSite(), a.GetQueue(), text.GetLanguage(), text.GetTitle())
				}
			}
			_ = t.Flush()
		})
	remove := remoteAnswer(o, "remove ID", "Take an answer away", cobra.ExactArgs(1),
		func(ctx context.Context, answers deskv1.AnswerServiceClient, args []string) (proto.Message, error) {
			return answers.DeleteAnswer(ctx, &deskv1.DeleteAnswerRequest{Id: args[0]})
		}, saying("Removed."))
	r := &deskv1.FillAnswersRequest{}
	fill := remoteAnswer(o, "fill N [WORDS…]", "Print the answers for ticket N with its values", cobra.MinimumNArgs(1),
		func(ctx context.Context, answers deskv1.AnswerServiceClient, args []string) (proto.Message, error) {
			var err error
			if r.Number, err = number(args[0]); err != nil {
				return nil, err
			}
			r.Query = strings.Join(args[1:], " ")
			return answers.FillAnswers(ctx, r)
		}, func(w io.Writer, m proto.Message) {
			for i, a := range m.(*deskv1.FillAnswersResponse).GetAnswers() {
				if i > 0 {
					fmt.Fprintln(w)
				}
				fmt.Fprintf(w, "%s (%s, %s)\n", a.GetTitle(), a.GetLanguage(), a.GetId())
				for _, missing := range a.GetMissing() {
					fmt.Fprintf(w, "  no value in this ticket: %s\n", missing)
				}
				fmt.Fprintf(w, "  %s\n", strings.ReplaceAll(a.GetText(), "\n", "\n  "))
			}
		})
	fill.Flags().StringVar(&r.Id, "id", "", "only the answer with this `ID`")
	fill.Flags().StringVar(&r.Language, "language", "", "only in this `LANGUAGE`")
	cmd.AddCommand(list, answerPutCommand(o), remove, fill)
	return cmd
}

// answerPutCommand writes one language of an answer and leaves its others.
func answerPutCommand(o *options) *cobra.Command {
	text, one := &deskv1.AnswerText{}, &deskv1.Answer{}
	var own bool
	var put *cobra.Command
	put = remoteAnswer(o, "put [ID]", "Write an answer, or one language of it; the text comes from standard input", cobra.MaximumNArgs(1),
		func(ctx context.Context, answers deskv1.AnswerServiceClient, args []string) (proto.Message, error) {
			body, err := io.ReadAll(io.LimitReader(put.InOrStdin(), 1<<20))
			if err != nil {
				return nil, err
			}
			text.Body = string(body)
			list, err := answers.ListAnswers(ctx, &deskv1.ListAnswersRequest{})
			if err != nil {
				return nil, err
			}
			saved := proto.CloneOf(one)
			saved.Id = uuid.Must(uuid.NewV7()).String()
			if len(args) == 1 {
				at := slices.IndexFunc(list.GetAnswers(), func(a *deskv1.Answer) bool { return a.GetId() == args[0] })
				if at < 0 {
					return nil, fmt.Errorf("there is no answer %s: `constat-collector answer list` shows them", args[0])
				}
				saved = list.GetAnswers()[at]
				if put.Flags().Changed("site") {
					saved.Site = one.GetSite()
				}
				if put.Flags().Changed("queue") {
					saved.Queue = one.GetQueue()
				}
			} else if own {
				saved.Owner = list.GetCaller()
			}
			saved.Texts = slices.DeleteFunc(saved.Texts, func(t *deskv1.AnswerText) bool { return t.GetLanguage() == text.GetLanguage() })
			saved.Texts = append(saved.Texts, text)
			return answers.SaveAnswer(ctx, &deskv1.SaveAnswerRequest{Answer: saved})
		}, func(w io.Writer, m proto.Message) {
			a := m.(*deskv1.SaveAnswerResponse).GetAnswer()
			fmt.Fprintf(w, "Kept as %s, version %d.\n", a.GetId(), a.GetVersion())
		})
	put.Example = "  echo 'Hello {requester.name}, please restart {endpoint.hostname}.' | constat-collector answer put --language en --title 'Restart the machine'"
	f := put.Flags()
	f.StringVar(&text.Language, "language", "en", "`LANGUAGE` of the text")
	f.StringVar(&text.Title, "title", "", "its title, by which it is found")
	f.StringVar(&one.Site, "site", "", "only for tickets of this `SITE`")
	f.StringVar(&one.Queue, "queue", "", "only for tickets of this `QUEUE`")
	f.BoolVar(&own, "own", false, "a new answer is your own, not the team's")
	return put
}
