package desk

import (
	"bytes"
	"cmp"
	"regexp"
	"slices"

	"google.golang.org/protobuf/proto"

	"constat/internal/snapshot"
	constatv1 "constat/proto/constat/v1"
)

// Limits of what one endpoint may send at once. They are far above what an
// honest agent sends and far below what would hurt.
const (
	maxReports   = 1000
	maxGroups    = 64
	maxDiagnosis = 1 << 20
)

// word is the form of names in reports: groups, procedures, complaints. A newer
// agent may know more of them than this collector, so the form is all that is
// asked.
var word = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,39}$`)

// collectorsOwn are the groups that only a collector fills.
var collectorsOwn = []string{"attachment", "fleet", "gear", "polled"}

// checkManifest refuses a snapshot that cannot be the endpoint's own. It gives a
// copy to store, which names the endpoint.
func checkManifest(endpointID string, r *constatv1.SnapshotReport) (*constatv1.Manifest, error) {
	if r.GetManifest() == nil {
		return nil, problem(ErrInvalid, "the snapshot has no manifest")
	}
	m := proto.CloneOf(r.GetManifest())
	var err error
	if m.Id, err = checkID("the snapshot", m.GetId()); err != nil {
		return nil, err
	}
	if m.GetEndpointId() != "" && m.GetEndpointId() != endpointID {
		return nil, problem(ErrInvalid, "the snapshot is of another endpoint than the one that sends it")
	}
	m.EndpointId = endpointID
	if m.GetTakenAt() != nil && m.GetTakenAt().CheckValid() != nil {
		return nil, problem(ErrInvalid, "the snapshot's time is not a time")
	}
	if len(m.GetGroups()) > maxGroups {
		return nil, problem(ErrInvalid, "the snapshot has %d groups, more than the %d a snapshot may have", len(m.GetGroups()), maxGroups)
	}
	seen := map[string][]byte{}
	for _, entry := range m.GetGroups() {
		name := entry.GetGroup()
		_, twice := seen[name]
		switch hash := entry.GetPayloadHash(); {
		case !word.MatchString(name):
			return nil, problem(ErrInvalid, "%q cannot be the name of a group", line(name, 64))
		case slices.Contains(collectorsOwn, name):
			return nil, problem(ErrInvalid, "group %s is for collectors to fill, not for endpoints", name)
		case twice:
			return nil, problem(ErrInvalid, "the manifest lists group %s twice", name)
		case len(hash) != 0 && len(hash) != 32:
			return nil, problem(ErrInvalid, "the hash of group %s has %d bytes, not the 32 of SHA-256", name, len(hash))
		}
		seen[name] = entry.GetPayloadHash()
	}
	return m, checkPayloads(seen, r.GetPayloads())
}

// checkPayloads refuses payloads that are not what the manifest names.
func checkPayloads(hashes map[string][]byte, payloads []*constatv1.Payload) error {
	if len(payloads) > maxGroups {
		return problem(ErrInvalid, "the snapshot has %d payloads, more than the %d groups it may have", len(payloads), maxGroups)
	}
	for _, p := range payloads {
		name := p.GetGroup()
		switch hash, listed := hashes[name]; {
		case !listed:
			return problem(ErrInvalid, "the payload of group %q is not in the manifest", line(name, 64))
		case !bytes.Equal(hash, p.GetHash()):
			return problem(ErrInvalid, "the payload of group %s is not the one the manifest names", name)
		case len(p.GetContent()) > snapshot.MaxPayload:
			return problem(ErrInvalid, "the payload of group %s has %d bytes, more than %d", name, len(p.GetContent()), snapshot.MaxPayload)
		case !bytes.Equal(snapshot.Hash(p.GetContent()), hash):
			return problem(ErrInvalid, "the payload of group %s does not have the hash it claims", name)
		}
		if _, err := decode(name, p.GetHash(), p.GetContent()); err != nil {
			return problem(ErrInvalid, "%v", err)
		}
	}
	return nil
}

// decode gives the snapshot that holds only this group; empty when the group is
// one of a newer agent.
func decode(group string, hash, content []byte) (*constatv1.Snapshot, error) {
	return snapshot.Assemble(
		&constatv1.Manifest{Groups: []*constatv1.GroupEntry{{Group: group, PayloadHash: hash}}},
		[]*constatv1.Payload{{Group: group, Hash: hash, Content: content}},
	)
}

// checkDiagnosis refuses a diagnosis that cannot be the endpoint's own, and gives
// a copy to store.
func checkDiagnosis(endpointID string, found *constatv1.Diagnosis) (*constatv1.Diagnosis, error) {
	if size := proto.Size(found); size > maxDiagnosis {
		return nil, problem(ErrInvalid, "the diagnosis has %d bytes, more than %d", size, maxDiagnosis)
	}
	found = proto.CloneOf(found)
	var err error
	if found.Id, err = checkID("the diagnosis", found.GetId()); err != nil {
		return nil, err
	}
	if found.GetEndpointId() != "" && found.GetEndpointId() != endpointID {
		return nil, problem(ErrInvalid, "the diagnosis is of another endpoint than the one that sends it")
	}
	found.EndpointId = endpointID
	for what, id := range map[string]*string{"the diagnosis's snapshot": &found.SnapshotId, "the diagnosis's command": &found.CommandId} {
		if *id == "" {
			continue
		}
		if *id, err = checkID(what, *id); err != nil {
			return nil, err
		}
	}
	if found.GetStartedAt() != nil && found.GetStartedAt().CheckValid() != nil {
		return nil, problem(ErrInvalid, "the diagnosis's time is not a time")
	}
	if !word.MatchString(found.GetProcedure()) {
		return nil, problem(ErrInvalid, "%q cannot be the name of a procedure", line(found.GetProcedure(), 64))
	}
	if !slices.Contains([]string{"healthy", "fault", "undetermined"}, found.GetVerdict()) {
		return nil, problem(ErrInvalid, "the verdict is healthy, fault or undetermined, not %q", line(found.GetVerdict(), 64))
	}
	return found, nil
}

// checkDraft gives a copy of the draft with every text fit to be stored. It
// refuses only what cannot be a ticket at all: a user wrote it, and it must not
// get lost over a form.
func checkDraft(draft *constatv1.TicketDraft) (*constatv1.TicketDraft, error) {
	if draft == nil {
		return nil, problem(ErrInvalid, "there is no ticket in it")
	}
	id, err := checkID("the ticket", draft.GetId())
	if err != nil {
		return nil, err
	}
	checked := &constatv1.TicketDraft{
		Id: id, Complaint: line(draft.GetComplaint(), 40), Text: clean(draft.GetText(), MaxText),
		Requester: &constatv1.Person{Name: line(draft.GetRequester().GetName(), maxName), Mail: line(draft.GetRequester().GetMail(), maxName)},
		Language:  line(draft.GetLanguage(), 35), Channel: line(draft.GetChannel(), 20),
	}
	if !word.MatchString(checked.Complaint) {
		checked.Complaint = "other"
	}
	checked.Channel = cmp.Or(checked.Channel, "api")
	if draft.GetOccurredAt().IsValid() {
		checked.OccurredAt = draft.GetOccurredAt()
	}
	// An id that is none refers to nothing; the ticket is as good without.
	if diagnosisID, err := checkID("the diagnosis", draft.GetDiagnosisId()); err == nil {
		checked.DiagnosisId = diagnosisID
	}
	return checked, nil
}
