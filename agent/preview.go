package main

import (
	"context"
	"slices"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"constat/agent/local"
	"constat/agent/sheet"
	"constat/internal/diagnosis"
	"constat/internal/snapshot"
	constatv1 "constat/proto/constat/v1"
)

// PreviewTicket tells a local user what a ticket of theirs would carry.
func (c *counter) PreviewTicket(ctx context.Context, r *constatv1.PreviewTicketRequest) (*constatv1.PreviewTicketResponse, error) {
	user, ok := local.Peer(ctx)
	if !ok {
		return nil, status.Error(codes.PermissionDenied, "who is asking is unknown")
	}
	k, ok := c.find(user, r.GetDiagnosisId())
	if !ok {
		return nil, status.Errorf(codes.NotFound, "there is no diagnosis %s of yours: run it again", r.GetDiagnosisId())
	}
	return k.preview((&options{language: r.GetLanguage()}).lang()), nil
}

// preview is all that a ticket would carry, in words.
func (k kept) preview(language string) *constatv1.PreviewTicketResponse {
	answer := &constatv1.PreviewTicketResponse{}
	answer.Sections = append(answer.Sections, k.always(language))
	for _, group := range snapshot.Names() {
		m := snapshot.Group(k.snapshot, group)
		if m == nil {
			continue
		}
		section := &constatv1.PreviewTicketResponse_Section{Group: group, Name: diagnosis.GroupName(group, language)}
		for _, f := range sheet.Facts(m.ProtoReflect(), language) {
			section.Facts = append(section.Facts, &constatv1.PreviewTicketResponse_Fact{Name: f.Name, Value: f.Value})
		}
		if len(section.Facts) > 0 {
			answer.Sections = append(answer.Sections, section)
		}
	}
	return answer
}

// previewWords name what is in every ticket.
var previewWords = map[string]struct {
	title, account, found, proof, also, unjudged, unseen, at, agent, marks string
}{
	"en": {
		"Who asks, and what was found", "Your account", "Found", "Proof", "Found as well", "Could not be judged", "Could not be seen", "When", "Program",
		"Marks of this diagnosis, its facts and this computer",
	},
	"fr": {
		"Qui demande, et ce qui a été trouvé", "Votre compte", "Trouvé", "Preuve", "Constaté aussi", "N’a pas pu être jugé", "N’a pas pu être observé", "Quand", "Logiciel",
		"Repères de ce diagnostic, de ses mesures et de cet ordinateur",
	},
}

// always is what every ticket with a diagnosis carries.
func (k kept) always(language string) *constatv1.PreviewTicketResponse_Section {
	w, d := previewWords[language], k.diagnosis
	section := &constatv1.PreviewTicketResponse_Section{Name: w.title}
	add := func(name string, values ...string) {
		section.Facts = append(section.Facts, &constatv1.PreviewTicketResponse_Fact{Name: name, Value: strings.Join(values, ", ")})
	}
	add(w.account, k.user.Name, k.user.ID)
	for _, c := range d.GetRootCauses() {
		add(w.found, slices.DeleteFunc([]string{c.GetTitle(), diagnosisWords[language].certainties[c.GetCertainty()], c.GetComponent(), c.GetBrand()}, isEmpty)...)
		for _, e := range c.GetEvidence() {
			add(w.proof, e.GetFact()+" = "+e.GetValue())
		}
	}
	for _, c := range d.GetUnrelated() {
		add(w.also, c.GetTitle())
	}
	for _, u := range d.GetUndetermined() {
		add(w.unjudged, u.GetFault())
	}
	for _, u := range d.GetUnobserved() {
		add(w.unseen, diagnosis.GroupName(u.GetGroup(), language))
	}
	add(w.at, d.GetStartedAt().AsTime().Local().Format("2006-01-02 15:04:05"))
	add(w.agent, k.snapshot.GetManifest().GetAgentVersion(), d.GetCatalogVersion())
	add(w.marks, slices.DeleteFunc([]string{d.GetId(), d.GetSnapshotId(), d.GetEndpointId()}, isEmpty)...)
	return section
}

func isEmpty(text string) bool { return text == "" }

// without is a diagnosis and its snapshot without groups that their user keeps:
// what they say is not sent, and neither is what the diagnosis quotes of it. What
// was found stays.
func (k kept) without(groups []string) (kept, error) {
	if len(groups) == 0 {
		return k, nil
	}
	d, s := proto.CloneOf(k.diagnosis), proto.CloneOf(k.snapshot)
	for _, group := range groups {
		if !slices.Contains(snapshot.Names(), group) {
			return k, status.Errorf(codes.InvalidArgument, "there is no group %q to leave out", group)
		}
		field := s.ProtoReflect().Descriptor().Fields().ByName(protoreflect.Name(group))
		s.ProtoReflect().Clear(field)
		for _, entry := range s.GetManifest().GetGroups() {
			if entry.GetGroup() == group {
				entry.PayloadHash, entry.PayloadBytes = nil, 0
				entry.Observation = &constatv1.Observation{Status: "denied", Reason: "the user left it out", At: entry.GetObservation().GetAt()}
			}
		}
		of := func(fact string) bool { return fact == group || strings.HasPrefix(fact, group+".") }
		for _, causes := range [][]*constatv1.RootCause{d.GetRootCauses(), d.GetUnrelated()} {
			for _, cause := range causes {
				cause.Evidence = slices.DeleteFunc(cause.Evidence, func(e *constatv1.Evidence) bool { return of(e.GetFact()) })
				cause.PrecededBy = slices.DeleteFunc(cause.PrecededBy, func(c *constatv1.Change) bool { return c.GetGroup() == group })
			}
		}
	}
	return kept{k.user, d, s}, nil
}
