package desk

import (
	"context"
	"database/sql"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"

	"constat/collector/store"
	"constat/collector/store/query"
	"constat/internal/snapshot"
	deskv1 "constat/proto/constat/desk/v1"
	constatv1 "constat/proto/constat/v1"
)

// shownChanges and shownDiagnoses are how many of the newest an endpoint's page
// shows.
const (
	shownChanges   = 100
	shownDiagnoses = 20
	shownRemedies  = 50
)

// nameKey makes hostnames the same that differ by case only.
func nameKey(hostname string) string { return strings.ToLower(strings.TrimSpace(hostname)) }

// Endpoints lists endpoints by name, at most 200 at a time, those whose name or
// serial holds the query.
func (d *Desk) Endpoints(ctx context.Context, r *deskv1.ListEndpointsRequest) (*deskv1.ListEndpointsResponse, error) {
	if err := staffOnly(ctx, "look at machines"); err != nil {
		return nil, err
	}
	filter := store.EndpointFilter{Pattern: containing(strings.ToLower(clean(strings.TrimSpace(r.GetQuery()), maxName))), Sites: reader(ctx).Sites, Limit: pageSize(r.GetLimit())}
	if r.GetAfter() != "" {
		cursor, err := base64.RawURLEncoding.DecodeString(r.GetAfter())
		id, key, found := strings.Cut(string(cursor), "\n")
		if err != nil || !found || id == "" || strings.ToValidUTF8(id, "") != id || strings.Contains(id, "\x00") {
			return nil, problem(ErrInvalid, "the cursor %q is none of this list: begin it anew", line(r.GetAfter(), 64))
		}
		filter.AfterKey, filter.AfterID = []byte(key), id
	}
	rows, err := d.store.Endpoints(ctx, filter)
	if err != nil {
		return nil, err
	}
	answer := &deskv1.ListEndpointsResponse{}
	for _, row := range rows {
		answer.Endpoints = append(answer.Endpoints, d.endpointMessage(row))
	}
	if len(rows) == int(filter.Limit) {
		last := rows[len(rows)-1]
		answer.Next = base64.RawURLEncoding.EncodeToString([]byte(last.ID + "\n" + string(last.OrderKey)))
	}
	return answer, nil
}

// Endpoint gives an endpoint, the newest word on each of its fact groups,
// whichever snapshots brought them, the newest changes of its stable groups, and
// its newest diagnoses.
// The snapshot has no id, since it is none that was taken as a whole.
func (d *Desk) Endpoint(ctx context.Context, idOrHostname string) (*deskv1.GetEndpointResponse, error) {
	q := d.store.Read()
	row, err := findEndpoint(ctx, q, idOrHostname)
	if err != nil {
		return nil, err
	}
	answer := &deskv1.GetEndpointResponse{Endpoint: d.endpointMessage(row)}
	if answer.Endpoint.Twins, err = d.twins(ctx, q, row); err != nil {
		return nil, err
	}
	if answer.Snapshot, err = latestSnapshot(ctx, q, row); err != nil {
		return nil, err
	}
	changes, err := q.NewestChanges(ctx, row.ID, shownChanges)
	if err != nil {
		return nil, err
	}
	for _, blob := range changes {
		change := &constatv1.Change{}
		if err := store.UnpackMessage(blob, change); err != nil {
			return nil, fmt.Errorf("a change of endpoint %s: %w", row.ID, err)
		}
		answer.Changes = append(answer.Changes, change)
	}
	diagnoses, err := q.NewestDiagnoses(ctx, row.ID, shownDiagnoses)
	if err != nil {
		return nil, err
	}
	for _, blob := range diagnoses {
		found := &constatv1.Diagnosis{}
		if err := store.UnpackMessage(blob, found); err != nil {
			return nil, fmt.Errorf("a diagnosis of endpoint %s: %w", row.ID, err)
		}
		answer.Diagnoses = append(answer.Diagnoses, found)
	}
	remedies, err := q.NewestRemedies(ctx, row.ID, shownRemedies)
	if err != nil {
		return nil, err
	}
	for _, blob := range remedies {
		result := &constatv1.RemedyResult{}
		if err := store.UnpackMessage(blob, result); err != nil {
			return nil, fmt.Errorf("a remedy of endpoint %s: %w", row.ID, err)
		}
		answer.Remedies = append(answer.Remedies, result)
	}
	return answer, nil
}

// findEndpoint finds an endpoint by its id, or by a hostname that only one has.
func findEndpoint(ctx context.Context, q *query.Queries, idOrHostname string) (query.Endpoint, error) {
	wanted := line(idOrHostname, maxName)
	row, err := q.EndpointByID(ctx, wanted)
	if err == nil {
		return row, seesEndpoint(ctx, row)
	}
	if !errors.Is(err, sql.ErrNoRows) {
		return row, err
	}
	rows, err := q.EndpointsByName(ctx, nameKey(wanted))
	rows = slices.DeleteFunc(rows, func(e query.Endpoint) bool { return seesEndpoint(ctx, e) != nil })
	switch {
	case err != nil:
		return query.Endpoint{}, err
	case len(rows) == 0:
		return query.Endpoint{}, problem(ErrNotFound, "there is no endpoint %q", wanted)
	case len(rows) > 1:
		return query.Endpoint{}, problem(ErrInvalid, "several endpoints are named %q: give the id, of %s or of another", wanted, rows[0].ID)
	}
	return rows[0], nil
}

// activeEndpoint gives an endpoint that may talk to us: ErrNotFound when it is not
// known, ErrForbidden when it was revoked.
func activeEndpoint(ctx context.Context, q *query.Queries, id string) (query.Endpoint, error) {
	e, err := q.EndpointByID(ctx, id)
	if errors.Is(err, sql.ErrNoRows) {
		return e, problem(ErrNotFound, "this collector does not know endpoint %s: enrol again", line(id, 64))
	}
	if err == nil && e.RevokedAt != 0 {
		return e, problem(ErrForbidden, "this endpoint was revoked: %s", e.RevokedReason)
	}
	return e, err
}

// latestSnapshot puts the newest word on each group together; nil when nothing
// was ever reported.
func latestSnapshot(ctx context.Context, q *query.Queries, endpoint query.Endpoint) (*constatv1.Snapshot, error) {
	latest, err := q.LatestFacts(ctx, endpoint.ID)
	if err != nil || len(latest) == 0 {
		return nil, err
	}
	manifest := &constatv1.Manifest{EndpointId: endpoint.ID, AgentVersion: endpoint.AgentVersion}
	var newest int64
	for _, fact := range latest {
		entry := &constatv1.GroupEntry{}
		if err := store.UnpackMessage(fact.Entry, entry); err != nil {
			return nil, fmt.Errorf("group %s of endpoint %s: %w", fact.GroupName, endpoint.ID, err)
		}
		manifest.Groups = append(manifest.Groups, entry)
		newest = max(newest, fact.OrderedAt)
	}
	manifest.TakenAt = timestamp(newest)
	return assemble(ctx, q, manifest)
}

// Snapshot gives a snapshot as it was taken.
func (d *Desk) Snapshot(ctx context.Context, id string) (*constatv1.Snapshot, error) {
	q := d.store.Read()
	row, err := q.SnapshotByID(ctx, line(id, maxName))
	if errors.Is(err, sql.ErrNoRows) {
		return nil, problem(ErrNotFound, "there is no snapshot %s", line(id, 64))
	}
	if err != nil {
		return nil, err
	}
	if err := seesEndpointID(ctx, q, row.EndpointID); err != nil {
		return nil, problem(ErrNotFound, "there is no snapshot %s", line(id, 64))
	}
	manifest := &constatv1.Manifest{}
	if err := store.UnpackMessage(row.Manifest, manifest); err != nil {
		return nil, fmt.Errorf("snapshot %s: %w", id, err)
	}
	return assemble(ctx, q, manifest)
}

// assemble reads the payloads that a manifest names.
func assemble(ctx context.Context, q *query.Queries, m *constatv1.Manifest) (*constatv1.Snapshot, error) {
	var payloads []*constatv1.Payload
	for _, entry := range m.GetGroups() {
		if len(entry.GetPayloadHash()) == 0 {
			continue
		}
		p, err := payload(ctx, q, m.GetEndpointId(), entry.GetGroup(), entry.GetPayloadHash())
		if err != nil {
			return nil, err
		}
		payloads = append(payloads, p)
	}
	return snapshot.Assemble(m, payloads)
}

// payload reads one payload.
func payload(ctx context.Context, q *query.Queries, endpointID, group string, hash []byte) (*constatv1.Payload, error) {
	blob, err := q.PayloadContent(ctx, endpointID, group, hash)
	if err == nil {
		blob, err = store.Unpack(blob)
	}
	if err != nil {
		return nil, fmt.Errorf("payload %x of group %s of endpoint %s: %w", hash, group, endpointID, err)
	}
	return &constatv1.Payload{Group: group, Hash: hash, Content: blob}, nil
}

func (d *Desk) endpointMessage(e query.Endpoint) *deskv1.Endpoint {
	return &deskv1.Endpoint{
		Id: e.ID, Hostname: e.Hostname, OsFamily: e.OsFamily, OsName: e.OsName, AgentVersion: e.AgentVersion,
		EnrolledAt: timestamp(e.EnrolledAt), LastSeenAt: timestamp(e.LastSeenAt),
		Online:       e.OnlineUntil > store.Millis(d.now()),
		Manufacturer: e.Manufacturer, Model: e.Model, Serial: e.Serial, Revoked: e.RevokedAt != 0,
		CertificateExpiresAt: timestamp(e.CertificateExpiresAt), Site: e.Site,
		ReimagedAt: timestamp(e.ReimagedAt), FormerSeenAt: timestamp(e.FormerSeenAt),
	}
}

// Connected notes that an endpoint opened its control stream, from which address,
// and what it says of itself. Each Connected without error is followed by one
// Disconnected. A copy of the machine is refused with ErrTwin.
func (d *Desk) Connected(ctx context.Context, endpointID, from string, hello *constatv1.Hello) error {
	now := d.now()
	skew := int64(0)
	if hello.GetNow().IsValid() {
		skew = hello.GetNow().AsTime().Sub(now).Milliseconds()
	}
	var twin error
	err := d.store.Write(ctx, func(ctx context.Context, q *query.Queries) error {
		twin = nil
		e, err := activeEndpoint(ctx, q, endpointID)
		if err != nil {
			return err
		}
		switch err := noteInstance(ctx, q, e, from, hello, now); {
		case errors.Is(err, ErrTwin):
			twin = err
			return nil // what was noted stays
		case err != nil:
			return err
		}
		for field, said := range map[*string]string{
			&e.Hostname: hello.GetHostname(), &e.OsFamily: hello.GetOsFamily(), &e.AgentVersion: hello.GetAgentVersion(),
		} {
			if said != "" {
				*field = line(said, maxName)
			}
		}
		_, err = q.ConnectEndpoint(ctx, query.ConnectEndpointParams{
			ID: e.ID, Hostname: e.Hostname, NameKey: nameKey(e.Hostname), OrderKey: store.OrderKey(e.Hostname), OsFamily: e.OsFamily, AgentVersion: e.AgentVersion,
			ClockSkewMs: skew, LastSeenAt: store.Millis(now), OnlineUntil: store.Millis(now.Add(onlineFor)),
		})
		return err
	})
	if err = errors.Join(err, twin); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.streams[endpointID]++
	return nil
}

// Seen notes a sign of life.
func (d *Desk) Seen(ctx context.Context, endpointID string) error {
	now := d.now()
	return d.store.Write(ctx, func(ctx context.Context, q *query.Queries) error {
		_, err := q.SeeEndpoint(ctx, endpointID, store.Millis(now), store.Millis(now.Add(onlineFor)))
		return err
	})
}

// Disconnected notes that a control stream ended. The endpoint is offline with
// its last one, also when ctx has ended with the stream; should the note fail,
// it counts as offline when its heartbeats stay out.
func (d *Desk) Disconnected(ctx context.Context, endpointID string) {
	d.mu.Lock()
	d.streams[endpointID]--
	left := d.streams[endpointID]
	if left <= 0 {
		delete(d.streams, endpointID)
	}
	d.mu.Unlock()
	if left > 0 {
		return
	}
	_ = d.store.Write(context.WithoutCancel(ctx), func(ctx context.Context, q *query.Queries) error {
		return q.DisconnectEndpoint(ctx, endpointID)
	})
}
