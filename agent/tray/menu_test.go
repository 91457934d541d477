package main

import (
	"testing"

	constatv1 "constat/proto/constat/v1"
)

func TestTitleSaysWhatIsKnown(t *testing.T) {
	found := &constatv1.Diagnosis{Verdict: "fault", RootCauses: []*constatv1.RootCause{{Title: "The name servers do not answer"}}}
	for _, c := range []struct {
		state state
		want  string
	}{
		{state{language: "en"}, "Something is not working?"},
		{state{language: "en", problem: "The agent is not running"}, "The agent is not running"},
		{state{language: "en", running: true, last: found}, "Looking…"},
		{state{language: "en", last: found}, "The name servers do not answer"},
		{state{language: "en", last: found, ticket: 7}, "Ticket 7 is open"},
		{state{language: "fr", last: found, ticket: -1}, "Le ticket partira plus tard"},
		{state{language: "en", last: &constatv1.Diagnosis{Verdict: "healthy"}}, "Nothing is wrong here"},
		{state{language: "fr", last: &constatv1.Diagnosis{Verdict: "undetermined"}}, "Aucune cause ne peut encore être nommée"},
	} {
		if got := c.state.title(); got != c.want {
			t.Errorf("%+v: %q, want %q", c.state, got, c.want)
		}
	}
}

func TestSendNeedsADiagnosisAndHappensOnce(t *testing.T) {
	d := &constatv1.Diagnosis{Verdict: "healthy"}
	for _, c := range []struct {
		state state
		want  bool
	}{
		{state{language: "en"}, false},
		{state{language: "en", last: d}, true},
		{state{language: "en", last: d, running: true}, false},
		{state{language: "en", last: d, ticket: 3}, false},
	} {
		for _, e := range c.state.entries() {
			if e.send && e.enabled != c.want {
				t.Errorf("%+v: send is %v, want %v", c.state, e.enabled, c.want)
			}
		}
	}
}

func TestEveryComplaintHasItsWords(t *testing.T) {
	for language, words := range languages {
		for _, id := range offered {
			if words.complaints[id] == "" {
				t.Errorf("%s: no words for %s", language, id)
			}
		}
	}
}
