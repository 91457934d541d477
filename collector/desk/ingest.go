package desk

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"constat/collector/store"
	"constat/collector/store/query"
	"constat/internal/snapshot"
	constatv1 "constat/proto/constat/v1"
)

// maxChanges is how many changes of one group are kept of one snapshot: a new
// version of an agent that sees more is not hundreds of changes to read.
const maxChanges = 100

// Ingest stores what an endpoint reports, all in one transaction, and answers
// each report in order once that is committed. A report that was stored before
// is answered as it was then. A report that can never be stored is refused with
// the reason and keeps none of the others back. An error means that nothing was
// stored: send all again.
func (d *Desk) Ingest(ctx context.Context, endpointID string, reports []*constatv1.Report) ([]*constatv1.Receipt, error) {
	if len(reports) > maxReports {
		return nil, problem(ErrInvalid, "%d reports are more than the %d one upload may have", len(reports), maxReports)
	}
	checked := make([]parcel, len(reports))
	for i, report := range reports {
		checked[i] = inspect(endpointID, report)
	}
	var receipts []*constatv1.Receipt
	var hints []string
	err := d.store.Write(ctx, func(ctx context.Context, q *query.Queries) error {
		in := &intake{desk: d, q: q, endpoint: endpointID}
		if err := in.begin(ctx); err != nil {
			return err
		}
		receipts = make([]*constatv1.Receipt, len(checked))
		for i, p := range checked {
			var err error
			if receipts[i], err = in.take(ctx, p); err != nil {
				return err
			}
		}
		hints = in.hints
		return nil
	})
	if err != nil {
		return nil, err
	}
	d.hint(hints...)
	return receipts, nil
}

// parcel is one report after inspection: one content, or a refusal.
type parcel struct {
	manifest  *constatv1.Manifest
	payloads  []*constatv1.Payload
	diagnosis *constatv1.Diagnosis
	ticket    *constatv1.TicketDraft
	pictures  []file
	reply     *constatv1.TicketReply
	run       *constatv1.ProcedureRun
	remedy    *constatv1.RemedyResult
	refused   *constatv1.Receipt
}

// inspect does all that can be done without the database.
func inspect(endpointID string, report *constatv1.Report) parcel {
	var p parcel
	var id string
	var err error
	switch content := report.GetContent().(type) {
	case *constatv1.Report_Snapshot:
		id = content.Snapshot.GetManifest().GetId()
		p.manifest, err = checkManifest(endpointID, content.Snapshot)
		p.payloads = content.Snapshot.GetPayloads()
	case *constatv1.Report_Diagnosis:
		id = content.Diagnosis.GetId()
		p.diagnosis, err = checkDiagnosis(endpointID, content.Diagnosis)
	case *constatv1.Report_Remedy:
		id = content.Remedy.GetId()
		p.remedy, err = checkRemedy(content.Remedy)
	case *constatv1.Report_Ticket:
		id = content.Ticket.GetId()
		if p.ticket, err = checkDraft(content.Ticket); err == nil && p.ticket.Channel != "tray" {
			p.ticket.Channel = "agent"
		}
		p.pictures = readPictures(content.Ticket.GetPictures())
	case *constatv1.Report_Reply:
		id = content.Reply.GetId()
		p.reply, err = checkReply(content.Reply)
	case *constatv1.Report_Run:
		id = content.Run.GetId()
		p.run, err = checkRun(content.Run)
	default:
		err = problem(ErrInvalid, "the report holds nothing this collector knows: update it")
	}
	if err != nil {
		return parcel{refused: &constatv1.Receipt{Id: id, Status: "refused", Reason: err.Error()}}
	}
	return p
}

// intake is one transaction that stores an endpoint's reports.
type intake struct {
	desk     *Desk
	q        *query.Queries
	endpoint string
	// latest is the newest word on each group, read when a snapshot needs it.
	latest map[string]query.LatestFact
	hints  []string
}

// begin locks the endpoint, so that a diagnosis and the ticket that waits for it
// can't miss each other in two transactions.
func (in *intake) begin(ctx context.Context) error {
	if _, err := in.q.TouchEndpoint(ctx, in.endpoint, store.Millis(in.desk.now())); err != nil {
		return err
	}
	_, err := activeEndpoint(ctx, in.q, in.endpoint)
	return err
}

func (in *intake) take(ctx context.Context, p parcel) (*constatv1.Receipt, error) {
	switch {
	case p.refused != nil:
		return p.refused, nil
	case p.manifest != nil:
		return in.takeSnapshot(ctx, p.manifest, p.payloads)
	case p.diagnosis != nil:
		return in.takeDiagnosis(ctx, p.diagnosis)
	case p.run != nil:
		return in.takeRun(ctx, p.run)
	case p.remedy != nil:
		return in.takeRemedy(ctx, p.remedy)
	case p.reply != nil:
		return in.takeReply(ctx, p.reply)
	default:
		return in.takeTicket(ctx, p.ticket, p.pictures)
	}
}

func (in *intake) takeTicket(ctx context.Context, draft *constatv1.TicketDraft, pictures []file) (*constatv1.Receipt, error) {
	agent := Actor{Name: draft.GetRequester().GetName(), Role: "agent"}
	t, fresh, err := in.desk.open(ctx, in.q, agent, draft, in.endpoint, true)
	if errors.Is(err, ErrInvalid) {
		return &constatv1.Receipt{Id: draft.GetId(), Status: "refused", Reason: err.Error()}, nil
	}
	if err != nil {
		return nil, err
	}
	if fresh {
		if err := keepFiles(ctx, in.q, t.Number, draft.GetId(), pictures); err != nil {
			return nil, err
		}
		in.hints = append(in.hints, ticketSubject(t.Number))
	}
	return &constatv1.Receipt{Id: draft.GetId(), Status: "stored", TicketNumber: t.Number}, nil
}

// takeDiagnosis stores a diagnosis and brings it to the tickets that wait for it:
// those that named it, and those whose command asked for it.
func (in *intake) takeDiagnosis(ctx context.Context, found *constatv1.Diagnosis) (*constatv1.Receipt, error) {
	receipt := &constatv1.Receipt{Id: found.GetId(), Status: "stored"}
	added, err := in.addDiagnosis(ctx, found)
	if err != nil || added == 0 {
		return receipt, err
	}
	if err := in.remember(ctx, found); err != nil {
		return nil, err
	}
	waiting, err := in.q.TicketsAwaiting(ctx, found.GetId(), in.endpoint)
	if err != nil {
		return nil, err
	}
	for _, t := range waiting {
		if err := in.attach(ctx, t.Number, found); err != nil {
			return nil, err
		}
	}
	asked, err := in.q.CommandsOfDiagnosis(ctx, in.endpoint, found.GetCommandId(), found.GetId())
	if err != nil {
		return nil, err
	}
	for _, command := range asked {
		if _, err := in.desk.finish(ctx, in.q, command, "done", "", found.GetId()); err != nil {
			return nil, err
		}
		in.hints = append(in.hints, commandSubject(command.ID))
		if command.Ticket != 0 {
			if err := in.attach(ctx, command.Ticket, found); err != nil {
				return nil, err
			}
		}
	}
	if err := in.bringHome(ctx, found); err != nil {
		return nil, err
	}
	if err := in.askPeers(ctx, found); err != nil {
		return nil, err
	}
	return receipt, in.judgeAgain(ctx, found)
}

// addDiagnosis stores a diagnosis; 0 when it was there before.
func (in *intake) addDiagnosis(ctx context.Context, found *constatv1.Diagnosis) (int64, error) {
	content, err := store.PackMessage(found)
	if err != nil {
		return 0, err
	}
	row := query.AddDiagnosisParams{
		EndpointID: in.endpoint, ID: found.GetId(), SnapshotID: found.GetSnapshotId(), CommandID: found.GetCommandId(),
		Procedure: found.GetProcedure(), Verdict: found.GetVerdict(),
		ReceivedAt: store.Millis(in.desk.now()), Content: content,
	}
	row.StartedAt = row.ReceivedAt
	if at := found.GetStartedAt(); at != nil {
		row.StartedAt = store.Millis(at.AsTime())
	}
	if len(found.GetRootCauses()) > 0 {
		row.RootCause = line(found.GetRootCauses()[0].GetFault(), maxName)
		row.Certainty = line(found.GetRootCauses()[0].GetCertainty(), maxName)
	}
	return in.q.AddDiagnosis(ctx, row)
}

func (in *intake) attach(ctx context.Context, ticket int32, found *constatv1.Diagnosis) error {
	number, err := in.desk.attach(ctx, in.q, ticket, in.endpoint, found)
	if number != 0 {
		in.hints = append(in.hints, ticketSubject(number))
	}
	return err
}

// takeSnapshot stores a manifest and the payloads that are new, or asks for those
// that neither came along nor are here.
func (in *intake) takeSnapshot(ctx context.Context, m *constatv1.Manifest, payloads []*constatv1.Payload) (*constatv1.Receipt, error) {
	receipt := &constatv1.Receipt{Id: m.GetId(), Status: "stored"}
	if known, err := in.q.SnapshotExists(ctx, in.endpoint, m.GetId()); err != nil || known > 0 {
		return receipt, err
	}
	if err := in.readLatest(ctx); err != nil {
		return nil, err
	}
	brought := map[string]*constatv1.Payload{}
	for _, p := range payloads {
		brought[p.GetGroup()] = p
	}
	for _, entry := range m.GetGroups() {
		lacks, err := in.lacks(ctx, entry, brought)
		if err != nil {
			return nil, err
		}
		if lacks {
			receipt.MissingHashes = append(receipt.MissingHashes, entry.GetPayloadHash())
		}
	}
	if len(receipt.MissingHashes) > 0 {
		receipt.Status, receipt.Reason = "missing", "payloads that this collector does not have"
		return receipt, nil
	}

	now := in.desk.now()
	takenAt := m.GetTakenAt().AsTime()
	if m.GetTakenAt() == nil {
		takenAt = now
	}
	ordered := takenAt
	if ordered.After(now) {
		ordered = now
	}
	content, err := store.PackMessage(m)
	if err != nil {
		return nil, err
	}
	if _, err := in.q.AddSnapshot(ctx, query.AddSnapshotParams{
		EndpointID: in.endpoint, ID: m.GetId(), Manifest: content,
		TakenAt: store.Millis(takenAt), ReceivedAt: store.Millis(now), OrderedAt: store.Millis(ordered),
	}); err != nil {
		return nil, err
	}
	for _, entry := range m.GetGroups() {
		if err := in.takeGroup(ctx, entry, brought[entry.GetGroup()], timestamppb.New(ordered)); err != nil {
			return nil, err
		}
	}
	if slices.ContainsFunc(peripheralGroups, func(group string) bool { return brought[group] != nil }) {
		if err := notePeripherals(ctx, in.q, in.endpoint, now); err != nil {
			return nil, err
		}
	}
	waiting, err := in.q.DiagnosesOfSnapshot(ctx, in.endpoint, m.GetId())
	if err != nil {
		return nil, err
	}
	for _, blob := range waiting {
		found := &constatv1.Diagnosis{}
		if err := store.UnpackMessage(blob, found); err != nil {
			return nil, fmt.Errorf("a diagnosis of snapshot %s: %w", m.GetId(), err)
		}
		if err := in.judgeAgain(ctx, found); err != nil {
			return nil, err
		}
	}
	return receipt, nil
}

func (in *intake) readLatest(ctx context.Context) error {
	if in.latest != nil {
		return nil
	}
	rows, err := in.q.LatestFacts(ctx, in.endpoint)
	if err != nil {
		return err
	}
	in.latest = map[string]query.LatestFact{}
	for _, row := range rows {
		in.latest[row.GroupName] = row
	}
	return nil
}

// lacks tells whether an entry names a payload that is not to be had.
func (in *intake) lacks(ctx context.Context, entry *constatv1.GroupEntry, brought map[string]*constatv1.Payload) (bool, error) {
	hash := entry.GetPayloadHash()
	if len(hash) == 0 || brought[entry.GetGroup()] != nil || bytes.Equal(in.latest[entry.GetGroup()].Hash, hash) {
		return false, nil
	}
	known, err := in.q.PayloadExists(ctx, in.endpoint, entry.GetGroup(), hash)
	return known == 0, err
}

// takeGroup stores one group of a snapshot and, where it is the newest word on
// it, what it changed and what it says about the endpoint.
func (in *intake) takeGroup(ctx context.Context, entry *constatv1.GroupEntry, brought *constatv1.Payload, at *timestamppb.Timestamp) error {
	name, hash := entry.GetGroup(), entry.GetPayloadHash()
	last := in.latest[name]
	if brought != nil && !bytes.Equal(last.Hash, hash) {
		err := in.q.AddPayload(ctx, query.AddPayloadParams{
			EndpointID: in.endpoint, GroupName: name, Hash: hash, Content: store.Pack(brought.GetContent()),
			FirstAt: store.Millis(in.desk.now()),
		})
		if err != nil {
			return err
		}
	}
	if last.OrderedAt > store.Millis(at.AsTime()) {
		return nil
	}
	if len(hash) > 0 && !bytes.Equal(last.Hash, hash) {
		if err := in.compare(ctx, name, last.Hash, hash, at); err != nil {
			return err
		}
	}
	content, err := store.PackMessage(entry)
	if err != nil {
		return err
	}
	next := query.LatestFact{EndpointID: in.endpoint, GroupName: name, Entry: content, OrderedAt: store.Millis(at.AsTime()), Hash: hash}
	if len(hash) == 0 {
		next.Hash = append([]byte{}, last.Hash...) // what was last seen, to compare with when it is seen again
	}
	in.latest[name] = next
	return in.q.PutLatestFact(ctx, query.PutLatestFactParams(next))
}

// compare keeps what became different in a group, and describes the endpoint by
// it.
func (in *intake) compare(ctx context.Context, group string, oldHash, newHash []byte, at *timestamppb.Timestamp) error {
	after, err := in.group(ctx, group, newHash)
	if err != nil {
		return err
	}
	if group == "host" || group == "hardware" {
		if err := in.describe(ctx, after); err != nil {
			return err
		}
	}
	if group == "network" {
		if err := in.locate(ctx, after.GetNetwork()); err != nil {
			return err
		}
		if err := in.hold(ctx, after.GetNetwork()); err != nil {
			return err
		}
	}
	if len(oldHash) == 0 {
		return nil
	}
	before, err := in.group(ctx, group, oldHash)
	if err != nil {
		return err
	}
	after.Manifest.TakenAt = at
	for i, change := range snapshot.Changes(before, after) {
		if i == maxChanges {
			break
		}
		content, err := store.PackMessage(change)
		if err != nil {
			return err
		}
		err = in.q.AddChange(ctx, query.AddChangeParams{
			EndpointID: in.endpoint, At: store.Millis(at.AsTime()), GroupName: group, Position: int32(i), Content: content,
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// group gives a stored payload, as a snapshot that holds only this group.
func (in *intake) group(ctx context.Context, name string, hash []byte) (*constatv1.Snapshot, error) {
	p, err := payload(ctx, in.q, in.endpoint, name, hash)
	if err != nil {
		return nil, err
	}
	return decode(name, hash, p.GetContent())
}

// describe takes over into the list of endpoints what the snapshot says of it.
// What it does not say stays.
func (in *intake) describe(ctx context.Context, s *constatv1.Snapshot) error {
	e, err := in.q.EndpointByID(ctx, in.endpoint)
	if err != nil {
		return err
	}
	set := func(field *string, fact *string) {
		if fact != nil && *fact != "" {
			*field = line(*fact, maxName)
		}
	}
	if h := s.GetHost(); h != nil {
		set(&e.Hostname, h.Hostname)
		set(&e.OsFamily, h.OsFamily)
		if h.OsName != nil {
			set(&e.OsName, proto.String(h.GetOsName()+" "+h.GetOsVersion()))
		}
	}
	if system := s.GetHardware().GetSystem(); system != nil {
		set(&e.Manufacturer, system.Manufacturer)
		set(&e.Manufacturer, system.Brand)
		set(&e.Model, system.Model)
		set(&e.Serial, system.Serial)
	}
	return in.q.DescribeEndpoint(ctx, query.DescribeEndpointParams{
		ID: e.ID, Hostname: e.Hostname, NameKey: nameKey(e.Hostname), OrderKey: store.OrderKey(e.Hostname), OsFamily: e.OsFamily, OsName: e.OsName,
		Manufacturer: e.Manufacturer, Model: e.Model, Serial: e.Serial,
	})
}
