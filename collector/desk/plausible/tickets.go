package plausible

import (
	"cmp"
	"container/heap"
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"constat/collector/desk"
	"constat/collector/desk/assignment"
	"constat/collector/store"
	"constat/collector/store/query"
	"constat/internal/fault"
	constatv1 "constat/proto/constat/v1"
)

// subject is what a root cause is about, and the facts that speak for it.
type subject struct {
	name, brand string
	evidence    []*constatv1.Evidence
}

// afflict chooses what a machine will come with again and again.
func (m *maker) afflict(x *machine) affliction {
	a := affliction{machine: x, matter: &matters[m.IntN(len(matters))], every: time.Duration(20+m.IntN(60)) * 24 * time.Hour}
	for a.matter.fault == "" {
		a.matter = &matters[m.IntN(len(matters))]
	}
	a.about = m.about(a.machine, a.matter)
	return a
}

// about gives what a matter of a machine is about.
func (m *maker) about(x *machine, about *matter) subject {
	fact := func(path, value, source string) []*constatv1.Evidence {
		return []*constatv1.Evidence{{Fact: path, Value: value, Source: source}}
	}
	switch about.of {
	case ofQueue:
		if len(x.queues) > 0 {
			p := one(m, x.queues)
			return subject{p.name, p.brand, append(fact("printing.queues["+p.name+"].state", "stopped", "ipp"), fact("printing.printers["+p.serial+"].state", "stopped", "snmp")...)}
		}
	case ofDevice:
		if len(x.devices) > 0 {
			d := one(m, x.devices)
			return subject{d.GetProduct(), d.GetBrand(), fact("usb.devices["+d.GetPath()+"].configured", "false", "sysfs")}
		}
	case ofLink:
		return subject{"eth0", "", fact("network.links[eth0].oper_status", "down", "rtnetlink")}
	case ofDisk:
		return subject{"/", "", fact("space.filesystems[/].used_percent", fmt.Sprint(95+m.IntN(5)), "statvfs")}
	case ofPort:
		return subject{x.at.Name + " " + x.port, "Cisco", fact("attachment.port.err_disable_cause", "bpduGuard", "snmp")}
	case ofProgram:
		p := one(m, programs)
		return subject{p, "", fact("software.crashes["+p+"].count", fmt.Sprint(1+m.IntN(9)), "journal")}
	}
	return subject{evidence: fact("host.os_name", x.row.OsName, "os-release")}
}

// workload is how many tickets come in each hour of the week, by day and hour.
func workload(at time.Time) float64 {
	day := map[time.Weekday]float64{time.Monday: 1.5, time.Tuesday: 1.15, time.Wednesday: 1, time.Thursday: 1, time.Friday: .85, time.Saturday: .06, time.Sunday: .03}[at.Weekday()]
	hour := []float64{.02, .01, .01, .01, .02, .05, .2, .7, 1.6, 2, 1.8, 1.5, .8, 1.2, 1.7, 1.5, 1.2, .8, .3, .15, .1, .08, .05, .03}[at.Hour()]
	month := []float64{1.2, 1, 1, .95, .85, 1, .8, .55, 1.3, 1.1, 1.05, .85}[at.Month()-1]
	return day * hour * month
}

// arrivals are the times at which tickets came, in order.
func (m *maker) arrivals() []time.Time {
	hours := int(history / time.Hour)
	load := make([]float64, hours)
	var sum float64
	for i := range load {
		at := m.begin().Add(time.Duration(i) * time.Hour)
		grown := .7 + .6*float64(i)/float64(hours) // machines were enrolled by and by
		load[i] = workload(at.UTC()) * grown
		sum += load[i]
	}
	all := make([]time.Time, 0, m.size.Tickets)
	var owed float64
	for i, w := range load {
		for owed += w / sum * float64(m.size.Tickets); owed >= 1 && len(all) < m.size.Tickets; owed-- {
			all = append(all, m.begin().Add(time.Duration(i)*time.Hour+time.Duration(m.IntN(3600_000))*time.Millisecond))
		}
	}
	for len(all) < m.size.Tickets { // what rounding left
		all = append(all, m.now)
	}
	slices.SortFunc(all, time.Time.Compare)
	return all
}

// team is who works, and who is done with what when.
type team struct {
	technicians []technician
	busy        ending
}

// ending are the open tickets by when they end.
type ending []struct {
	at  time.Time
	who int
}

func (e ending) Len() int           { return len(e) }
func (e ending) Less(i, j int) bool { return e[i].at.Before(e[j].at) }
func (e ending) Swap(i, j int)      { e[i], e[j] = e[j], e[i] }
func (e *ending) Push(x any) {
	*e = append(*e, x.(struct {
		at  time.Time
		who int
	}))
}
func (e *ending) Pop() any {
	last := (*e)[len(*e)-1]
	*e = (*e)[:len(*e)-1]
	return last
}

// choose gives a matter to one of the team, who has it until then.
func (t *team) choose(about assignment.Matter, at, until time.Time) assignment.Decision {
	for len(t.busy) > 0 && t.busy[0].at.Before(at) {
		t.technicians[t.busy[0].who].Open--
		heap.Pop(&t.busy)
	}
	people := make([]assignment.Technician, len(t.technicians))
	for i := range people {
		people[i] = t.technicians[i].Technician
	}
	d := assignment.Choose(people, about, at)
	for i := range t.technicians {
		if t.technicians[i].Name == d.Assignee {
			t.technicians[i].Open++
			t.technicians[i].Last = at
			heap.Push(&t.busy, struct {
				at  time.Time
				who int
			}{until, i})
		}
	}
	return d
}

// tickets makes and writes all tickets.
func (m *maker) tickets(ctx context.Context, s *store.Store) error {
	var p pages
	all := m.arrivals()
	for i, at := range all {
		m.ticket(&p, int32(i+1), at)
		if len(p.tickets) == batch {
			if err := p.write(ctx, s); err != nil {
				return err
			}
		}
	}
	if err := p.write(ctx, s); err != nil {
		return err
	}
	err := s.Write(ctx, func(ctx context.Context, q *query.Queries) error {
		return q.RaiseNumber(ctx, int32(len(all)), "ticket")
	})
	if err != nil {
		return err
	}
	return s.Tidy(ctx)
}

// draft is one ticket while it is made.
type draft struct {
	query.Ticket
	*machine
	maker  *maker
	matter *matter
	about  subject
	at     time.Time
	solved time.Time // when it will be, after now perhaps
	// fr is 1 for French.
	fr      int
	entries []query.TicketEntry
	texts   []string
}

// pick chooses whose ticket it is, and what about.
func (m *maker) pick(at time.Time) (x *machine, what *matter, about subject) {
	if len(m.prone) > 0 && m.chance(6) {
		a := one(m, m.prone)
		return a.machine, a.matter, a.about
	}
	x = one(m, m.machines)
	from := matters
	if m.chance(12) {
		from = requests
	}
	ago := m.now.Sub(at)
	chosen := weighted(m, from, func(w matter) float64 {
		weight := w.weight
		if w.season != nil {
			weight *= w.season(at, ago)
		}
		if w.fault == "printer-service-needed" && ago < failingFor && slices.ContainsFunc(x.queues, func(p *printer) bool { return p.model == failing }) {
			weight *= failingTimes
		}
		if w.of == ofQueue && len(x.queues) == 0 || w.of == ofDevice && len(x.devices) == 0 || w.fault == "hw-battery-worn" && !x.laptop {
			weight = 0
		}
		return weight
	})
	what = &chosen
	return x, what, m.about(x, what)
}

// ticket makes one ticket with all that belongs to it.
func (m *maker) ticket(p *pages, number int32, at time.Time) {
	d := &draft{maker: m, at: at}
	d.machine, d.matter, d.about = m.pick(at)
	if d.lang == "fr" {
		d.fr = 1
	}
	d.Ticket = query.Ticket{
		Number: number, ID: m.id(at), Status: "new", RequesterID: d.person.ID, Queue: "", Category: d.matter.category, Channel: m.channel(d.matter),
		EndpointID: d.row.ID, Language: d.lang, OccurredAt: store.Millis(at.Add(-time.Duration(m.IntN(3600)) * time.Second)), CreatedAt: store.Millis(at), UpdatedAt: store.Millis(at),
		Version: 1, Type: "incident", Site: d.site.name, Impact: "low", Urgency: "normal", Priority: "low", TitleDerived: 1, Tags: m.tags(),
	}
	if slices.ContainsFunc(requests, func(r matter) bool {
		return r.weight == d.matter.weight && r.hours == d.matter.hours && d.matter.fault == ""
	}) {
		d.Type = "request"
	}
	if d.Channel == "mail" || d.Channel == "phone" {
		if m.chance(50) {
			d.EndpointID = "" // nobody said which machine
		}
	}
	text := d.firstWords()
	d.Title = strings.SplitN(text, "\n", 2)[0]
	d.solved = at.Add(time.Duration(d.matter.hours * float64(time.Hour) * math.Exp(m.NormFloat64()*1.1+.4)))
	if m.chance(15) { // it waits for a part, a holiday or a maker
		d.solved = d.solved.Add(d.solved.Sub(at) * 40)
	}
	d.add(at, "message", d.person.Name, "requester", text, d.ID, &constatv1.TicketEntry{})
	d.diagnose(p)
	d.name(p)
	d.assign()
	d.work(p)
	d.Entries = int32(len(d.entries))
	words := append([]string{d.Title, d.RootCause, d.Category, d.Tags, d.row.Hostname, d.row.Serial, d.person.Name}, d.texts...)
	p.tickets = append(p.tickets, d.Ticket)
	p.entries = append(p.entries, d.entries...)
	p.words = append(p.words, query.TicketWord{Number: number, Words: store.Words(store.MaxWords, words...)})
	if d.Status == "new" || d.Status == "open" {
		settled := int32(0)
		if d.Status == "open" {
			settled = 1
		}
		p.turns = append(p.turns, query.TicketTurn{Number: number, Assignee: d.Assignee, Since: d.CreatedAt, Settled: settled})
	}
	m.tell(p, d)
}

// tell puts what came last into the list of its assignee's news.
func (m *maker) tell(p *pages, d *draft) {
	if d.Assignee == "" || m.now.Sub(d.at) > 30*24*time.Hour {
		return
	}
	for _, t := range m.team.technicians {
		if t.Name == d.Assignee {
			n := query.Notice{UserID: t.id, EventID: m.id(d.at), Kind: "assigned", Number: d.Number, Title: d.Title, Actor: desk.System.Name, At: d.CreatedAt}
			if m.now.Sub(d.at) > 2*24*time.Hour {
				n.ReadAt = d.CreatedAt + int64(m.IntN(36_000_000))
			}
			p.notices = append(p.notices, n)
		}
	}
}

func (m *maker) channel(what *matter) string {
	if what.fault != "" {
		return weighted(m, []string{"tray", "agent", "console", "phone"}, func(c string) float64 {
			return map[string]float64{"tray": 70, "agent": 5, "console": 15, "phone": 10}[c]
		})
	}
	return weighted(m, []string{"tray", "mail", "console", "phone", "api"}, func(c string) float64 {
		return map[string]float64{"tray": 25, "mail": 40, "console": 15, "phone": 17, "api": 3}[c]
	})
}

func (m *maker) tags() string {
	if !m.chance(14) {
		return ""
	}
	some := []string{one(m, tags)}
	if other := one(m, tags); m.chance(20) && other != some[0] {
		some = append(some, other)
	}
	slices.Sort(some)
	return strings.Join(some, "\n")
}

// firstWords are what the requester writes.
func (d *draft) firstWords() string {
	m, from := d.maker, said
	if d.Type == "request" {
		from = wanted
	}
	text := one(m, from[d.matter.category][d.fr])
	var more []string
	for range m.IntN(4) {
		detail := one(m, details[d.fr])
		if strings.Contains(detail, "%d") {
			detail = fmt.Sprintf(detail, 100+m.IntN(900))
		}
		if !slices.Contains(more, detail) {
			more = append(more, detail)
		}
	}
	if len(more) == 0 {
		return text
	}
	return text + "\n\n" + strings.Join(more, " ")
}

// add adds a line to the timeline.
func (d *draft) add(at time.Time, kind, actor, role, text, id string, content *constatv1.TicketEntry) {
	d.entries = append(d.entries, query.TicketEntry{
		Number: d.Number, ID: cmp.Or(id, d.maker.id(at)), Position: int32(len(d.entries) + 1), At: store.Millis(at), Kind: kind, Actor: actor, ActorRole: role, Text: text, Content: packed(content),
	})
	d.UpdatedAt = max(d.UpdatedAt, store.Millis(at))
	if text != "" {
		d.texts = append(d.texts, text)
	}
}

// say is a text of a list in the requester's language.
func (d *draft) say(of [2][]string) string {
	text := one(d.maker, of[d.fr])
	if strings.Contains(text, "%08X") {
		text = fmt.Sprintf(text, d.maker.Uint32())
	}
	return text
}

// diagnose adds what the machine found.
func (d *draft) diagnose(p *pages) {
	m := d.maker
	found := m.catalog.Lookup(d.matter.fault)
	if d.EndpointID == "" || d.Type == "request" || found == nil && !m.chance(40) {
		return
	}
	at := d.at.Add(-time.Duration(m.IntN(20)) * time.Second)
	told := &constatv1.Diagnosis{
		Id: m.id(at), EndpointId: d.EndpointID, SnapshotId: m.id(at), Procedure: procedureOf(d.matter.category), StartedAt: timestamppb.New(at), ElapsedMs: int32(200 + m.IntN(1500)),
		Verdict: "undetermined", Trigger: "user", Language: d.lang, CatalogVersion: m.catalog.Version(),
	}
	if found != nil {
		told.Verdict, told.RootCauses = "fault", []*constatv1.RootCause{m.cause(found, d.about, d.lang, at)}
		cause := told.GetRootCauses()[0]
		d.RootCause, d.Certainty, d.Component, d.Brand, d.Sharing = cause.GetFault(), cause.GetCertainty(), cause.GetComponent(), cause.GetBrand(), 1
		d.Title, d.Urgency = cause.GetTitle(), cause.GetUrgency()
		if d.matter.of == ofPort && m.chance(40) {
			d.Sharing, d.Impact = int32(3+m.IntN(6)), "normal"
		}
	}
	d.note(p, told)
	d.Priority = map[string]map[string]string{
		"low": {"low": "low", "normal": "normal", "high": "normal", "critical": "high"}, "normal": {"low": "low", "normal": "normal", "high": "high", "critical": "urgent"},
	}[d.Impact][d.Urgency]
	d.PriorityReason = fmt.Sprintf("impact %s, urgency %s", d.Impact, d.Urgency)
	d.DiagnosisID, d.DiagnosedAt = told.GetId(), d.CreatedAt
	d.add(d.at, "diagnosis", desk.System.Name, "agent", "", told.GetId(), &constatv1.TicketEntry{Diagnosis: told})
	p.diagnoses = append(p.diagnoses, query.Diagnosis{
		EndpointID: d.EndpointID, ID: told.GetId(), SnapshotID: told.GetSnapshotId(), Procedure: told.GetProcedure(), Verdict: told.GetVerdict(),
		RootCause: d.RootCause, Certainty: d.Certainty, StartedAt: store.Millis(at), ReceivedAt: d.CreatedAt, Content: packed(told),
	})
	d.walks(p, told)
}

// note keeps what it is about beside its machine.
func (d *draft) note(p *pages, told *constatv1.Diagnosis) {
	for _, cause := range told.GetRootCauses() {
		for _, own := range d.known {
			if slices.ContainsFunc(cause.GetEvidence(), func(e *constatv1.Evidence) bool { return own.About(e.GetFact()) }) {
				p.subjects = append(p.subjects, query.TicketSubject{Kind: "peripheral", Subject: own.ID, Number: d.Number})
			}
		}
		if d.matter.of == ofPort {
			p.subjects = append(p.subjects, query.TicketSubject{Kind: "gear", Subject: d.machine.at.ID, Number: d.Number})
		}
	}
}

// name has some of the tickets name machines beside it, and their switch.
func (d *draft) name(p *pages) {
	if d.EndpointID == "" || d.Type == "request" || d.Number%40 != 7 {
		return
	}
	var named []string
	for i := range d.maker.machines {
		other := d.maker.machines[(int(d.Number)+i)%len(d.maker.machines)]
		if other.at == d.machine.at && other.row.ID != d.EndpointID && len(named) < 1+int(d.Number/40)%3 {
			named = append(named, "endpoint "+other.row.ID)
			d.texts = append(d.texts, other.row.Hostname)
		}
	}
	d.Sharing = max(d.Sharing, int32(len(named)+1))
	if !slices.Contains(p.subjects, query.TicketSubject{Kind: "gear", Subject: d.machine.at.ID, Number: d.Number}) {
		named = append(named, "gear "+d.machine.at.ID)
	}
	slices.Sort(named)
	d.Concerned = strings.Join(named, "\n")
	for _, one := range named {
		kind, id, _ := strings.Cut(one, " ")
		p.subjects = append(p.subjects, query.TicketSubject{Kind: kind, Subject: id, Number: d.Number})
	}
}

// procedureOf is the procedure that fits a complaint.
func procedureOf(category string) string {
	if category == "other" {
		return "full"
	}
	return category
}

// cause is a root cause as an agent tells it.
func (m *maker) cause(found *fault.Fault, about subject, lang string, at time.Time) *constatv1.RootCause {
	c := &constatv1.RootCause{
		Fault: found.ID, Certainty: "confirmed", Score: .9, Title: found.Title.About(lang, about.name), Component: about.name, Brand: about.brand, Domain: found.Domain, Urgency: found.Urgency,
		Remedies: found.Remedies, Advice: &constatv1.Advice{User: found.User.About(lang, about.name), Technician: found.Technician.About(lang, about.name)},
	}
	if m.chance(25) {
		c.Certainty = "probable"
	}
	for _, e := range about.evidence {
		c.Evidence = append(c.Evidence, &constatv1.Evidence{Fact: e.GetFact(), Value: e.GetValue(), Source: e.GetSource(), At: timestamppb.New(at)})
	}
	return c
}

// assign gives it to one of the team, as the desk does.
func (d *draft) assign() {
	m := d.maker
	about := assignment.Matter{Language: d.lang, Site: d.Site, Text: d.Title + " " + d.texts[0], Source: assignment.FromCategory, Brand: d.Brand, Product: d.Component}
	if found := m.catalog.Lookup(d.RootCause); found != nil {
		about.Domains, about.Source = []string{found.Domain}, assignment.FromDiagnosis
	} else {
		about.Domains = map[string][]string{"printing": {"printer"}, "internet": {"network"}, "wifi": {"wifi", "network"}, "peripheral": {"usb"}, "software": {"software"}, "slow": {"os", "hardware"}, "power": {"hardware"}, "sign-in": {"os"}}[d.Category]
	}
	decided := m.team.choose(about, d.at, d.solved)
	d.Assignee, d.AssignmentReason = decided.Assignee, "nobody yet"
	if d.Assignee != "" {
		d.AssignedBy, d.AssignmentReason = "rule", fmt.Sprintf("%d open", decided.Candidates[0].Open)
	}
	d.add(d.at, "assignment", desk.System.Name, "system", "", "", &constatv1.TicketEntry{Assignment: desk.AssignmentMessage(decided, about)})
}

// work lets the team work on it until it is done, or now.
func (d *draft) work(p *pages) {
	m := d.maker
	if d.Assignee == "" {
		if d.solved.Before(m.now) {
			d.Assignee, d.AssignedBy = m.team.technicians[m.IntN(len(m.team.technicians))].Name, "hand"
		} else {
			return
		}
	}
	took := d.solved.Sub(d.at)
	first := d.at.Add(min(time.Duration(float64(took)*(.05+.3*m.Float64())), 20*time.Hour))
	if first.After(m.now) {
		return // nobody looked yet
	}
	d.Status, d.FirstResponseAt, d.Version = "open", store.Millis(first), 2
	d.add(first, "message", d.Assignee, "technician", d.say(answers), "", &constatv1.TicketEntry{})
	d.add(first, "change", d.Assignee, "technician", "", "", &constatv1.TicketEntry{Changes: []*constatv1.FieldChange{{Field: "status", Before: "new", After: "open"}}})
	for at := first; m.chance(45); {
		at = at.Add(time.Duration(float64(took) * .3 * m.Float64()))
		if at.After(m.now) || at.After(d.solved) {
			break
		}
		if m.chance(30) {
			d.add(at, "note", d.Assignee, "technician", one(m, notes), "", &constatv1.TicketEntry{})
			continue
		}
		d.add(at, "message", d.person.Name, "requester", d.say(asked), "", &constatv1.TicketEntry{})
	}
	if m.chance(9) {
		late := d.at.Add(took * 9 / 10)
		if late.Before(m.now) {
			d.add(late, "sla", desk.System.Name, "system", "", "", &constatv1.TicketEntry{Service: &constatv1.ServiceEvent{Clock: "solution", Stage: one(m, []string{"warned", "missed"}), DueAt: timestamppb.New(d.solved)}})
		}
	}
	if d.solved.After(m.now) {
		if m.chance(25) {
			d.Status, d.FrozenAt = "pending", d.UpdatedAt
		}
		return
	}
	d.solve(p)
}

// solve ends it.
func (d *draft) solve(p *pages) {
	m := d.maker
	d.FirstSolvedAt, d.LastSolvedAt = store.Millis(d.solved), store.Millis(d.solved)
	if m.chance(2.5) && d.Number > 50 {
		// A second one of the same matter went into the first.
		d.Status, d.MergedInto, d.FirstSolvedAt, d.LastSolvedAt = "merged", d.Number-1-int32(m.IntN(40)), 0, 0
		if into := d.MergedInto; len(p.tickets) > 0 && p.tickets[0].Number <= into && p.tickets[into-p.tickets[0].Number].Status != "merged" {
			return
		}
		d.MergedInto, d.FirstSolvedAt, d.LastSolvedAt = 0, store.Millis(d.solved), store.Millis(d.solved)
	}
	before := d.Status
	d.Status = "solved"
	if m.now.Sub(d.solved) > 7*24*time.Hour {
		d.Status = "closed"
	}
	if m.chance(80) {
		d.Resolution = d.matter.helped[d.fr]
		d.texts = append(d.texts, d.Resolution)
	}
	d.Minutes, d.Version = int32(3+m.IntN(25)*(1+m.IntN(3))), 3
	changes := []*constatv1.FieldChange{{Field: "status", Before: before, After: "solved"}}
	if d.Resolution != "" {
		changes = append(changes, &constatv1.FieldChange{Field: "resolution", After: d.Resolution})
	}
	d.add(d.solved, "change", d.Assignee, "technician", "", "", &constatv1.TicketEntry{Changes: changes})
	d.entries[len(d.entries)-1].Minutes = d.Minutes
	if m.chance(2) && d.Number > 50 {
		p.links = append(p.links, query.TicketLink{Number: d.Number, Other: d.Number - 1 - int32(m.IntN(40)), Kind: one(m, []string{"related", "parent"}), At: store.Millis(d.solved), Actor: d.Assignee})
	}
}
