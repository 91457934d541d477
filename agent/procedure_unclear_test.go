package main

import (
	"bufio"
	"context"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"constat/internal/procedure"
	constatv1 "constat/proto/constat/v1"
)

// Whom a walk did not help is asked once what was unclear, where somebody reads
// it, and may say nothing.
func TestWhatWasUnclearIsAskedOfWhomItDidNotHelp(t *testing.T) {
	for name, test := range map[string]struct {
		outcome, typed string
		helped         *bool
		kept           bool
		asked          bool
		unclear        string
		told           int
	}{
		"said":              {procedure.Handed, "2\nWhich tray?\n", nil, true, true, "Which tray?", 2},
		"said nothing":      {procedure.Ended, "2\n\n", nil, true, true, "", 1},
		"went away":         {procedure.Ended, "2\n", nil, true, true, "", 1},
		"helped":            {procedure.Solved, "", proto.Bool(true), true, false, "", 1},
		"nobody reads it":   {procedure.Handed, "", nil, false, false, "", 1},
		"the person left":   {procedure.Left, "", nil, true, false, "", 1},
		"a ticket and more": {procedure.Handed, "1\nIt is broken\nThe words\n", nil, true, true, "The words", 2},
	} {
		var out strings.Builder
		var last *constatv1.ProcedureRun
		told := 0
		w := &walk{
			guide: &guide{
				end: func(_ context.Context, run *constatv1.ProcedureRun) (*constatv1.EndWalkResponse, error) {
					told++
					last = proto.CloneOf(run)
					return &constatv1.EndWalkResponse{Kept: test.kept}, nil
				},
				ticket: func(context.Context, *constatv1.SubmitTicketRequest) (*constatv1.SubmitTicketResponse, error) {
					return &constatv1.SubmitTicketResponse{Number: 7}, nil
				},
			},
			ctx: t.Context(), language: "en", words: walkWords["en"], out: reportWriter{w: &out}, in: bufio.NewReader(strings.NewReader(test.typed)),
			run: &constatv1.ProcedureRun{Outcome: test.outcome, Helped: test.helped},
		}
		if err := w.close("printing"); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if last.GetUnclear() != test.unclear || told != test.told || strings.Contains(out.String(), "what was unclear") != test.asked {
			t.Errorf("%s: %q was told, %d times: %s", name, last.GetUnclear(), told, &out)
		}
	}
}
