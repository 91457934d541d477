package main

import (
	"bufio"
	"context"
	"strings"
	"testing"

	constatv1 "constat/proto/constat/v1"
)

// What a person agrees to in a procedure is said by the agent itself, and nothing
// is done without a yes or for a verb that there is not.
func TestConsentOfAProcedureIsTheAgentsOwn(t *testing.T) {
	for name, test := range map[string]struct {
		verb, answer string
		says         string
		done         bool
	}{
		"yes":          {"restart-printing", "1\n", "A document that is being printed may come out once more", true},
		"no":           {"restart-printing", "2\n", "A document that is being printed may come out once more", false},
		"no such verb": {"format-disk", "1\n", "format-disk", false},
	} {
		var out strings.Builder
		asked := 0
		w := &walk{
			guide: &guide{remedy: func(context.Context, *constatv1.RunRemedyRequest) (*constatv1.RunRemedyResponse, error) {
				asked++
				return &constatv1.RunRemedyResponse{Result: &constatv1.RemedyResult{Outcome: "fixed"}}, nil
			}},
			ctx: t.Context(), language: "en", words: walkWords["en"], out: reportWriter{w: &out}, in: bufio.NewReader(strings.NewReader(test.answer)),
		}
		done, err := w.mend(&constatv1.Procedure_Step{Kind: "remedy", Verb: test.verb}, &constatv1.WalkResponse{})
		if err != nil || done != test.done || asked > 0 != test.done {
			t.Errorf("%s: done %v, asked the agent %d times, %v", name, done, asked, err)
		}
		if said := strings.Join(strings.Fields(out.String()), " "); !strings.Contains(said, test.says) {
			t.Errorf("%s: said %q, without %q", name, said, test.says)
		}
	}
}
