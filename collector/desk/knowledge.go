package desk

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"constat/collector/store"
	"constat/collector/store/query"
	"constat/internal/diagnosis"
	"constat/internal/fault"
	"constat/internal/procedure"
	"constat/internal/procedure/shipped"
	deskv1 "constat/proto/constat/desk/v1"
	constatv1 "constat/proto/constat/v1"
)

const (
	faultsDir, proceduresDir = "faults/", "procedures/"
	drawingsDir              = proceduresDir + "drawings/"
	// maxKnowledge bounds all files of a team together.
	maxKnowledge = 4 << 20
	maxRingHosts = 500
	// maxPreviewed is on how many machines a preview looks.
	maxPreviewed = 2000
	shownFired   = 20
	// ringsHold is how long what is pushed is not looked for again: every
	// endpoint's stream asks.
	ringsHold = 5 * time.Second
)

// SignWith gives the desk the organisation's signature. Without it nothing can be
// pushed.
func (d *Desk) SignWith(sign func([]byte) ([]byte, error)) { d.sign = sign }

// Catalog is the faults that this collector judges by: those of the program, and
// what the team released to all.
func (d *Desk) Catalog() *fault.Catalog {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.extended != nil {
		return d.extended
	}
	return d.catalog
}

// newest is the newest revision; of a desk that has none, an empty one.
func newestKnowledge(ctx context.Context, q *query.Queries) (*deskv1.KnowledgeRevision, error) {
	row, err := q.NewestKnowledge(ctx)
	if errors.Is(err, sql.ErrNoRows) {
		return &deskv1.KnowledgeRevision{}, nil
	}
	if err != nil {
		return nil, err
	}
	return revisionOf(row)
}

func revisionOf(row query.Knowledge) (*deskv1.KnowledgeRevision, error) {
	r := &deskv1.KnowledgeRevision{}
	if err := store.UnpackMessage(row.Content, r); err != nil {
		return nil, fmt.Errorf("revision %d of the knowledge: %w", row.Revision, err)
	}
	r.Percent, r.Hosts = row.Percent, lines(row.Hosts)
	return r, nil
}

func lines(text string) []string {
	return slices.DeleteFunc(strings.Split(text, "\n"), func(l string) bool { return l == "" })
}

// KnowledgeAt is a revision of what the team wrote, 0 the newest, and what changed
// in it since another one.
func (d *Desk) KnowledgeAt(ctx context.Context, a Actor, r *deskv1.GetKnowledgeRequest) (*deskv1.GetKnowledgeResponse, error) {
	if err := a.require("see the team’s knowledge", staff...); err != nil {
		return nil, err
	}
	one, err := d.revision(ctx, r.GetRevision())
	if err != nil || r.Since == nil {
		return &deskv1.GetKnowledgeResponse{Revision: one}, err
	}
	before := &deskv1.KnowledgeRevision{}
	if r.GetSince() > 0 {
		if before, err = d.revision(ctx, r.GetSince()); err != nil {
			return nil, err
		}
	}
	return &deskv1.GetKnowledgeResponse{Revision: one, Diff: differ(before.GetFiles(), one.GetFiles())}, nil
}

func (d *Desk) revision(ctx context.Context, number int64) (*deskv1.KnowledgeRevision, error) {
	if number == 0 {
		return newestKnowledge(ctx, d.store.Read())
	}
	row, err := d.store.Read().KnowledgeOf(ctx, number)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, problem(ErrNotFound, "there is no revision %d of the team’s knowledge: constat-collector procedure log lists them", number)
	}
	if err != nil {
		return nil, err
	}
	return revisionOf(row)
}

// KnowledgeRevisions are the newest revisions, without the files' text.
func (d *Desk) KnowledgeRevisions(ctx context.Context, a Actor) ([]*deskv1.KnowledgeRevision, error) {
	if err := a.require("see the team’s knowledge", staff...); err != nil {
		return nil, err
	}
	rows, err := d.store.Read().ListKnowledge(ctx)
	if err != nil {
		return nil, err
	}
	var all []*deskv1.KnowledgeRevision
	for _, row := range rows {
		one, err := revisionOf(row)
		if err != nil {
			return nil, err
		}
		for _, f := range one.Files {
			f.Text = ""
		}
		all = append(all, one)
	}
	return all, nil
}

// PreviewKnowledge says what is wrong with a change, or else on which machines its
// faults would have fired. It changes nothing.
func (d *Desk) PreviewKnowledge(ctx context.Context, a Actor, c *deskv1.KnowledgeChange) (*deskv1.PreviewKnowledgeResponse, error) {
	if err := a.require("preview knowledge", staff...); err != nil {
		return nil, err
	}
	before, err := d.revision(ctx, 0)
	if err != nil {
		return nil, err
	}
	files := changed(before.GetFiles(), c)
	after, err := d.compileKnowledge(files)
	if err != nil {
		return &deskv1.PreviewKnowledgeResponse{Problems: strings.Split(err.Error(), "\n")}, nil
	}
	answer := &deskv1.PreviewKnowledgeResponse{Diff: differ(before.GetFiles(), files)}
	former, err := d.compileKnowledge(before.GetFiles())
	if err != nil { // it was checked when it was put, by an older program
		former = &edition{knowledge: &constatv1.Knowledge{}, catalog: d.catalog}
	}
	wanted := slices.DeleteFunc(after.own, func(id string) bool {
		same := func(c *constatv1.Catalog) *constatv1.Catalog_Fault {
			for _, f := range c.GetFaults() {
				if f.GetId() == id {
					return f
				}
			}
			return nil
		}
		return proto.Equal(same(former.knowledge.GetCatalog()), same(after.knowledge.GetCatalog()))
	})
	if len(wanted) == 0 {
		return answer, nil
	}
	return answer, d.tryFaults(ctx, wanted, former.catalog, after.catalog, answer)
}

// tryFaults judges the latest facts of every machine by faults that are not in
// force.
func (d *Desk) tryFaults(ctx context.Context, wanted []string, former, after *fault.Catalog, answer *deskv1.PreviewKnowledgeResponse) error {
	full, _ := diagnosis.Lookup("full")
	fired := map[string][2][]string{} // healthy machines, others
	unknown := map[string]int32{}
	page := store.EndpointFilter{Sites: reader(ctx).Sites, Limit: 200}
	for answer.Machines < maxPreviewed {
		endpoints, err := d.store.Endpoints(ctx, page)
		if err != nil {
			return err
		}
		for _, endpoint := range endpoints {
			page.AfterKey, page.AfterID = endpoint.OrderKey, endpoint.ID
			s, err := latestSnapshot(ctx, d.store.Read(), endpoint)
			if err != nil {
				return err
			}
			if s == nil || endpoint.RevokedAt != 0 {
				continue
			}
			answer.Machines++
			at := s.GetManifest().GetTakenAt().AsTime()
			facts, judged, healthy := after.Facts(s, at), false, 0
			for _, id := range wanted {
				switch after.Lookup(id).Judge(facts).Truth {
				case fault.Unknown:
					unknown[id]++
				case fault.True:
					if !judged {
						judged = true
						if len(diagnosis.Judge(former, full, s, at, "en").GetRootCauses()) > 0 {
							healthy = 1
						}
					}
					names := fired[id]
					names[healthy] = append(names[healthy], endpoint.Hostname)
					fired[id] = names
				}
			}
		}
		if len(endpoints) < int(page.Limit) {
			break
		}
	}
	for _, id := range wanted {
		names := slices.Concat(fired[id][0], fired[id][1])
		answer.Faults = append(answer.Faults, &deskv1.PreviewKnowledgeResponse_FaultPreview{
			Fault: id, Fired: int32(len(names)), Healthy: int32(len(fired[id][0])), Unknown: unknown[id], Machines: names[:min(len(names), shownFired)],
		})
	}
	return nil
}

// PushKnowledge makes a revision of a change, signs it, and gives it to its ring.
func (d *Desk) PushKnowledge(ctx context.Context, a Actor, r *deskv1.PushKnowledgeRequest) (*deskv1.KnowledgeRevision, error) {
	return d.putKnowledge(ctx, a, func(newest *deskv1.KnowledgeRevision) (*deskv1.KnowledgeRevision, error) {
		if newest.GetRevision() != r.GetRevision() {
			return nil, problem(ErrConflict, "revision %d was pushed since you looked, and you saw %d: look at what changed, and push again", newest.GetRevision(), r.GetRevision())
		}
		return &deskv1.KnowledgeRevision{Note: r.GetNote(), Files: changed(newest.GetFiles(), r.GetChange()), Percent: r.GetPercent(), Hosts: r.GetHosts()}, nil
	})
}

// RollBackKnowledge makes a new revision with what stood in an old one.
func (d *Desk) RollBackKnowledge(ctx context.Context, a Actor, to int64, note string) (*deskv1.KnowledgeRevision, error) {
	old := &deskv1.KnowledgeRevision{}
	if to > 0 {
		var err error
		if old, err = d.revision(ctx, to); err != nil {
			return nil, err
		}
	}
	return d.putKnowledge(ctx, a, func(newest *deskv1.KnowledgeRevision) (*deskv1.KnowledgeRevision, error) {
		if note == "" {
			note = fmt.Sprintf("back to revision %d", to)
		}
		return &deskv1.KnowledgeRevision{Note: note, Files: old.GetFiles(), Percent: newest.GetPercent(), Hosts: newest.GetHosts()}, nil
	})
}

func (d *Desk) putKnowledge(ctx context.Context, a Actor, next func(*deskv1.KnowledgeRevision) (*deskv1.KnowledgeRevision, error)) (*deskv1.KnowledgeRevision, error) {
	if err := a.require("push knowledge", "lead", "administrator"); err != nil {
		return nil, err
	}
	if err := a.requireEverywhere("the team’s knowledge"); err != nil {
		return nil, err
	}
	if d.sign == nil {
		return nil, problem(ErrInvalid, "this collector has no key to sign knowledge with")
	}
	var made *deskv1.KnowledgeRevision
	err := d.store.Write(ctx, func(ctx context.Context, q *query.Queries) error {
		newest, err := newestKnowledge(ctx, q)
		if err != nil {
			return err
		}
		if made, err = next(newest); err != nil {
			return err
		}
		e, err := d.compileKnowledge(made.GetFiles())
		if err != nil {
			return problem(ErrInvalid, "%v", err)
		}
		if made.Hosts, err = ring(made.GetPercent(), made.GetHosts()); err != nil {
			return err
		}
		if err := d.grown(newest.GetFiles(), made.GetFiles(), e); err != nil {
			return err
		}
		now := d.now()
		made.Revision, made.At, made.Author, made.Note = newest.GetRevision()+1, timestamppb.New(now), a.Name, line(made.GetNote(), 500)
		e.knowledge.Revision, e.knowledge.At = made.Revision, made.At
		content, err := proto.MarshalOptions{Deterministic: true}.Marshal(e.knowledge)
		if err != nil {
			return err
		}
		signature, err := d.sign(content)
		if err != nil {
			return err
		}
		signed, err := store.PackMessage(&constatv1.SignedKnowledge{Content: content, Signature: signature})
		if err != nil {
			return err
		}
		kept := proto.CloneOf(made)
		kept.Percent, kept.Hosts = 0, nil
		packed, err := store.PackMessage(kept)
		if err != nil {
			return err
		}
		return q.AddKnowledge(ctx, query.AddKnowledgeParams{Revision: made.Revision, Content: packed, Signed: signed, Percent: made.Percent, Hosts: strings.Join(made.Hosts, "\n")})
	})
	if err != nil {
		return nil, err
	}
	d.ringsChanged()
	return made, nil
}

// ring checks a ring, and gives its names as they are compared.
func ring(percent int32, hosts []string) ([]string, error) {
	if percent < 0 || percent > 100 || len(hosts) > maxRingHosts {
		return nil, problem(ErrInvalid, "a ring is 0 to 100 percent of the machines, and up to %d by name", maxRingHosts)
	}
	var names []string
	for _, h := range hosts {
		if h = strings.ToLower(line(h, maxName)); h != "" && !slices.Contains(names, h) {
			names = append(names, h)
		}
	}
	slices.Sort(names)
	return names, nil
}

// ReleaseKnowledge widens the ring of a revision.
func (d *Desk) ReleaseKnowledge(ctx context.Context, a Actor, r *deskv1.ReleaseKnowledgeRequest) (*deskv1.KnowledgeRevision, error) {
	if err := a.require("release knowledge", "lead", "administrator"); err != nil {
		return nil, err
	}
	if err := a.requireEverywhere("the team’s knowledge"); err != nil {
		return nil, err
	}
	var made *deskv1.KnowledgeRevision
	err := d.store.Write(ctx, func(ctx context.Context, q *query.Queries) error {
		row, err := q.KnowledgeOf(ctx, r.GetRevision())
		if errors.Is(err, sql.ErrNoRows) {
			return problem(ErrNotFound, "there is no revision %d of the team’s knowledge", r.GetRevision())
		}
		if err != nil {
			return err
		}
		if made, err = revisionOf(row); err != nil {
			return err
		}
		if r.GetPercent() != 0 && r.GetPercent() < made.GetPercent() {
			return problem(ErrInvalid, "revision %d has %d percent of the machines, and a ring never narrows: push a newer one, or roll back", made.GetRevision(), made.GetPercent())
		}
		made.Percent = max(made.Percent, r.GetPercent())
		if made.Hosts, err = ring(made.Percent, append(made.Hosts, r.GetHosts()...)); err != nil {
			return err
		}
		_, err = q.SetKnowledgeRing(ctx, made.Revision, made.Percent, strings.Join(made.Hosts, "\n"))
		return err
	})
	if err != nil {
		return nil, err
	}
	d.ringsChanged()
	return made, nil
}

// rings are which revision is for whom, newest first.
type rings struct {
	read time.Time
	list []query.KnowledgeRingsRow
}

// ringsChanged has the streams of all collectors look again.
func (d *Desk) ringsChanged() {
	d.mu.Lock()
	d.rings.read = time.Time{}
	d.mu.Unlock()
	d.hint(knowledgeSubject)
}

// knowledgeSubject is where a push is told.
const knowledgeSubject = "knowledge"

// ringsNow reads the rings, at most every few seconds, and takes up what was
// released to all.
func (d *Desk) ringsNow(ctx context.Context) ([]query.KnowledgeRingsRow, error) {
	d.mu.Lock()
	known := d.rings
	d.mu.Unlock()
	if now := d.now(); known.read.IsZero() || now.Sub(known.read) > ringsHold || now.Before(known.read) {
		list, err := d.store.Read().KnowledgeRings(ctx)
		if err != nil {
			return nil, err
		}
		known = rings{read: now, list: list}
		if err := d.takeUp(ctx, list); err != nil {
			return nil, err
		}
		d.mu.Lock()
		d.rings = known
		d.mu.Unlock()
	}
	return known.list, nil
}

// takeUp has this collector judge by the newest revision that is for all.
func (d *Desk) takeUp(ctx context.Context, list []query.KnowledgeRingsRow) error {
	i := slices.IndexFunc(list, func(r query.KnowledgeRingsRow) bool { return r.Percent == 100 })
	revision := int64(0)
	if i >= 0 {
		revision = list[i].Revision
	}
	d.mu.Lock()
	same := d.judgesBy == revision
	d.mu.Unlock()
	if same {
		return nil
	}
	k := &constatv1.Knowledge{}
	if revision > 0 {
		signed, err := d.signedKnowledge(ctx, revision)
		if err != nil {
			return err
		}
		if err := proto.Unmarshal(signed.GetContent(), k); err != nil {
			return fmt.Errorf("revision %d of the knowledge: %w", revision, err)
		}
	}
	base, err := fault.Compiled()
	if err != nil {
		return err
	}
	catalog, err := fault.Open(fault.Merge(base, k.GetCatalog(), revision))
	if err != nil {
		return fmt.Errorf("revision %d of the knowledge: %w", revision, err)
	}
	d.mu.Lock()
	d.judgesBy, d.extended = revision, catalog
	d.mu.Unlock()
	return nil
}

func (d *Desk) signedKnowledge(ctx context.Context, revision int64) (*constatv1.SignedKnowledge, error) {
	row, err := d.store.Read().KnowledgeOf(ctx, revision)
	if err != nil {
		return nil, err
	}
	signed := &constatv1.SignedKnowledge{}
	if err := store.UnpackMessage(row.Signed, signed); err != nil {
		return nil, fmt.Errorf("revision %d of the knowledge: %w", revision, err)
	}
	return signed, nil
}

// Knowledge gives an endpoint what the team wrote, now where it has something
// older, and again with every push that is for it, until ctx ends.
func (d *Desk) Knowledge(ctx context.Context, endpointID string, has int64, deliver func(*constatv1.SignedKnowledge) error) error {
	return d.await(ctx, knowledgeSubject, endpointLookAgain, func() (bool, error) {
		signed, revision, err := d.knowledgeFor(ctx, endpointID, has)
		if err != nil || signed == nil {
			return false, err
		}
		has = revision
		return false, deliver(signed)
	})
}

// knowledgeFor is the newest revision that is for an endpoint; nil where it has
// that.
func (d *Desk) knowledgeFor(ctx context.Context, endpointID string, has int64) (*constatv1.SignedKnowledge, int64, error) {
	list, err := d.ringsNow(ctx)
	if err != nil || len(list) == 0 || list[0].Revision <= has {
		return nil, 0, err
	}
	endpoint, err := d.store.Read().EndpointByID(ctx, endpointID)
	if err != nil {
		return nil, 0, err
	}
	i := slices.IndexFunc(list, func(r query.KnowledgeRingsRow) bool { return within(r, endpoint) })
	if i < 0 || list[i].Revision <= has {
		return nil, 0, nil
	}
	signed, err := d.signedKnowledge(ctx, list[i].Revision)
	return signed, list[i].Revision, err
}

// within tells whether an endpoint is in a ring. The same machines come first each
// time, so that few meet what is new, and they know it.
func within(r query.KnowledgeRingsRow, e query.Endpoint) bool {
	h := fnv.New32a()
	h.Write([]byte(e.ID))
	return int32(h.Sum32()%100) < r.Percent || slices.Contains(lines(r.Hosts), e.NameKey)
}

// Procedures are those that ship and the team's own, with how they went.
func (d *Desk) Procedures(ctx context.Context, a Actor) ([]*deskv1.ProcedureUse, error) {
	if err := a.require("see procedures", staff...); err != nil {
		return nil, err
	}
	builtin, err := procedure.Builtin()
	if err != nil {
		return nil, err
	}
	newest, err := d.revision(ctx, 0)
	if err != nil {
		return nil, err
	}
	e, err := d.compileKnowledge(newest.GetFiles())
	if err != nil {
		return nil, err
	}
	by := map[string]*deskv1.ProcedureUse{}
	for _, p := range builtin.GetProcedures() {
		by[p.GetId()] = &deskv1.ProcedureUse{Procedure: p}
	}
	for _, p := range e.knowledge.GetProcedures().GetProcedures() {
		by[p.GetId()] = &deskv1.ProcedureUse{Procedure: p, Own: true}
	}
	rates, err := d.store.Read().RunRates(ctx)
	if err != nil {
		return nil, err
	}
	for _, r := range rates {
		if by[r.Procedure] == nil { // of a machine that has what was rolled back here
			by[r.Procedure] = &deskv1.ProcedureUse{Procedure: &constatv1.Procedure{Id: r.Procedure}, Own: true}
		}
		by[r.Procedure].Rates = append(by[r.Procedure].Rates, &deskv1.ProcedureRate{
			Version: r.Version, Runs: r.Runs, Solved: r.Solved, Left: r.GivenUp, Helped: r.Helped, NotHelped: r.NotHelped, ElapsedMs: r.ElapsedMs,
			Steps: r.Steps, Asked: r.Asked, Tickets: r.Tickets, Closed: r.Closed, Reopened: r.Reopened,
		})
	}
	var all []*deskv1.ProcedureUse
	for _, id := range slices.Sorted(maps.Keys(by)) {
		by[id].Procedure.Steps = nil
		all = append(all, by[id])
	}
	return all, nil
}

// maxUnclear is how much a procedure tells of what was unclear in one version.
const maxUnclear = 20

// drawingsOf are what the steps of a procedure show, as they are drawn now, in the
// order in which they are named.
func (d *Desk) drawingsOf(id string, files []*deskv1.KnowledgeFile) ([]*constatv1.Drawing, error) {
	all, err := procedure.Builtin()
	if err != nil {
		return nil, err
	}
	if len(files) > 0 {
		e, err := d.compileKnowledge(files)
		if err != nil {
			return nil, err
		}
		all = procedure.Merge(all, e.knowledge.GetProcedures())
	}
	var shown []*constatv1.Drawing
	for _, p := range all.GetProcedures() {
		for _, s := range p.GetSteps() {
			named := func(d *constatv1.Drawing) bool { return d.GetName() == s.GetDrawing() }
			if p.GetId() != id || s.GetDrawing() == "" || slices.ContainsFunc(shown, named) {
				continue
			}
			if i := slices.IndexFunc(all.GetDrawings(), named); i >= 0 { // a team's own come first
				shown = append(shown, all.GetDrawings()[i])
			}
		}
	}
	return shown, nil
}

// Procedure is one as it was written, and how it went.
func (d *Desk) Procedure(ctx context.Context, a Actor, id string) (*deskv1.GetProcedureResponse, error) {
	all, err := d.Procedures(ctx, a)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(all, func(u *deskv1.ProcedureUse) bool { return u.GetProcedure().GetId() == id })
	if i < 0 {
		return nil, problem(ErrNotFound, "there is no procedure %q", line(id, 64))
	}
	answer := &deskv1.GetProcedureResponse{Use: all[i]}
	voices, err := d.store.Read().ListProcedureVoices(ctx, id)
	if err != nil {
		return nil, err
	}
	for _, one := range voices {
		answer.Voices = append(answer.Voices, &deskv1.ArticleRating{
			Version: one.Version, Reader: one.Reader, At: timestamp(one.At), Helped: one.Helped != 0, Unclear: one.Unclear,
		})
	}
	unclear, err := d.store.Read().RunsUnclear(ctx, id)
	if err != nil {
		return nil, err
	}
	for _, r := range answer.GetUse().GetRates() {
		for _, u := range unclear {
			if u.Version == r.GetVersion() && len(r.Unclear) < maxUnclear {
				r.Unclear = append(r.Unclear, u.Unclear)
			}
		}
	}
	newest, err := d.revision(ctx, 0)
	if err != nil {
		return nil, err
	}
	if answer.Drawings, err = d.drawingsOf(id, newest.GetFiles()); err != nil {
		return nil, err
	}
	for _, f := range newest.GetFiles() {
		if f.GetPath() == proceduresDir+id+".md" {
			answer.Text = f.GetText()
			return answer, nil
		}
	}
	if text, err := fs.ReadFile(shipped.Files, id+".md"); err == nil {
		answer.Text = string(text)
	}
	return answer, nil
}

// RateProcedure keeps what a technician says of a version that is or was in force.
func (d *Desk) RateProcedure(ctx context.Context, a Actor, r *deskv1.RateProcedureRequest) error {
	found, err := d.Procedure(ctx, a, r.GetId())
	if err != nil {
		return err
	}
	use := found.GetUse()
	known := slices.ContainsFunc(use.GetRates(), func(rate *deskv1.ProcedureRate) bool { return rate.GetVersion() == r.GetVersion() })
	if r.GetVersion() != use.GetProcedure().GetVersion() && !known {
		return problem(ErrInvalid, "nobody has version %d of the procedure: its newest is %d", r.GetVersion(), use.GetProcedure().GetVersion())
	}
	return d.store.Write(ctx, func(ctx context.Context, q *query.Queries) error {
		err := q.PutProcedureVoice(ctx, query.PutProcedureVoiceParams{
			Procedure: use.GetProcedure().GetId(), Version: r.GetVersion(), Reader: line(a.Name, maxName), At: store.Millis(d.now()),
			Helped: flag(r.GetHelped()), Unclear: clean(strings.TrimSpace(r.GetUnclear()), maxResolution),
		})
		if err != nil {
			return err
		}
		return d.tellUnclear(ctx, q, a, unclearIn(use.GetProcedure(), r.GetVersion(), r.GetUnclear()))
	})
}

// unclearIn is what was unclear in a procedure.
func unclearIn(p *constatv1.Procedure, version int32, said string) unclear {
	title := cmp.Or(p.GetTitle().GetEn(), p.GetTitle().GetFr(), p.GetId())
	return unclear{"/procedures/" + p.GetId(), title, p.GetOwner(), version, said}
}
