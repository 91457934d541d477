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
}

// style shows tokens and components, each in the states it can have.
func (c *console) style(w http.ResponseWriter, v *visit) error {
	return c.render(w, v, http.StatusOK, "style", "", styleView{
		Colours:     []string{"ground", "surface", "sunken", "line", "edge", "ink", "ink-2", "ink-3", "accent", "bad", "warn", "good", "info"},
		Statuses:    statuses,
		Priorities:  []string{"low", "normal", "high", "urgent"},
		Certainties: []string{"confirmed", "probable", "possible"},
		Diagnosis:   sampleDiagnosis(c.now()),
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
