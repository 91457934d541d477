package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/user"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"constat/agent/local"
	"constat/agent/remedy"
	"constat/agent/uplink"
	"constat/internal/command"
	"constat/internal/fault"
	"constat/internal/procedure"
	constatv1 "constat/proto/constat/v1"
)

func procedureCommand(o *options) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "procedure",
		Short: "Be led through a problem, one step at a time",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(procedureListCommand(o), procedureRunCommand(o))
	return cmd
}

func procedureListCommand(o *options) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the procedures of this computer",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := o.load(cmd)
			if err != nil {
				return err
			}
			_, all, revision, err := (&observer{dir: s.Data}).known()
			if err != nil {
				return err
			}
			for _, p := range all.GetProcedures() {
				fmt.Fprintf(cmd.OutOrStdout(), "%-14s %-4d %s\n", p.GetId(), p.GetVersion(), inLanguage(p.GetTitle(), o.lang()))
			}
			if revision > 0 {
				fmt.Fprintf(cmd.OutOrStdout(), "\nyour team’s knowledge: revision %d\n", revision)
			}
			return nil
		},
	}
}

func procedureRunCommand(o *options) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "run PROCEDURE",
		Short: "Look at what is wrong, then be asked only what can’t be seen",
		Long: "run diagnoses this computer for a complaint and leads through what is left: one\n" +
			"question or one thing to do at a time. Answer with a number; q ends it. It works\n" +
			"without a network; at the end it offers a ticket where this computer has a desk.\n\n" +
			"Procedures: " + strings.Join(procedureNames(), ", ") + ", and those of your team.\n\n" +
			"Exit codes: 0 solved, 1 not solved, 2 could not run.",
		Args:      cobra.ExactArgs(1),
		ValidArgs: procedureNames(),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := o.load(cmd)
			if err != nil {
				return err
			}
			out := cmd.OutOrStdout()
			if asJSON {
				out = cmd.ErrOrStderr()
			}
			guide, end, err := newGuide(cmd.Context(), s)
			if err != nil {
				return err
			}
			defer end()
			w := &walk{guide: guide, ctx: cmd.Context(), language: o.lang(), words: walkWords[o.lang()], out: reportWriter{w: out}, in: bufio.NewReader(cmd.InOrStdin())}
			w.show, w.end = showProgress(cmd.ErrOrStderr(), o.lang())
			run, err := w.through(args[0])
			if err != nil {
				return command.Plain(err)
			}
			if asJSON {
				if err := command.WriteMessage(cmd.OutOrStdout(), run, command.EveryKey); err != nil {
					return err
				}
			}
			if run.GetOutcome() != procedure.Solved {
				return command.No
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "one JSON object on standard output, the run; the questions go to standard error")
	return cmd
}

// guide is who leads: the service of this computer, or this process where none
// runs.
type guide struct {
	diagnose func(ctx context.Context, complaint, language string, show func(*constatv1.Progress)) (*constatv1.Diagnosis, error)
	walk     func(ctx context.Context, r *constatv1.WalkRequest) (*constatv1.WalkResponse, error)
	end      func(ctx context.Context, run *constatv1.ProcedureRun) (*constatv1.EndWalkResponse, error)
	ticket   func(ctx context.Context, r *constatv1.SubmitTicketRequest) (*constatv1.SubmitTicketResponse, error)
	// remedy is nil where only the service has the rights.
	remedy   func(ctx context.Context, r *constatv1.RunRemedyRequest) (*constatv1.RunRemedyResponse, error)
	enrolled bool
}

func newGuide(ctx context.Context, s *settings) (*guide, func(), error) {
	conn, err := local.Dial(ctx, local.Socket(s.Data))
	if err == nil {
		return serviceGuide(ctx, conn), func() { conn.Close() }, nil
	}
	if !errors.Is(err, local.ErrNotRunning) {
		return nil, nil, err
	}
	return aloneGuide(ctx, s)
}

func serviceGuide(ctx context.Context, conn *grpc.ClientConn) *guide {
	agent := constatv1.NewLocalServiceClient(conn)
	st, err := agent.GetStatus(ctx, &constatv1.GetStatusRequest{})
	return &guide{
		enrolled: err == nil && st.GetEnrolled(),
		diagnose: func(ctx context.Context, complaint, language string, show func(*constatv1.Progress)) (*constatv1.Diagnosis, error) {
			return follow(ctx, agent, &constatv1.RunDiagnosisRequest{Procedure: complaint, Language: language}, show)
		},
		walk: func(ctx context.Context, r *constatv1.WalkRequest) (*constatv1.WalkResponse, error) {
			return agent.Walk(ctx, r)
		},
		end: func(ctx context.Context, run *constatv1.ProcedureRun) (*constatv1.EndWalkResponse, error) {
			return agent.EndWalk(ctx, &constatv1.EndWalkRequest{Run: run})
		},
		ticket: func(ctx context.Context, r *constatv1.SubmitTicketRequest) (*constatv1.SubmitTicketResponse, error) {
			return agent.SubmitTicket(ctx, r)
		},
		remedy: func(ctx context.Context, r *constatv1.RunRemedyRequest) (*constatv1.RunRemedyResponse, error) {
			return agent.RunRemedy(ctx, r)
		},
	}
}

// aloneGuide leads in this process. What is to be sent goes into the spool of
// this machine's identity, where it has one that this user may use.
func aloneGuide(ctx context.Context, s *settings) (*guide, func(), error) {
	me, err := user.Current()
	if err != nil {
		return nil, nil, err
	}
	asker := local.User{ID: me.Uid, Name: me.Username}
	dir := s.Data
	if _, err := os.ReadDir(dir); err != nil {
		dir = ""
	}
	seen, err := newJudge(ctx, s, dir)
	if err != nil {
		return nil, nil, err
	}
	c := &counter{observer: seen, ownProbes: s.Probes != nil}
	if dir != "" {
		if link, err := uplink.Open(seen.dir, uplink.Proxy(s.Proxy), uplink.Logger(slog.New(slog.DiscardHandler))); err == nil {
			seen.config.EndpointID = link.EndpointID()
			c.link.Store(link)
			c.adopt(link.Policy())
		}
	}
	return c.guide(asker), seen.close, nil
}

// guide leads one of this machine's users in this process.
func (c *counter) guide(asker local.User) *guide {
	return &guide{
		enrolled: c.link.Load() != nil,
		diagnose: func(ctx context.Context, complaint, language string, show func(*constatv1.Progress)) (*constatv1.Diagnosis, error) {
			p, err := procedureByName(complaint)
			if err != nil {
				return nil, err
			}
			d, snapshot := c.run(ctx, p, language, "user", show)
			if ctx.Err() != nil {
				return nil, errors.New("interrupted: the diagnosis is not whole")
			}
			c.keep(kept{asker, d, snapshot})
			return d, nil
		},
		walk: func(_ context.Context, r *constatv1.WalkRequest) (*constatv1.WalkResponse, error) {
			return c.walkFor(asker, r)
		},
		end: func(_ context.Context, run *constatv1.ProcedureRun) (*constatv1.EndWalkResponse, error) {
			return c.endWalkFor(asker, run)
		},
		ticket: func(ctx context.Context, r *constatv1.SubmitTicketRequest) (*constatv1.SubmitTicketResponse, error) {
			r.WaitSeconds = 0 // nothing sends from here
			return c.submitFor(ctx, asker, r)
		},
	}
}

// walk is one conversation at a terminal.
type walk struct {
	*guide
	ctx      context.Context
	language string
	words    walkText
	out      reportWriter
	in       *bufio.Reader
	show     func(*constatv1.Progress)
	end      func()

	run       *constatv1.ProcedureRun
	diagnosis *constatv1.Diagnosis
	number    int
	asked     []choice // what is asked now
	did       bool     // something was done, not only asked
}

// errLeft ends a walk whose person went away.
var errLeft = errors.New("left")

func (w *walk) through(name string) (*constatv1.ProcedureRun, error) {
	found, err := w.guide.walk(w.ctx, &constatv1.WalkRequest{Procedure: name})
	if err != nil {
		return nil, err
	}
	complaint := found.GetProcedure().GetComplaint()
	if err := w.look(complaint); err != nil {
		return nil, err
	}
	w.run = newRun(found.GetProcedure(), w.diagnosis, found.GetKnowledgeRevision())
	w.tell()
	w.out.wrap("", w.words.how)
	err = w.steps(name)
	switch {
	case errors.Is(err, errLeft):
		w.run.Outcome = procedure.Left
		w.out.line("")
		w.out.wrap("", w.words.left)
	case err != nil:
		return nil, err
	}
	lasted(w.run)
	return w.run, w.close(complaint)
}

// look diagnoses.
func (w *walk) look(complaint string) error {
	d, err := w.diagnose(w.ctx, complaint, w.language, w.show)
	w.end()
	if err == nil {
		w.diagnosis = d
	}
	return err
}

// tell says what the machine saw by itself.
func (w *walk) tell() {
	switch {
	case w.diagnosis.GetVerdict() == "healthy":
		w.out.wrap("", w.words.healthy)
	case len(w.diagnosis.GetRootCauses()) == 0:
		w.out.wrap("", w.words.open)
	default:
		w.out.wrap("", w.words.found)
		for _, cause := range w.diagnosis.GetRootCauses() {
			w.out.hang("* ", "  ", cause.GetTitle()+"  ["+diagnosisWords[w.language].certainties[cause.GetCertainty()]+"]")
		}
	}
}

func (w *walk) steps(name string) error {
	for {
		next, err := w.guide.walk(w.ctx, &constatv1.WalkRequest{Procedure: name, DiagnosisId: w.diagnosis.GetId(), Taken: w.run.GetSteps()})
		if err != nil {
			return err
		}
		p := next.GetProcedure()
		w.run.Procedure, w.run.Version = p.GetId(), p.GetVersion()
		w.run.Steps = append(w.run.Steps, next.GetMore()...)
		if next.GetStep() == nil {
			w.run.Outcome = next.GetOutcome()
			return nil
		}
		if err := w.take(name, p.GetComplaint(), next); err != nil {
			return err
		}
	}
}

// take puts one step before the person, and notes the answer.
func (w *walk) take(name, complaint string, next *constatv1.WalkResponse) error {
	s, begin := next.GetStep(), time.Now()
	w.number++
	w.out.line("")
	w.out.hang(fmt.Sprintf("%d. ", w.number), "   ", w.lead(s, next))
	if shown := inLanguage(next.GetDrawing(), w.language); shown != "" {
		w.out.wrap("   ", "["+shown+"]")
	}
	if s.GetLink() != "" {
		w.out.line("   %s", s.GetLink())
	}
	note := func(taken *constatv1.ProcedureRun_StepTaken) { w.run.Steps = append(w.run.Steps, taken) }
	if s.GetKind() == "remedy" && w.remedy == nil { // only the service may
		w.out.wrap("   ", w.words.service)
		note(procedure.Seen(s, procedure.Not, 0))
		return nil
	}
	if s.GetKind() == "remedy" {
		done, err := w.mend(s, next)
		if err != nil || !done {
			note(procedure.Answered(s, "skipped", time.Since(begin)))
			return err
		}
	}
	if s.GetKind() == "manual" && next.GetVisible() {
		done, err := w.choose([]choice{{"done", w.words.done}, {"skipped", w.words.cannot}})
		if err != nil {
			return err
		}
		if done == "skipped" {
			note(procedure.Answered(s, done, time.Since(begin)))
			return nil
		}
	}
	if (s.GetKind() == "manual" || s.GetKind() == "remedy") && next.GetVisible() {
		before := w.diagnosis.GetId()
		if err := w.look(complaint); err != nil {
			return err
		}
		seen, err := w.guide.walk(w.ctx, &constatv1.WalkRequest{Procedure: name, DiagnosisId: w.diagnosis.GetId(), BeforeDiagnosisId: before, Step: s.GetId()})
		if err != nil {
			return err
		}
		if answer := seen.GetSeen(); answer != "" {
			w.out.wrap("   ", map[string]string{procedure.Helped: w.words.gone, procedure.Not: w.words.there}[answer])
			if answer == procedure.Helped && len(w.diagnosis.GetRootCauses()) > 0 {
				return w.enough(s, begin)
			}
			w.did = true
			note(procedure.Seen(s, answer, time.Since(begin)))
			return nil
		}
	}
	w.did = w.did || s.GetKind() != "question"
	var choices []choice
	for _, a := range s.GetAnswers() {
		choices = append(choices, choice{a.GetId(), inLanguage(a.GetLabel(), w.language)})
	}
	answer, err := w.choose(choices)
	if err != nil {
		return err
	}
	note(procedure.Answered(s, answer, time.Since(begin)))
	if slices.ContainsFunc(s.GetAnswers(), func(a *constatv1.Procedure_Answer) bool {
		return a.GetId() == answer && answer == procedure.Helped && a.GetLeadsTo() == procedure.Done
	}) {
		w.run.Helped = proto.Bool(true)
	}
	return nil
}

// enough asks whether one thing less suffices, where something else is left: it
// may have nothing to do with the complaint.
func (w *walk) enough(s *constatv1.Procedure_Step, begin time.Time) error {
	w.out.wrap("   ", w.words.works)
	answer, err := w.choose([]choice{{"yes", w.words.yes}, {"no", w.words.no}})
	if err != nil {
		return err
	}
	taken := procedure.Answered(s, procedure.Not, time.Since(begin))
	if answer == "yes" {
		taken.Answer, w.run.Helped = procedure.Helped, proto.Bool(true)
	} else {
		w.out.line("")
		w.tell()
	}
	w.run.Steps = append(w.run.Steps, taken)
	return nil
}

// lead is what a step says first. What a remedy does is said by this program, and
// not by the procedure.
func (w *walk) lead(s *constatv1.Procedure_Step, next *constatv1.WalkResponse) string {
	said := inLanguage(s.GetText(), w.language)
	if verb, known := remedy.Lookup(s.GetVerb()); known && s.GetKind() == "remedy" {
		return strings.TrimSpace(said + " " + w.words.canDo + " " + uncapitalised(verb.Title.About(w.language, next.GetComponent())) + ".")
	}
	return said
}

// uncapitalised is a title within a sentence.
func uncapitalised(title string) string {
	first, size := utf8.DecodeRuneInString(title)
	return string(unicode.ToLower(first)) + title[size:]
}

// mend has the agent do what a remedy says, if the person wants it.
// What they agree to is said in this program's own words, whatever the procedure
// says: one of a team's own can't have them agree to something else.
func (w *walk) mend(s *constatv1.Procedure_Step, next *constatv1.WalkResponse) (bool, error) {
	verb, known := remedy.Lookup(s.GetVerb())
	if !known {
		w.out.wrap("   ", w.words.notDone+" "+s.GetVerb())
		return false, nil
	}
	w.out.wrap("   ", verb.Consent.About(w.language, next.GetComponent())+" "+w.words.may)
	answer, err := w.choose([]choice{{"yes", w.words.yes}, {"no", w.words.no}})
	if err != nil || answer == "no" {
		return false, err
	}
	result, err := w.remedy(w.ctx, &constatv1.RunRemedyRequest{Verb: s.GetVerb(), Component: next.GetComponent(), Fault: next.GetFault()})
	if err != nil {
		w.out.wrap("   ", w.words.notDone+" "+command.Plain(err).Error())
		return false, nil
	}
	r := result.GetResult()
	if proof := r.GetProof(); w.language == "fr" && proof.GetFr() != "" {
		w.out.wrap("   ", proof.GetFr())
	} else if proof.GetEn() != "" {
		w.out.wrap("   ", proof.GetEn())
	}
	if !slices.Contains([]string{"fixed", "notFixed"}, r.GetOutcome()) {
		w.out.wrap("   ", toldOf(r, w.language))
		return false, nil
	}
	return true, nil
}

// close says how it ended, asks whether it helped, and offers a ticket.
func (w *walk) close(complaint string) error {
	if w.run.GetOutcome() == procedure.Left {
		_, err := w.guide.end(w.ctx, w.run)
		return err
	}
	w.out.line("")
	if w.run.GetOutcome() == procedure.Solved && w.run.Helped == nil && w.did {
		w.out.wrap("", w.words.works)
		answer, err := w.choose([]choice{{"yes", w.words.yes}, {"no", w.words.no}})
		if err == nil {
			w.run.Helped = proto.Bool(answer == "yes")
		}
		if answer == "no" {
			w.run.Outcome = procedure.Handed
		}
	}
	if w.run.GetOutcome() == procedure.Solved {
		w.out.wrap("", w.words.solved)
		_, err := w.guide.end(w.ctx, w.run)
		return err
	}
	said := map[string]string{procedure.Handed: w.words.support, procedure.Ended: w.words.ended}[w.run.GetOutcome()]
	kept, err := w.guide.end(w.ctx, w.run)
	if err != nil {
		return err
	}
	if !kept.GetKept() {
		w.out.wrap("", said+" "+w.words.alone)
		return nil
	}
	w.out.wrap("", said+" "+w.words.offer)
	answer, err := w.choose([]choice{{"yes", w.words.yes}, {"no", w.words.no}})
	if err != nil {
		return nil
	}
	if answer == "yes" {
		if err := w.open(complaint); err != nil {
			return err
		}
	}
	w.out.line("")
	if w.run.Unclear, err = w.ask(w.words.unclear); err != nil || w.run.GetUnclear() == "" {
		return err
	}
	w.out.wrap("", w.words.thanks)
	_, err = w.guide.end(w.ctx, w.run)
	return err
}

// ask has the person write a line, or none.
func (w *walk) ask(question string) (string, error) {
	w.out.wrap("", question)
	fmt.Fprint(w.out.w, "   > ")
	text, err := w.in.ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	return strings.TrimSpace(text), nil
}

// open makes a ticket of the walk.
func (w *walk) open(complaint string) error {
	text, err := w.ask(w.words.say)
	if err != nil {
		return err
	}
	sent, err := w.ticket(w.ctx, &constatv1.SubmitTicketRequest{
		Complaint: complaint, Text: text, DiagnosisId: w.run.GetDiagnosisId(), Language: w.language, WaitSeconds: 10,
	})
	if err != nil {
		return err
	}
	if sent.GetNumber() == 0 {
		w.out.wrap("", ticketWords[w.language].waits)
	} else {
		w.out.line(ticketWords[w.language].open, sent.GetNumber())
	}
	return nil
}

// choice is an answer and its words.
type choice struct{ id, label string }

// choose asks until an answer is a number of the list, or its word.
func (w *walk) choose(choices []choice) (string, error) {
	w.asked = choices
	for i, c := range choices {
		w.out.hang(fmt.Sprintf("   %d) ", i+1), "      ", c.label)
	}
	for {
		fmt.Fprint(w.out.w, "   > ")
		line, err := w.in.ReadString('\n')
		said := strings.TrimSpace(line)
		if n, bad := strconv.Atoi(said); bad == nil && n >= 1 && n <= len(choices) {
			return choices[n-1].id, nil
		}
		for _, c := range choices {
			if said != "" && (said == c.id || strings.EqualFold(said, c.label)) {
				return c.id, nil
			}
		}
		switch {
		case err != nil, w.ctx.Err() != nil, said == "q":
			return "", errLeft
		case said != "" || len(choices) > 1:
			w.out.line("   "+w.words.again, len(choices))
		}
	}
}

func inLanguage(t *constatv1.Procedure_Text, language string) string {
	return fault.Text{EN: t.GetEn(), FR: t.GetFr()}.In(language)
}

// walkText are the fixed sentences of a walk.
type walkText struct {
	healthy, open, found                       string
	done, cannot, yes, no, again, canDo        string
	gone, there, works, solved, offer, support string
	ended, alone, say, left                    string
	notDone, how, may, service                 string
	unclear, thanks                            string
}

var walkWords = map[string]walkText{
	"en": {
		healthy: "Everything that the computer can check by itself works. Let us look at the rest together.",
		open:    "The computer found no cause by itself. Let us look together.",
		found:   "The computer found this:",
		done:    "Done", cannot: "I can’t do that", yes: "Yes", no: "No",
		again: "Type a number from 1 to %d, or q to stop.",
		canDo: "I can do this for you:", may: "Shall I?",
		how:     "Answer with the number that stands before it, then Enter; q stops.",
		unclear: "One question more, for who writes these steps: what was unclear, or missing? (One line; Enter for nothing.)",
		thanks:  "Thank you: they read it.",
		service: "Only the service of this computer may do that, and it does not run here: a technician can.",
		gone:    "I looked again: it is mended.", there: "I looked again: it is still there.",
		works:   "Does everything work now?",
		solved:  "Good. Nothing more needs to be done.",
		support: "Now a technician has to look at it.",
		offer:   "Shall I open a ticket, with all that was found?",
		ended:   "Nothing is left to try here.",
		alone:   "This computer has no help desk to send it to: show this to whoever helps you.",
		say:     "What happens, in your words (one line):",
		left:    "Stopped. You can go through it again at any time.",
		notDone: "It could not be done:",
	},
	"fr": {
		healthy: "Tout ce que l’ordinateur peut contrôler lui-même fonctionne. Regardons le reste ensemble.",
		open:    "L’ordinateur n’a pas trouvé de cause à lui seul. Regardons ensemble.",
		found:   "Voici ce que l’ordinateur a trouvé :",
		done:    "C’est fait", cannot: "Je ne peux pas faire cela", yes: "Oui", no: "Non",
		again: "Tapez un chiffre de 1 à %d, ou q pour arrêter.",
		canDo: "Je peux le faire pour vous :", may: "D’accord ?",
		how:     "Répondez par le numéro de votre choix, puis Entrée ; q pour arrêter.",
		unclear: "Une dernière question, pour ceux qui écrivent ces étapes : qu’est-ce qui n’était pas clair, ou manquait ? (Une ligne ; Entrée si rien.)",
		thanks:  "Merci : ils le liront.",
		service: "Seul le service de cet ordinateur en a le droit, et il ne tourne pas ici : un technicien peut le faire.",
		gone:    "J’ai vérifié : c’est réparé.", there: "J’ai vérifié : le problème est toujours là.",
		works:   "Est-ce que tout marche maintenant ?",
		solved:  "Parfait. Il n’y a plus rien à faire.",
		support: "Un technicien doit maintenant prendre le relais.",
		offer:   "Dois-je ouvrir un ticket, avec tout ce qui a été trouvé ?",
		ended:   "Il n’y a plus rien à essayer ici.",
		alone:   "Cet ordinateur n’est relié à aucun service d’assistance : montrez ceci à la personne qui vous aide.",
		say:     "Que se passe-t-il, avec vos mots (une ligne) :",
		left:    "Arrêté. Vous pouvez recommencer à tout moment.",
		notDone: "Cela n’a pas pu être fait :",
	},
}
