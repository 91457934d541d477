package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"constat/agent/local"
	"constat/agent/trigger"
	"constat/agent/uplink"
	"constat/internal/command"
	constatv1 "constat/proto/constat/v1"
)

// maxToken bounds what is read as an enrolment token.
const maxToken = 4096

func enrollCommand(o *options) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "enroll",
		Short: "Join this computer to a collector, with a token",
		Long: "enroll trades a token for this computer's own certificate. The token is read\n" +
			"from --token-file, from standard input (--token-file -) or from the environment\n" +
			"variable CONSTAT_TOKEN; it never needs to stand on a command line.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := o.load(cmd)
			if err != nil {
				return err
			}
			token, err := readToken(s.TokenFile, cmd.InOrStdin())
			if err != nil {
				return err
			}
			if s.Collector == "" {
				return errors.New("which collector? name it with --collector HOST:PORT")
			}
			if token == "" {
				return errors.New("a token is needed: name its file with --token-file, or give it on standard input with --token-file -")
			}
			if err := secureData(s.Data); err != nil {
				return err
			}
			seen, err := newObserver(cmd.Context(), s, s.Data, groups())
			if err != nil {
				return err
			}
			defer seen.close()
			runs, _ := askStatus(cmd.Context(), local.Socket(s.Data), o.lang(), 0, answerLimit) // or there is none
			if err := enroll(cmd.Context(), seen, s.Collector, token, uplink.Proxy(s.Proxy)); err != nil {
				return err
			}
			link, err := uplink.Open(seen.dir)
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "This computer is enrolled at %s as %s.\n", s.Collector, link.EndpointID())
			if runs.GetEnrolled() {
				fmt.Fprintln(cmd.OutOrStdout(), "The agent that runs takes that up when it starts again: constat-agent service restart")
			}
			return nil
		},
	}
	collectorFlags(cmd)
	return cmd
}

func collectorFlags(cmd *cobra.Command) {
	cmd.Flags().String("collector", "", "the collector, `HOST:PORT`")
	cmd.Flags().String("proxy", "", "HTTP proxy to the collector, a `URL`, or direct (default: HTTPS_PROXY decides)")
	cmd.Flags().String("token-file", "", "`FILE` with the enrolment token; - reads standard input")
}

// readToken reads the enrolment token from where the user keeps it; none is
// the empty string.
func readToken(file string, stdin io.Reader) (string, error) {
	var from io.Reader
	switch file {
	case "":
		return strings.TrimSpace(os.Getenv("CONSTAT_TOKEN")), nil
	case "-":
		from = stdin
	default:
		f, err := os.Open(file)
		if errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("there is no token file %s", file)
		}
		if err != nil {
			return "", fmt.Errorf("reading the enrolment token: %w", err)
		}
		defer f.Close()
		from = f
	}
	text, err := io.ReadAll(io.LimitReader(from, maxToken+1))
	switch {
	case err != nil:
		return "", fmt.Errorf("reading the enrolment token: %w", err)
	case len(text) > maxToken:
		return "", fmt.Errorf("%s is no enrolment token: it is larger than %d bytes", file, maxToken)
	}
	return strings.TrimSpace(string(text)), nil
}

func statusCommand(o *options) *cobra.Command {
	var asJSON bool
	var wait time.Duration
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Say how the agent of this computer stands",
		Long: "status asks the running agent. Exit codes: 0 it is connected, 1 it is not, 2 it does not run or does not answer.\n" +
			"With --wait it first gives an agent that is still connecting that much time.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := o.load(cmd)
			if err != nil {
				return err
			}
			st, err := askStatus(cmd.Context(), local.Socket(s.Data), o.lang(), wait, answerLimit)
			if err != nil {
				return err
			}
			if asJSON {
				err = command.WriteMessage(cmd.OutOrStdout(), st, command.EveryKey)
			} else {
				writeStatus(cmd.OutOrStdout(), st, o.lang())
			}
			if err == nil && !st.Connected {
				return command.No
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "one JSON object on standard output")
	cmd.Flags().DurationVar(&wait, "wait", 0, "how long to wait for an agent that is still connecting")
	return cmd
}

// answerLimit is how long an agent that runs may take to say how it stands. It has
// nothing to look up for that.
const answerLimit = 20 * time.Second

// askStatus asks the running agent, again and again while it is on its way to a
// connection and the time to wait lasts.
func askStatus(ctx context.Context, socket, language string, wait, limit time.Duration) (*constatv1.GetStatusResponse, error) {
	const again = 100 * time.Millisecond
	conn, err := local.Dial(ctx, socket)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	for end := time.Now().Add(wait); ; {
		asking, cancel := context.WithTimeout(ctx, limit)
		st, err := constatv1.NewLocalServiceClient(conn).GetStatus(asking, &constatv1.GetStatusRequest{Language: language, Planned: true})
		cancel()
		switch {
		case status.Code(err) == codes.DeadlineExceeded && ctx.Err() == nil:
			return nil, fmt.Errorf("the agent runs and has not answered within %v: start it anew with \"constat-agent service restart\"", limit)
		case err != nil:
			return nil, command.Plain(err)
		}
		onItsWay := st.Enrolled || st.Problem == enrolling
		if st.Connected || !onItsWay || !time.Now().Before(end) {
			return st, nil
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(again):
		}
	}
}

// statusWords are the fixed texts of a printed status.
type statusWords struct {
	agent, enrolled, collector, waiting, connected, found, held, planned string
	yes, no, as, because, nothing, events, holds, work                   string
	why, reasons                                                         map[string]string
}

var statusTexts = map[string]statusWords{
	"en": {
		agent: "agent:", enrolled: "enrolled:", collector: "collector:", waiting: "waiting:", connected: "connected:", found: "found:", held: "held back:", planned: "planned:",
		yes: "yes", no: "no", as: "yes, as %s", because: "no (%s)", nothing: "no cause found", events: "%s, because %s: %s", holds: "%s, but %s", work: "%s: %s",
		why: map[string]string{
			trigger.PrintJobFailed: "documents could not go on", trigger.LinkLost: "there was no way out any more",
			trigger.LinkFlaps: "the connection came and went", trigger.GatewaySilent: "the router fell silent",
			trigger.DNSSilent: "the name server fell silent", trigger.ProgramCrashes: "a program crashed twice",
			trigger.ServiceLoops: "a service was restarted again and again", trigger.DeviceRefused: "a device could not be used",
			trigger.Resumed: "nothing answered after the computer slept", trigger.Daily: "it was time for the day’s look",
		},
		reasons: map[string]string{
			trigger.PerHour: "enough was looked into within the hour", trigger.PerDay: "enough was looked into within a day",
			trigger.QuietHours: "these are the quiet hours", trigger.LowBattery: "the battery is nearly empty",
			trigger.OnBattery: "the computer runs on its battery", trigger.Metered: "the network is metered",
			trigger.Busy: "the computer is busy",
		},
	},
	"fr": {
		agent: "agent :", enrolled: "inscrit :", collector: "serveur :", waiting: "en attente :", connected: "connecté :", found: "constaté :", held: "différé :", planned: "prévu :",
		yes: "oui", no: "non", as: "oui, sous le nom %s", because: "non (%s)", nothing: "aucune cause trouvée", events: "%s, parce que %s : %s", holds: "%s, mais %s", work: "%s : %s",
		why: map[string]string{
			trigger.PrintJobFailed: "des documents restaient bloqués", trigger.LinkLost: "plus rien ne menait au réseau",
			trigger.LinkFlaps: "la connexion allait et venait", trigger.GatewaySilent: "la box ou le routeur ne répondait plus",
			trigger.DNSSilent: "le serveur de noms ne répondait plus", trigger.ProgramCrashes: "un logiciel a planté deux fois",
			trigger.ServiceLoops: "un service redémarrait sans cesse", trigger.DeviceRefused: "un appareil était inutilisable",
			trigger.Resumed: "plus rien ne répondait après la mise en veille", trigger.Daily: "c’était l’heure du contrôle quotidien",
		},
		reasons: map[string]string{
			trigger.PerHour: "assez de contrôles ont eu lieu depuis une heure", trigger.PerDay: "assez de contrôles ont eu lieu en un jour",
			trigger.QuietHours: "ce sont les heures calmes", trigger.LowBattery: "la batterie est presque vide",
			trigger.OnBattery: "l’ordinateur fonctionne sur batterie", trigger.Metered: "la connexion est facturée à l’usage",
			trigger.Busy: "l’ordinateur est occupé",
		},
	},
}

func writeStatus(out io.Writer, st *constatv1.GetStatusResponse, language string) {
	w, r := statusTexts[language], reportWriter{w: out}
	const column = 12
	padded := func(label string) string {
		return label + strings.Repeat(" ", max(1, column-utf8.RuneCountInString(label)))
	}
	// What scripts look for stays on its line.
	row := func(label, text string) { r.line("%s%s", padded(label), text) }
	row(w.agent, st.AgentVersion)
	if st.Enrolled {
		row(w.enrolled, fmt.Sprintf(w.as, st.EndpointId))
		row(w.collector, st.Collector)
		row(w.waiting, fmt.Sprint(st.Spooled))
	} else {
		row(w.enrolled, w.no)
	}
	if st.Connected {
		row(w.connected, w.yes)
	} else {
		row(w.connected, fmt.Sprintf(w.because, st.Problem))
	}
	for _, p := range st.Planned {
		row(w.planned, fmt.Sprintf(w.work, plannedTexts[language].during(p, time.Now()), p.GetTitle()))
	}
	because := func(event, subject string) string {
		why := cmp.Or(w.why[event], event)
		if subject != "" {
			why += " (" + subject + ")"
		}
		return why
	}
	for _, f := range st.Found {
		what := w.nothing
		if f.Title != "" {
			what = f.Title + ", " + diagnosisWords[language].certainties[f.Certainty]
		}
		r.hang(padded(w.found), strings.Repeat(" ", column), fmt.Sprintf(w.events, f.GetAt().AsTime().Local().Format("15:04"), because(f.Event, f.Subject), what))
	}
	for _, h := range st.Held {
		r.hang(padded(w.held), strings.Repeat(" ", column), fmt.Sprintf(w.holds, because(h.Event, h.Subject), cmp.Or(w.reasons[h.Reason], h.Reason)))
	}
}
