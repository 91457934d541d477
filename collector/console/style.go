package console

import (
	"net/http"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	constatv1 "constat/proto/constat/v1"
)

// styleView is the page that shows the parts the console is made of.
type styleView struct {
	Colours, Statuses, Priorities, Certainties []string
	Diagnosis                                  *constatv1.Diagnosis
	Run                                        *run
	Ticket                                     *constatv1.Ticket
	Changes                                    []changedLine
	Ring                                       ringForm
}

// style shows tokens and components, each in the states it can have.
func (c *console) style(w http.ResponseWriter, v *visit) error {
	return c.render(w, v, http.StatusOK, "style", "", styleView{
		Colours:     []string{"ground", "surface", "sunken", "line", "edge", "ink", "ink-2", "ink-3", "accent", "bad", "warn", "good", "info"},
		Statuses:    statuses,
		Priorities:  []string{"low", "normal", "high", "urgent"},
		Certainties: []string{"confirmed", "probable", "possible"},
		Diagnosis:   sampleDiagnosis(c.now()),
		Ticket: &constatv1.Ticket{
			Number: 1, Title: "The DNS servers do not answer", Status: "open", Priority: "high", Assignee: v.user.Name, RootCause: "net-dns-unreachable",
			Certainty: "confirmed", Requester: &constatv1.Person{Name: "Claire Martin"}, EndpointName: "compta-07", CreatedAt: timestamppb.New(c.now()),
		},
		Changes: []changedLine{{"same", "1. Open the queue."}, {"gone", "2. Press Resume."}, {"new", "2. Press Resume, and wait."}},
		Ring:    ringForm{Percent: "10"},
		Run: &run{Phase: "observing", Done: 3, Total: 5, Groups: []*constatv1.Progress{
			{Group: "host", Status: "observed"}, {Group: "network", Status: "observed"}, {Group: "hardware", Status: "denied"},
		}},
	})
}

// sampleDiagnosis has something in each part of the component.
func sampleDiagnosis(now time.Time) *constatv1.Diagnosis {
	at := timestamppb.New(now)
	return &constatv1.Diagnosis{
		Procedure: "internet", Verdict: "fault", Trigger: "user", ElapsedMs: 942, StartedAt: at,
		RootCauses: []*constatv1.RootCause{{
			Fault: "net-dns-unreachable", Certainty: "confirmed", Title: "The DNS servers do not answer",
			Evidence: []*constatv1.Evidence{{Fact: "probes.dns[192.0.2.53].result", Value: "timeout", Source: "dns", At: at}},
		}},
		Undetermined: []*constatv1.Undetermined{{Fault: "net-mtu-black-hole", Missing: []string{"probes.mtu"}}},
		Unobserved: []*constatv1.Unobserved{{Group: "wifi", Observation: &constatv1.Observation{
			Status: "unsupported", Reason: "nl80211",
		}}},
	}
}
