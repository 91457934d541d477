package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"os/user"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	"constat/agent/local"
	"constat/agent/remedy"
	"constat/internal/command"
	"constat/internal/fault"
	constatv1 "constat/proto/constat/v1"
)

const (
	// consentLife is how long after a person's yes a remedy may begin.
	consentLife = 5 * time.Minute
	// expireEvery is how often requests are looked for that nobody answered, and
	// freeEvery how often the journal, while another process has it.
	expireEvery = 30 * time.Second
	freeEvery   = 2 * time.Second
)

// bench is where this machine's remedies are done; what was left half-way there
// is ended by ended.
func (c *counter) bench() (*remedy.Bench, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.remedies != nil {
		return c.remedies, nil
	}
	b := &remedy.Bench{
		Look: func(ctx context.Context, wanted []string, program string) *constatv1.Snapshot {
			c.one.Lock()
			defer c.one.Unlock()
			defer rest()
			all := groups()
			config := c.observer.config
			config.Verify = slices.Contains(wanted, "software") // a repair is seen by its files
			config.VerifyProgram = program
			return c.observer.observe(ctx, config, slices.DeleteFunc(slices.Clone(wanted), func(g string) bool { return !slices.Contains(all, g) }))
		},
		Catalog: func() (*fault.Catalog, error) {
			if c.observer.catalog != nil {
				return c.observer.catalog, nil
			}
			return openCatalog(c.observer.team())
		},
		Do: func(ctx context.Context, verb, argument string) ([]byte, error) {
			if c.observer.helper == nil {
				return nil, fmt.Errorf("these are recorded facts, and not this machine: %w", fs.ErrPermission)
			}
			return c.observer.helper.Do(ctx, verb, argument)
		},
	}
	if err := b.Open(c.observer.dir); err != nil {
		return nil, err
	}
	c.remedies = b
	return b, nil
}

// tend ends what an agent before this one left half-way, and the requests that
// nobody answers.
func (c *counter) tend(ctx context.Context, log *slog.Logger) error {
	next := time.NewTimer(0)
	defer next.Stop()
	for said := ""; ; {
		select {
		case <-ctx.Done():
			return nil
		case <-next.C:
			next.Reset(expireEvery)
		}
		// Somebody may do one at the command line just now: then it waits.
		switch b, err := c.bench(); {
		case err == nil:
			if result := b.Recover(ctx); result != nil {
				log.Warn("a remedy that was cut short is ended", "verb", result.GetVerb(), "outcome", result.GetOutcome())
				c.tell(result, log)
			}
			for _, result := range b.Expire(time.Now()) {
				c.tell(result, log)
			}
			c.hand(b.Untold(), log)
		default: // the rest of the agent is worth more
			if err.Error() != said {
				said = err.Error()
				log.Error("remedies can't be done", "error", err)
			}
			next.Reset(freeEvery)
		}
	}
}

// tell writes into the log how a remedy went, and sends it to the collector.
func (c *counter) tell(result *constatv1.RemedyResult, log *slog.Logger) {
	defer c.people.wake()
	log.Info("remedy", "verb", result.GetVerb(), "component", result.GetComponent(), "outcome", result.GetOutcome(),
		"reason", result.GetReason(), "requestedBy", result.GetRequestedBy(), "consentedBy", result.GetConsentedBy(), "ticket", result.GetTicket())
	c.hand([]*constatv1.RemedyResult{result}, log)
}

// hand gives results to the collector's spool, when there is one; until then the
// journal knows that they are to be told.
func (c *counter) hand(results []*constatv1.RemedyResult, log *slog.Logger) {
	link := c.link.Load()
	if link == nil {
		return
	}
	for _, result := range results {
		err := link.Spool().Put(&constatv1.Report{Content: &constatv1.Report_Remedy{Remedy: result}})
		if err == nil {
			var b *remedy.Bench
			if b, err = c.bench(); err == nil {
				err = b.Told(result.GetId())
			}
		}
		if err != nil {
			log.Error("what came of a remedy can't be sent; it is tried again", "error", err)
		}
	}
}

// asked keeps a technician's request until a person at the machine answers.
func (c *counter) asked(_ context.Context, request *constatv1.RemedyRequest) error {
	b, err := c.bench()
	if err != nil {
		return err
	}
	request.Component = subject(request.GetVerb(), request.GetComponent())
	defer c.people.wake()
	return b.Ask(request)
}

// subject is what a verb is done to of what a fault is about, which may be
// something else: a router, a name server. Then the verb finds its own.
func subject(verb, component string) string {
	v, known := remedy.Lookup(verb)
	if !known {
		return component
	}
	switch v.Subject {
	case "":
		return ""
	case "link":
		if _, err := net.InterfaceByName(component); err != nil {
			return ""
		}
	}
	return component
}

// mayConsent tells whether a user is a person, and not an account of a service:
// on Unix root, or an account with a number that systems give people
// (login.defs(5): from 1000; macOS from 501).
func mayConsent(u local.User) bool {
	first := uint64(1000)
	if runtime.GOOS == "darwin" {
		first = 501
	}
	id, err := strconv.ParseUint(u.ID, 10, 32)
	return err != nil || id == 0 || id >= first && id < 65534
}

func (c *counter) person(ctx context.Context) (local.User, *remedy.Bench, error) {
	user, ok := local.Peer(ctx)
	if !ok {
		return user, nil, status.Error(codes.PermissionDenied, "who is asking is unknown")
	}
	if !mayConsent(user) {
		return user, nil, status.Errorf(codes.PermissionDenied, "%s is an account of a service: only a person can consent to a remedy", user.Name)
	}
	b, err := c.bench()
	if err != nil {
		return user, nil, status.Error(codes.Unavailable, err.Error())
	}
	return user, b, nil
}

// ListRemedies gives what waits for consent, and what this user's last diagnosis
// suggests.
func (c *counter) ListRemedies(ctx context.Context, r *constatv1.ListRemediesRequest) (*constatv1.ListRemediesResponse, error) {
	user, b, err := c.person(ctx)
	if err != nil {
		return nil, err
	}
	language := (&options{language: r.GetLanguage()}).lang()
	answer := &constatv1.ListRemediesResponse{Phase: b.Phase()}
	if r.GetPast() {
		answer.Past = b.Results()
		slices.Reverse(answer.Past)
	}
	for _, request := range b.Waiting(time.Now()) {
		answer.Offers = append(answer.Offers, offer(request, language))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := len(c.kept) - 1; i >= 0; i-- {
		if c.kept[i].user.ID == user.ID {
			answer.Offers = append(answer.Offers, suggested(c.kept[i].diagnosis, language)...)
			break
		}
	}
	return answer, nil
}

// suggested are the remedies of a diagnosis.
func suggested(d *constatv1.Diagnosis, language string) (offers []*constatv1.RemedyOffer) {
	for _, cause := range d.GetRootCauses() {
		for _, verb := range cause.GetRemedies() {
			component, _, _ := strings.Cut(cause.GetComponent(), ", ")
			if _, known := remedy.Lookup(verb); known {
				offers = append(offers, offer(&constatv1.RemedyRequest{Verb: verb, Component: subject(verb, component), Fault: cause.GetFault()}, language))
			}
		}
	}
	return offers
}

// offer puts a request into words of this program.
func offer(request *constatv1.RemedyRequest, language string) *constatv1.RemedyOffer {
	o := &constatv1.RemedyOffer{Request: request}
	if v, known := remedy.Lookup(request.GetVerb()); known {
		component := fault.Clip(request.GetComponent())
		o.Title, o.Text = v.Title.About(language, component), v.Consent.About(language, component)
	}
	return o
}

// ConsentRemedy does what was asked for.
func (c *counter) ConsentRemedy(ctx context.Context, r *constatv1.ConsentRemedyRequest) (*constatv1.ConsentRemedyResponse, error) {
	user, b, err := c.person(ctx)
	if err != nil {
		return nil, err
	}
	// What was begun is ended, whether the person goes on looking or not.
	result, err := b.Consent(context.WithoutCancel(ctx), r.GetId(), consentOf(user))
	if err != nil {
		return nil, status.Error(codes.FailedPrecondition, err.Error())
	}
	c.tell(result, slog.Default())
	return &constatv1.ConsentRemedyResponse{Result: result}, nil
}

func consentOf(user local.User) *constatv1.RemedyConsent {
	now := time.Now()
	return &constatv1.RemedyConsent{By: user.Name, At: timestamppb.New(now), ExpiresAt: timestamppb.New(now.Add(consentLife))}
}

// DeclineRemedy turns a request down.
func (c *counter) DeclineRemedy(ctx context.Context, r *constatv1.DeclineRemedyRequest) (*constatv1.DeclineRemedyResponse, error) {
	user, b, err := c.person(ctx)
	if err != nil {
		return nil, err
	}
	result, err := b.Decline(r.GetId(), user.Name)
	if err != nil {
		return nil, status.Error(codes.FailedPrecondition, err.Error())
	}
	c.tell(result, slog.Default())
	return &constatv1.DeclineRemedyResponse{Result: result}, nil
}

// RunRemedy is a person's own wish.
func (c *counter) RunRemedy(ctx context.Context, r *constatv1.RunRemedyRequest) (*constatv1.RunRemedyResponse, error) {
	user, b, err := c.person(ctx)
	if err != nil {
		return nil, err
	}
	return &constatv1.RunRemedyResponse{Result: c.wish(context.WithoutCancel(ctx), b, user, r, slog.Default())}, nil
}

func (c *counter) wish(ctx context.Context, b *remedy.Bench, user local.User, r *constatv1.RunRemedyRequest, log *slog.Logger) *constatv1.RemedyResult {
	consent := consentOf(user)
	result := b.Run(ctx, &constatv1.RemedyRequest{
		Id: uuid.Must(uuid.NewV7()).String(), Verb: r.GetVerb(), Component: subject(r.GetVerb(), r.GetComponent()), Fault: r.GetFault(),
		RequestedBy: user.Name, RequesterRole: "user", RequestedAt: consent.GetAt(), ExpiresAt: consent.GetExpiresAt(),
	}, consent)
	c.tell(result, log)
	return result
}

// --- the command ---

var remedyWords = map[string]struct {
	waits, suggests, all, none, from, until, agree, no, reason, hint, more string
	past, never, when, asked, agreedTo, ticket                             string
	outcomes                                                               map[string]string
}{
	"en": {
		waits: "Waiting for your consent:", suggests: "Suggested by the last diagnosis:", all: "What this computer can do, where a diagnosis finds the fault for it:",
		none: "Nothing waits for your consent.", from: "asked by %s, until %s", until: "15:04", agree: "Do it? [y/N] ", no: "Nothing was done.",
		past: "Done on this computer, the newest first:", never: "No remedy was done on this computer yet.", when: "2006-01-02 15:04",
		asked: "asked by %s", agreedTo: ", agreed to by %s", ticket: ", ticket %d",
		reason: "Why", hint: "This computer can try it itself, if you agree", more: "Details",
		outcomes: map[string]string{
			remedy.Fixed: "It worked: the fault is gone.", remedy.NotFixed: "It was done, and did not help.", remedy.Refused: "Nothing was done.",
			remedy.Expired: "Nothing was done: the consent was too late.", remedy.Failed: "It could not be done.", remedy.Undone: "It did not help, and was taken back.",
		},
	},
	"fr": {
		waits: "En attente de votre accord :", suggests: "Proposé par le dernier diagnostic :", all: "Ce que cet ordinateur sait faire, si un diagnostic trouve la panne correspondante :",
		none: "Rien n’attend votre accord.", from: "demandé par %s, jusqu’à %s", until: "15 h 04", agree: "Le faire ? [o/N] ", no: "Rien n’a été fait.",
		past: "Fait sur cet ordinateur, le plus récent d’abord :", never: "Aucun remède n’a encore été appliqué sur cet ordinateur.", when: "02/01/2006 15:04",
		asked: "demandé par %s", agreedTo: ", accepté par %s", ticket: ", ticket %d",
		reason: "Raison", hint: "Cet ordinateur peut essayer lui-même, si vous êtes d’accord", more: "Détails",
		outcomes: map[string]string{
			remedy.Fixed: "C’est réparé : la panne a disparu.", remedy.NotFixed: "Cela a été fait, sans effet sur la panne.", remedy.Refused: "Rien n’a été fait.",
			remedy.Expired: "Rien n’a été fait : l’accord est arrivé trop tard.", remedy.Failed: "Cela n’a pas pu être fait.", remedy.Undone: "Cela n’a pas aidé ; tout a été remis comme avant.",
		},
	},
}

func remedyCommand(o *options) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "remedy",
		Short: "See and do what this computer can mend by itself",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(remedyListCommand(o), remedyPastCommand(o), remedyRunCommand(o),
		remedyAnswerCommand(o, "consent ID", "Agree to a remedy that your support team asks for", func(ctx context.Context, agent constatv1.LocalServiceClient, id string) (*constatv1.RemedyResult, error) {
			answer, err := agent.ConsentRemedy(ctx, &constatv1.ConsentRemedyRequest{Id: id})
			return answer.GetResult(), err
		}),
		remedyAnswerCommand(o, "decline ID", "Turn down a remedy that your support team asks for", func(ctx context.Context, agent constatv1.LocalServiceClient, id string) (*constatv1.RemedyResult, error) {
			answer, err := agent.DeclineRemedy(ctx, &constatv1.DeclineRemedyRequest{Id: id})
			return answer.GetResult(), err
		}))
	return cmd
}

// asAgent asks the agent's service.
func (o *options) asAgent(cmd *cobra.Command, ask func(context.Context, constatv1.LocalServiceClient) error) error {
	s, err := o.load(cmd)
	if err != nil {
		return err
	}
	conn, err := local.Dial(cmd.Context(), local.Socket(s.Data))
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := ask(cmd.Context(), constatv1.NewLocalServiceClient(conn)); err != nil {
		return command.Plain(err)
	}
	return nil
}

func remedyListCommand(o *options) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List what waits for your consent, and what could be done",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			answer := &constatv1.ListRemediesResponse{}
			err := o.asAgent(cmd, func(ctx context.Context, agent constatv1.LocalServiceClient) (err error) {
				answer, err = agent.ListRemedies(ctx, &constatv1.ListRemediesRequest{Language: o.lang()})
				return err
			})
			if err != nil && !errors.Is(err, local.ErrNotRunning) {
				return err
			}
			if asJSON {
				return command.WriteMessage(cmd.OutOrStdout(), answer, command.EveryKey)
			}
			writeOffers(cmd.OutOrStdout(), answer.GetOffers(), o.lang())
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "one JSON object on standard output")
	return cmd
}

func remedyPastCommand(o *options) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "past",
		Short: "List what was done on this computer, who asked and who agreed",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			answer := &constatv1.ListRemediesResponse{}
			err := o.asAgent(cmd, func(ctx context.Context, agent constatv1.LocalServiceClient) (err error) {
				answer, err = agent.ListRemedies(ctx, &constatv1.ListRemediesRequest{Language: o.lang(), Past: true})
				return err
			})
			if errors.Is(err, local.ErrNotRunning) {
				var s *settings
				if s, err = o.load(cmd); err == nil {
					answer.Past, err = remedy.Past(s.Data)
					slices.Reverse(answer.Past)
				}
			}
			if err != nil {
				return err
			}
			if asJSON {
				return command.WriteMessage(cmd.OutOrStdout(), &constatv1.ListRemediesResponse{Past: answer.GetPast()}, command.EveryKey)
			}
			writePast(cmd.OutOrStdout(), answer.GetPast(), o.lang())
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "one JSON object on standard output")
	return cmd
}

func writePast(out io.Writer, past []*constatv1.RemedyResult, language string) {
	w, r := remedyWords[language], reportWriter{w: out}
	if len(past) == 0 {
		r.line("%s", w.never)
		return
	}
	r.line("%s", w.past)
	for _, one := range past {
		title := one.GetVerb()
		if verb, known := remedy.Lookup(title); known {
			title = verb.Title.About(language, fault.Clip(one.GetComponent()))
		}
		r.hang("* ", "  ", one.GetAt().AsTime().Local().Format(w.when)+"  "+title)
		who := fmt.Sprintf(w.asked, one.GetRequestedBy())
		if one.GetConsentedBy() != "" {
			who += fmt.Sprintf(w.agreedTo, one.GetConsentedBy())
		}
		if one.GetTicket() != 0 {
			who += fmt.Sprintf(w.ticket, one.GetTicket())
		}
		r.wrap("  ", who)
		writeResult(r, one, language, "  ")
	}
}

func writeOffers(out io.Writer, offers []*constatv1.RemedyOffer, language string) {
	w, r := remedyWords[language], reportWriter{w: out}
	waiting, former := false, ""
	for _, one := range offers {
		request := one.GetRequest()
		heading := w.suggests
		if request.GetId() != "" {
			heading, waiting = w.waits, true
		}
		if heading != former {
			if former == "" && !waiting {
				r.line("%s", w.none)
			}
			r.line("%s", heading)
			former = heading
		}
		r.hang("* ", "  ", one.GetTitle())
		r.wrap("  ", one.GetText())
		if request.GetId() != "" {
			r.wrap("  ", fmt.Sprintf(w.from, request.GetRequestedBy(), request.GetExpiresAt().AsTime().Local().Format(w.until)))
			r.line("  constat-agent remedy consent %s", request.GetId())
			r.line("  constat-agent remedy decline %s", request.GetId())
			continue
		}
		r.line("  %s", runLine(request))
	}
	if len(offers) > 0 {
		return
	}
	r.line("%s", w.none)
	r.line("%s", w.all)
	for _, v := range remedy.Verbs() {
		subject := ""
		if v.Subject != "" {
			subject = " " + strings.ToUpper(v.Subject)
		}
		r.line("  %-28s %s", v.ID+subject, v.Title.In(language))
	}
}

// runLine is what a person types for a suggestion.
func runLine(request *constatv1.RemedyRequest) string {
	line := "constat-agent remedy run " + request.GetVerb()
	if c := request.GetComponent(); c != "" {
		if strings.ContainsFunc(c, func(r rune) bool { return !strings.ContainsRune("-_.:", r) && (r < '0' || r > 'z') }) {
			c = "'" + strings.ReplaceAll(c, "'", `'\''`) + "'"
		}
		line += " " + c
	}
	return line
}

func remedyRunCommand(o *options) *cobra.Command {
	var yes, asJSON bool
	var about string
	cmd := &cobra.Command{
		Use:   "run VERB [COMPONENT]",
		Short: "Do one remedy, after asking you, and say whether it helped",
		Long: "run looks whether the fault is there that the remedy is for, does it once, and\n" +
			"looks again. What did not help is taken back where that is possible.\n\n" +
			"Verbs: " + strings.Join(verbNames(), ", ") + ".\n\n" +
			"Exit codes: 0 the fault is gone, 1 it is not, or nothing was done, 2 could not run.",
		Args: cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			request := &constatv1.RunRemedyRequest{Verb: args[0], Fault: about}
			if len(args) > 1 {
				request.Component = args[1]
			}
			verb, known := remedy.Lookup(request.GetVerb())
			if !known {
				return fmt.Errorf("there is no remedy %q; choose one of %s", args[0], strings.Join(verbNames(), ", "))
			}
			w := remedyWords[o.lang()]
			if !yes {
				r := reportWriter{w: cmd.ErrOrStderr()}
				r.line("%s", verb.Title.About(o.lang(), request.GetComponent()))
				r.wrap("", verb.Consent.About(o.lang(), request.GetComponent()))
				fmt.Fprint(cmd.ErrOrStderr(), w.agree)
				if !agreed(cmd.InOrStdin()) {
					fmt.Fprintln(cmd.ErrOrStderr(), w.no)
					return command.No
				}
			}
			var result *constatv1.RemedyResult
			err := o.asAgent(cmd, func(ctx context.Context, agent constatv1.LocalServiceClient) error {
				answer, err := agent.RunRemedy(ctx, request)
				result = answer.GetResult()
				return err
			})
			if errors.Is(err, local.ErrNotRunning) {
				result, err = remedyAlone(cmd, o, request)
			}
			if err != nil {
				return err
			}
			return showResult(cmd, o, result, asJSON)
		},
	}
	cmd.Flags().BoolVar(&yes, "yes", false, "consent to it here; nothing is asked")
	cmd.Flags().StringVar(&about, "fault", "", "the `FAULT` that it is to mend (default: whichever of the remedy's is there)")
	cmd.Flags().BoolVar(&asJSON, "json", false, "one JSON object on standard output")
	return cmd
}

func verbNames() []string {
	var names []string
	for _, v := range remedy.Verbs() {
		names = append(names, v.ID)
	}
	return names
}

// agreed reads a yes in one of the languages; anything else is a no.
func agreed(in io.Reader) bool {
	answer, _ := bufio.NewReader(io.LimitReader(in, 64)).ReadString('\n')
	return slices.Contains([]string{"y", "yes", "o", "oui"}, strings.ToLower(strings.TrimSpace(answer)))
}

// remedyAlone does it where no agent runs: with the rights of who asks.
func remedyAlone(cmd *cobra.Command, o *options, request *constatv1.RunRemedyRequest) (*constatv1.RemedyResult, error) {
	me, err := user.Current() // before the rights are cut
	if err != nil {
		return nil, err
	}
	s, err := o.load(cmd)
	if err != nil {
		return nil, err
	}
	refused := func(why error) *constatv1.RemedyResult {
		return &constatv1.RemedyResult{Verb: request.GetVerb(), Component: request.GetComponent(), Fault: request.GetFault(),
			RequestedBy: me.Username, At: timestamppb.Now(), Outcome: remedy.Refused, Reason: why.Error()}
	}
	// Without a place for the journal nothing is begun; on Windows this may be the
	// first to need it.
	if err := secureData(s.Data); err != nil {
		return refused(err), nil
	}
	seen, err := newJudge(cmd.Context(), s, s.Data)
	if err != nil {
		return nil, err
	}
	defer seen.close()
	c := &counter{observer: seen, ownProbes: s.Probes != nil}
	log := slog.New(slog.DiscardHandler)
	b, err := c.bench()
	if errors.Is(err, remedy.ErrElsewhere) {
		return refused(err), nil
	}
	if err != nil {
		return nil, err
	}
	// The helper of this process ends with it: nothing is left half-way by a
	// Ctrl-C that this process waits for.
	ctx := context.WithoutCancel(cmd.Context())
	if left := b.Recover(ctx); left != nil {
		c.tell(left, log)
	}
	return c.wish(ctx, b, local.User{ID: me.Uid, Name: me.Username}, request, log), nil
}

func remedyAnswerCommand(o *options, use, short string, answer func(context.Context, constatv1.LocalServiceClient, string) (*constatv1.RemedyResult, error)) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   use,
		Short: short,
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var result *constatv1.RemedyResult
			err := o.asAgent(cmd, func(ctx context.Context, agent constatv1.LocalServiceClient) (err error) {
				result, err = answer(ctx, agent, args[0])
				return err
			})
			if err != nil {
				return err
			}
			return showResult(cmd, o, result, asJSON)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "one JSON object on standard output")
	return cmd
}

// showResult tells how a remedy went; a fault that stays is exit code 1.
func showResult(cmd *cobra.Command, o *options, result *constatv1.RemedyResult, asJSON bool) error {
	if asJSON {
		if err := command.WriteMessage(cmd.OutOrStdout(), result, command.EveryKey); err != nil {
			return err
		}
	} else {
		writeResult(reportWriter{w: cmd.OutOrStdout()}, result, o.lang(), "")
	}
	if result.GetOutcome() != remedy.Fixed {
		return command.No
	}
	return nil
}

// writeResult tells how a remedy went, and why.
func writeResult(r reportWriter, result *constatv1.RemedyResult, language, indent string) {
	w := remedyWords[language]
	r.line("%s%s", indent, w.outcomes[result.GetOutcome()])
	proof, colon := result.GetProof().GetEn(), ":"
	if language == "fr" {
		proof, colon = result.GetProof().GetFr(), " :"
	}
	told := toldOf(result, language)
	indent += "  "
	if proof != "" {
		r.wrap(indent, proof)
	}
	for _, line := range [][2]string{{w.more, result.GetAction()}, {w.reason, told}} {
		if line[1] != "" {
			r.wrap(indent, line[0]+colon+" "+line[1])
		}
	}
}

// toldOf is why it did not work, for the person; what was done by an agent before
// this one has only the technicians' reason.
func toldOf(result *constatv1.RemedyResult, language string) string {
	told := result.GetTold()
	if language == "fr" && told.GetFr() != "" {
		return told.GetFr()
	}
	return cmp.Or(told.GetEn(), result.GetReason())
}
