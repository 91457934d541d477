package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/encoding/protojson"

	"constat/internal/command"
	"constat/internal/diagnosis"
	"constat/internal/fault"
	constatv1 "constat/proto/constat/v1"
)

func diagnoseCommand(o *options) *cobra.Command {
	var asJSON bool
	var snapshotFile string
	cmd := &cobra.Command{
		Use:   "diagnose [PROCEDURE]",
		Short: "Name the root cause of what is wrong, with its proof",
		Long: "diagnose looks at what the complaint is about and names the root cause.\n\n" +
			"Procedures: " + strings.Join(procedureNames(), ", ") + ". Without one: full.\n\n" +
			"Exit codes: 0 healthy, 1 a fault was found, 3 facts were missing, 2 could not run.",
		Args:      cobra.MaximumNArgs(1),
		ValidArgs: procedureNames(),
		RunE: func(cmd *cobra.Command, args []string) error {
			name := "full"
			if len(args) > 0 {
				name = args[0]
			}
			procedure, err := procedureByName(name)
			if err != nil {
				return err
			}
			s, err := o.load(cmd)
			if err != nil {
				return err
			}
			var facts *os.File
			if snapshotFile != "" {
				// Made before the rights are cut: the directory may be root's.
				if facts, err = os.OpenFile(snapshotFile, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600); err != nil {
					return err
				}
				defer facts.Close()
			}
			seen, err := newJudge(cmd.Context(), s, "")
			if err != nil {
				return err
			}
			defer seen.close()
			show, end := showProgress(cmd.ErrOrStderr(), o.lang())
			d, snapshot := seen.diagnose(cmd.Context(), procedure, o.lang(), "user", show)
			end()
			if cmd.Context().Err() != nil {
				return fmt.Errorf("interrupted: the diagnosis is not whole")
			}
			if facts != nil {
				if err := errors.Join(command.WriteMessage(facts, snapshot, protojson.MarshalOptions{Multiline: true}), facts.Close()); err != nil {
					return err
				}
			}
			if asJSON {
				err = command.WriteMessage(cmd.OutOrStdout(), d, command.EveryKey)
			} else {
				writeDiagnosis(cmd.OutOrStdout(), d, seen.catalog, o.lang())
			}
			if err != nil {
				return err
			}
			switch d.Verdict {
			case "fault":
				return command.No
			case "undetermined":
				return command.Undetermined
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "one JSON object on standard output")
	cmd.Flags().StringVar(&snapshotFile, "snapshot", "", "write the facts that were judged to this `FILE`, as facts --json prints them")
	return cmd
}

func procedureNames() []string {
	var names []string
	for _, p := range diagnosis.Procedures() {
		names = append(names, p.ID)
	}
	return names
}

func procedureByName(name string) (*diagnosis.Procedure, error) {
	if p, ok := diagnosis.Lookup(name); ok {
		return p, nil
	}
	return nil, fmt.Errorf("there is no procedure %q; choose one of %s", name, strings.Join(procedureNames(), ", "))
}

// words are the fixed texts of a printed diagnosis.
type words struct {
	verdicts                                         map[string]string
	certainties                                      map[string]string
	proof, explains, doNow, technician, other, apart string
	unseen, unrelated, unknown, next, took, likely   string
	without, and, more                               string
	statuses                                         map[string]string
}

var diagnosisWords = map[string]words{
	"en": {
		verdicts: map[string]string{
			"healthy":      "No fault was found: what was checked works.",
			"fault":        "The cause was found.",
			"undetermined": "No cause can be named yet.",
		},
		certainties: map[string]string{"confirmed": "confirmed", "probable": "probable", "possible": "possible"},
		proof:       "Proof", explains: "This explains", doNow: "What to do", technician: "For the technician",
		other: "It could also be", apart: "told apart by", unseen: "Could not be seen", unrelated: "Found as well, and not about this",
		unknown: "Could not be judged", next: "Next", took: "%s, %s, in %s", likely: "A probable cause was found.",
		without: "without %s:", and: "; ", more: "; and %d more",
		statuses: map[string]string{"": "not looked at", "unsupported": "not available here", "denied": "no permission", "failed": "failed"},
	},
	"fr": {
		verdicts: map[string]string{
			"healthy":      "Aucune panne trouvée : tout ce qui a été contrôlé fonctionne.",
			"fault":        "La cause est trouvée.",
			"undetermined": "Impossible de nommer une cause pour l’instant.",
		},
		certainties: map[string]string{"confirmed": "confirmé", "probable": "probable", "possible": "possible"},
		proof:       "Preuves", explains: "Ce qui en découle", doNow: "Que faire", technician: "Pour le technicien",
		other: "Autre piste", apart: "pour trancher", unseen: "N’a pas pu être observé", unrelated: "Constaté aussi, sans lien avec le problème",
		unknown: "N’a pas pu être jugé", next: "Ensuite", took: "%s, %s, en %s", likely: "Une cause probable est trouvée.",
		without: "sans %s :", and: " ; ", more: " ; et %d autres",
		statuses: map[string]string{"": "pas d’observation", "unsupported": "non disponible ici", "denied": "accès refusé", "failed": "échec"},
	},
}

// writeDiagnosis prints a diagnosis for a person at a plain terminal.
func writeDiagnosis(out io.Writer, d *constatv1.Diagnosis, c *fault.Catalog, language string) {
	w := diagnosisWords[language]
	r := reportWriter{w: out}
	colon := ":"
	if language == "fr" {
		colon = " :"
	}
	took := fmt.Sprintf("%.1f s", float64(d.ElapsedMs)/1000)
	if language == "fr" {
		took = strings.Replace(took, ".", ",", 1)
	}
	verdict := w.verdicts[d.Verdict]
	if d.Verdict == "fault" && d.RootCauses[0].GetCertainty() != "confirmed" {
		verdict = w.likely
	}
	r.line("%s", verdict)
	r.line(w.took, d.Procedure, d.GetStartedAt().AsTime().Local().Format("2006-01-02 15:04:05"), took)
	for _, cause := range d.RootCauses {
		r.cause(w, colon, cause, c, language)
	}
	if len(d.Hypotheses) > 0 {
		r.line("")
		r.line("%s%s", w.other, colon)
		for _, h := range d.Hypotheses {
			r.wrap("  ", h.Title+" ("+w.certainties[h.Certainty]+")")
			if h.Check != "" {
				r.wrap("    ", w.apart+colon+" "+h.Check)
			}
		}
	}
	if len(d.Unrelated) > 0 {
		r.line("")
		r.line("%s%s", w.unrelated, colon)
		for _, u := range d.Unrelated {
			r.wrap("  ", u.Title+" ("+w.certainties[u.Certainty]+")")
		}
	}
	if len(d.Unobserved) > 0 {
		r.line("")
		r.line("%s%s", w.unseen, colon)
		for _, u := range d.Unobserved {
			line := diagnosis.GroupName(u.Group, language) + colon + " " + w.statuses[u.GetObservation().GetStatus()]
			if reason := u.GetObservation().GetReason(); reason != "" {
				line += " (" + reason + ")"
			}
			r.wrap("  ", line)
		}
	}
	if d.Verdict == "undetermined" && len(d.Undetermined) > 0 {
		r.line("")
		r.line("%s%s", w.unknown, colon)
		r.undetermined(d.Undetermined, c, w, language)
	}
	// A cause's advice stands above, and the verdict says that all is well.
	if d.NextStep != "" && d.Verdict == "undetermined" && len(d.RootCauses) == 0 {
		r.line("")
		r.wrap("", w.next+colon+" "+d.NextStep)
	}
}

// undetermined lists what could not be judged by what it misses: a group that
// was not seen leaves dozens of faults open, and that is one thing to know.
func (r reportWriter) undetermined(open []*constatv1.Undetermined, c *fault.Catalog, w words, language string) {
	titles := map[string][]string{}
	for _, u := range open {
		var facts []string
		for _, fact := range u.Missing {
			facts = append(facts, diagnosis.GroupName(fact, language)) // a fact of a group keeps its path
		}
		missing := strings.Join(facts, ", ")
		titles[missing] = append(titles[missing], title(c, u.Fault, language))
	}
	order := slices.SortedFunc(maps.Keys(titles), func(a, b string) int {
		return cmp.Or(cmp.Compare(len(titles[b]), len(titles[a])), cmp.Compare(a, b))
	})
	for _, missing := range order {
		names := titles[missing]
		more := ""
		if len(names) > maxTitles+1 {
			more = fmt.Sprintf(w.more, len(names)-maxTitles)
			names = names[:maxTitles]
		}
		r.wrap("  ", fmt.Sprintf(w.without, missing)+" "+strings.Join(names, w.and)+more)
	}
}

// maxTitles bounds what one missing group lists.
const maxTitles = 3

func (r reportWriter) cause(w words, colon string, cause *constatv1.RootCause, c *fault.Catalog, language string) {
	r.line("")
	r.hang("* ", "  ", cause.Title+"  ["+w.certainties[cause.Certainty]+"]")
	if f := c.Lookup(cause.Fault); f != nil {
		r.wrap("  ", f.Explanation.In(language))
	}
	if began := diagnosis.Began(cause, language, time.Now()); began != "" {
		r.wrap("  ", began)
	}
	if text := cause.GetAdvice().GetUser(); text != "" {
		r.wrap("  ", w.doNow+colon+" "+text)
	}
	r.line("")
	if text := cause.GetAdvice().GetTechnician(); text != "" {
		r.wrap("  ", w.technician+colon+" "+text)
	}
	if len(cause.Explains) > 0 {
		var names []string
		for _, id := range cause.Explains {
			names = append(names, title(c, id, language))
		}
		r.wrap("  ", w.explains+colon+" "+strings.Join(names, w.and))
	}
	r.proof(w, colon, cause.Evidence)
	for _, one := range suggested(&constatv1.Diagnosis{RootCauses: []*constatv1.RootCause{cause}}, language) {
		r.line("")
		r.wrap("  ", remedyWords[language].hint+colon+" "+one.GetTitle())
		r.line("    %s", runLine(one.GetRequest()))
	}
}

// proof prints the evidence, where it is from once for all that is from there.
func (r reportWriter) proof(w words, colon string, evidence []*constatv1.Evidence) {
	from := ""
	for _, e := range evidence {
		if here := fmt.Sprintf("%s, %s", e.Source, e.GetAt().AsTime().Local().Format("15:04:05")); here != from {
			from = here
			r.line("  %s (%s)%s", w.proof, from, colon)
		}
		r.wrap("    ", e.Fact+" = "+e.Value)
	}
}

// title is a fault's name in the reader's language, or its id.
func title(c *fault.Catalog, id, language string) string {
	if f := c.Lookup(id); f != nil {
		return f.Title.In(language)
	}
	return id
}
