package main

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	deskv1 "constat/proto/constat/desk/v1"
)

// remoteNotice is remote for the notices' service.
func remoteNotice(o *options, use, short string, args cobra.PositionalArgs,
	ask func(context.Context, deskv1.NoticeServiceClient, []string) (proto.Message, error),
	write func(io.Writer, proto.Message),
) *cobra.Command {
	return remoteTo(o, use, short, args, func(ctx context.Context, conn *grpc.ClientConn, args []string) (proto.Message, error) {
		return ask(ctx, deskv1.NewNoticeServiceClient(conn), args)
	}, write)
}

// saying writes one line, whatever the answer.
func saying(text string) func(io.Writer, proto.Message) {
	return func(w io.Writer, _ proto.Message) { fmt.Fprintln(w, text) }
}

func noticesCommand(o *options) *cobra.Command {
	read := false
	cmd := remoteNotice(o, "notices", "List what you were told of your tickets", cobra.NoArgs,
		func(ctx context.Context, notices deskv1.NoticeServiceClient, _ []string) (proto.Message, error) {
			list, err := notices.ListNotices(ctx, &deskv1.ListNoticesRequest{})
			if err == nil && read {
				_, err = notices.ReadNotices(ctx, &deskv1.ReadNoticesRequest{})
			}
			return list, err
		}, func(w io.Writer, m proto.Message) {
			t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
			fmt.Fprintln(t, "AT\tKIND\tTICKET\tBY\tTITLE\tTEXT")
			for _, n := range m.(*deskv1.ListNoticesResponse).GetNotices() {
				mark := ""
				if !n.GetRead() {
					mark = " *"
				}
				fmt.Fprintf(t, "%s\t%s%s\t%d\t%s\t%s\t%s\n", localTime(n.GetAt()), n.GetKind(), mark, n.GetNumber(), n.GetActor(), n.GetTitle(), n.GetText())
			}
			_ = t.Flush()
		})
	cmd.Flags().BoolVar(&read, "read", false, "mark all as read")
	return cmd
}

func mailCommand(o *options) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "mail",
		Short: "Say through which server mails to the team go",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	show := remoteNotice(o, "show", "Show the mail server, the webhooks, and what did not go", cobra.NoArgs,
		func(ctx context.Context, notices deskv1.NoticeServiceClient, _ []string) (proto.Message, error) {
			return notices.GetDelivery(ctx, &deskv1.GetDeliveryRequest{})
		}, writeDelivery)
	test := remoteNotice(o, "test ADDRESS", "Send one mail now, and tell what the server said", cobra.ExactArgs(1),
		func(ctx context.Context, notices deskv1.NoticeServiceClient, args []string) (proto.Message, error) {
			return notices.SendTestMail(ctx, &deskv1.SendTestMailRequest{To: args[0]})
		}, saying("The server took it."))
	retry := remoteNotice(o, "retry", "Try again at once what did not go", cobra.NoArgs,
		func(ctx context.Context, notices deskv1.NoticeServiceClient, _ []string) (proto.Message, error) {
			return notices.RetryDelivery(ctx, &deskv1.RetryDeliveryRequest{})
		}, func(w io.Writer, m proto.Message) {
			fmt.Fprintf(w, "%d are tried again.\n", m.(*deskv1.RetryDeliveryResponse).GetRetried())
		})
	cmd.AddCommand(mailSetCommand(o), show, test, retry)
	return cmd
}

// mailSetCommand reads the password from standard input, so that it stands in no
// list of processes and in no shell's history.
func mailSetCommand(o *options) *cobra.Command {
	m := &deskv1.MailServer{}
	var keep, none bool
	var set *cobra.Command
	set = remoteNotice(o, "set", "Set the mail server; its user's password comes from standard input", cobra.NoArgs,
		func(ctx context.Context, notices deskv1.NoticeServiceClient, _ []string) (proto.Message, error) {
			r := &deskv1.SetMailServerRequest{Mail: m}
			if none {
				r.Mail = &deskv1.MailServer{}
			} else if m.GetUsername() != "" && !keep {
				line, err := bufio.NewReader(io.LimitReader(set.InOrStdin(), 4096)).ReadString('\n')
				if err != nil && err != io.EOF {
					return nil, err
				}
				r.Password = proto.String(strings.TrimRight(line, "\r\n"))
			}
			return notices.SetMailServer(ctx, r)
		}, saying("Kept."))
	set.Example = "  constat-collector mail set --host smtp.example.org --user desk --from 'Help desk <desk@example.org>' < password.txt"
	f := set.Flags()
	f.StringVar(&m.Host, "host", "", "`NAME` of the server")
	f.Int32Var(&m.Port, "port", 0, "its port (default: 587, with --security tls 465)")
	f.StringVar(&m.Security, "security", "starttls", "tls, starttls, or none, which sends no password")
	f.StringVar(&m.Username, "user", "", "who signs in there")
	f.StringVar(&m.From, "from", "", "`ADDRESS` of the sender")
	f.BoolVar(&keep, "keep-password", false, "read none: the one of the same server and user stays")
	f.BoolVar(&none, "off", false, "send no mail any more")
	return set
}

func writeDelivery(w io.Writer, m proto.Message) {
	d := m.(*deskv1.GetDeliveryResponse)
	if s := d.GetMail(); s.GetHost() == "" {
		fmt.Fprintln(w, "No mail server is set.")
	} else {
		password := "without a password"
		if s.GetHasPassword() {
			password = "password <secret>"
		}
		fmt.Fprintf(w, "Mails go from %s through %s (%s, user %q, %s).\n", s.GetFrom(), s.GetHost(), s.GetSecurity(), s.GetUsername(), password)
	}
	for _, h := range d.GetWebhooks() {
		fmt.Fprintf(w, "Webhook %s: %s (%s)\n", h.GetName(), h.GetUrl(), strings.Join(slices.DeleteFunc([]string{cmp.Or(strings.Join(h.GetKinds(), ", "), "all"), strings.Join(h.GetSites(), ", ")}, func(s string) bool { return s == "" }), "; "))
	}
	fmt.Fprintf(w, "%d wait, %d went, %d failed.\n", d.GetWaiting(), d.GetSent(), d.GetFailed())
	for _, one := range d.GetTroubles() {
		fmt.Fprintf(w, "  %s to %s, ticket %d, %s after %d tries: %s\n", one.GetWay(), one.GetRecipient(), one.GetNumber(), one.GetState(), one.GetAttempts(), one.GetProblem())
	}
}

func webhookCommand(o *options) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "webhook",
		Short: "Tell other programs what happens to tickets, by signed HTTPS requests",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	h := &deskv1.Webhook{}
	var renew bool
	put := remoteNotice(o, "put NAME URL", "Add a webhook or change it; a new one's secret is shown once", cobra.ExactArgs(2),
		func(ctx context.Context, notices deskv1.NoticeServiceClient, args []string) (proto.Message, error) {
			h.Name, h.Url = args[0], args[1]
			return notices.PutWebhook(ctx, &deskv1.PutWebhookRequest{Webhook: h, NewSecret: renew})
		}, func(w io.Writer, m proto.Message) {
			if secret := m.(*deskv1.PutWebhookResponse).GetSecret(); secret != "" {
				fmt.Fprintf(w, "Kept. Its secret, shown this once: %s\n", secret)
				return
			}
			fmt.Fprintln(w, "Kept. Its secret stays.")
		})
	put.Flags().StringSliceVar(&h.Kinds, "kind", nil, "what it is told of, as `KIND`,KIND (default: all)")
	put.Flags().StringArrayVar(&h.Sites, "site", nil, "a site of whose tickets it is told, and of nothing else (default: all)")
	put.Flags().BoolVar(&h.Inside, "inside", false, "it may be on this machine, on its link, or without TLS")
	put.Flags().BoolVar(&renew, "renew", false, "draw another secret")
	remove := remoteNotice(o, "remove NAME", "End a webhook", cobra.ExactArgs(1),
		func(ctx context.Context, notices deskv1.NoticeServiceClient, args []string) (proto.Message, error) {
			return notices.DeleteWebhook(ctx, &deskv1.DeleteWebhookRequest{Name: args[0]})
		}, saying("Removed."))
	cmd.AddCommand(put, remove)
	return cmd
}
