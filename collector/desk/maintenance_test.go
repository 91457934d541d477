package desk_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
	"pgregory.net/rapid"

	"constat/collector/account"
	"constat/collector/desk"
	deskv1 "constat/proto/constat/desk/v1"
)

// work is planned work for some machines.
func planned(from, until time.Time, s *deskv1.MachineSelector) *deskv1.Maintenance {
	return &deskv1.Maintenance{
		Id: newID(), From: timestamppb.New(from), Until: timestamppb.New(until), Zone: "Europe/Paris", Machines: s, Freeze: true,
		Texts:   []*deskv1.AnnouncementText{{Language: "en", Title: "The disks are replaced"}, {Language: "fr", Title: "Remplacement des disques"}},
		Expects: &deskv1.ExpectedFindings{Domains: []string{"os"}, Categories: []string{"printing"}},
	}
}

func (h *house) plan(t *testing.T, m *deskv1.Maintenance) *deskv1.Maintenance {
	t.Helper()
	saved, err := h.SaveMaintenance(t.Context(), chief, m)
	if err != nil {
		t.Fatal(err)
	}
	return saved
}

// asks opens a ticket of a machine that looks like a fault.
func (h *house) troubled(t *testing.T, pc, fault string) int32 {
	t.Helper()
	d := draft("It does nothing")
	if fault == "" {
		return h.ingest(t, pc, ticketReport(d))[0].TicketNumber
	}
	found := diskFull()
	found.RootCauses[0].Fault, d.DiagnosisId = fault, found.Id
	return h.ingest(t, pc, diagnosisReport(found), ticketReport(d))[1].TicketNumber
}

// Tickets of the machines that are met, and that are what was to be expected, are
// grouped; no promise of theirs runs; all are answered at once; and it ends by itself.
func TestMaintenance(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		paris, err := time.LoadLocation("Europe/Paris")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := account.New(h.store).Create(t.Context(), chief.Name, "", "lead", ""); err != nil {
			t.Fatal(err)
		}
		if _, err := account.New(h.store).Create(t.Context(), "Lou", "", "technician", "", "Lyon"); err != nil {
			t.Fatal(err)
		}
		met, other := h.enroll(t, "pc-1"), h.enroll(t, "pc-2")
		now := time.Now().In(paris)
		for now.Weekday() != time.Tuesday { // a working day, whenever this runs
			now = now.AddDate(0, 0, 1)
		}
		now = time.Date(now.Year(), now.Month(), now.Day(), 10, 0, 0, 0, paris)
		h.SetClock(now)
		if _, err := h.SetServiceLevels(t.Context(), desk.System, "zone: Europe/Paris\nhours: |\n  mon-fri 09:00-17:00\nnormal: {firstResponse: 1h, solution: 4h}\nhigh: {firstResponse: 1h, solution: 4h}\nlow: {firstResponse: 1h, solution: 4h}\n"); err != nil {
			t.Fatal(err)
		}
		early := h.troubled(t, met, "os-disk-full") // before it began
		m := h.plan(t, planned(now.Add(30*time.Minute), now.Add(3*time.Hour), &deskv1.MachineSelector{EndpointIds: []string{"pc-1"}}))
		if m.GetState() != "planned" || m.GetMachines().GetEndpointIds()[0] != met || m.GetVersion() != 1 {
			t.Fatalf("planned %v", m)
		}
		// Announced to the team, not to whom it is not for, nor to who planned it.
		users, err := account.New(h.store).Users(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, u := range users {
			list, err := h.Notices(t.Context(), desk.Actor{ID: u.ID, Name: u.Name, Role: u.Role})
			if err != nil {
				t.Fatal(err)
			}
			n := 0
			for _, notice := range list.GetNotices() {
				if notice.GetKind() == desk.ToldAnnounced && notice.GetTitle() == "The disks are replaced" {
					n++
				}
			}
			if want := map[string]int{tech.Name: 1, "Lou": 1}[u.Name]; n != want {
				t.Errorf("%s was told %d times, want %d", u.Name, n, want)
			}
		}

		now = now.Add(time.Hour)
		h.SetClock(now)
		fits, byCategory := h.troubled(t, met, "os-disk-full"), h.troubled(t, met, "")
		for number, want := range map[int32]bool{early: false, fits: true, byCategory: true, h.troubled(t, met, "printer-paper-out"): false, h.troubled(t, other, "os-disk-full"): false} {
			got := h.ticket(t, number)
			if (got.GetMaintenance().GetId() == m.GetId()) != want {
				t.Errorf("ticket %d: %v, want grouped %v", number, got.GetMaintenance(), want)
			}
			if (got.GetTicket().GetSolutionDueAt() == nil) != want {
				t.Errorf("ticket %d is due %v", number, got.GetTicket().GetSolutionDueAt().AsTime().In(paris))
			}
		}
		// What turns out to be something else is taken out, and its promises run.
		another := diskFull()
		another.RootCauses[0].Fault = "printer-paper-out"
		d := draft("Nothing prints")
		d.DiagnosisId = another.Id
		late := h.ingest(t, met, ticketReport(d))[0].TicketNumber
		if h.ticket(t, late).GetMaintenance() == nil {
			t.Error("not grouped by its category")
		}
		h.ingest(t, met, diagnosisReport(another))
		if got := h.ticket(t, late); got.GetMaintenance() != nil || got.GetTicket().GetSolutionDueAt() == nil {
			t.Errorf("still grouped: %v", got)
		}

		// One answer for all, once, however often it is sent.
		answer := &deskv1.AnswerMaintenanceRequest{Id: m.GetId(), EntryId: newID(), Text: "We replace it until 13:00."}
		for range 2 {
			if answered, err := h.AnswerMaintenance(t.Context(), tech, answer); err != nil || fmt.Sprint(answered) != fmt.Sprint([]int32{fits, byCategory}) {
				t.Fatalf("answered %v (%v)", answered, err)
			}
		}
		if text := h.ticket(t, fits).GetTimeline(); strings.Count(fmt.Sprint(text), answer.GetText()) != 1 {
			t.Errorf("the timeline has it otherwise than once: %v", text)
		}

		// It lasts longer, and then is over by itself: the promise goes on where it stood.
		m.Until = timestamppb.New(now.Add(3 * time.Hour)) // 14:00, from 11:00 on
		m = h.plan(t, m)
		now = now.Add(4 * time.Hour)
		h.SetClock(now)
		if err := h.WatchClocks(t.Context()); err != nil {
			t.Fatal(err)
		}
		got := h.ticket(t, fits)
		// Opened 11:00, held to 14:00: four hours from then are 18:00, and so 10:00.
		want := time.Date(now.Year(), now.Month(), now.Day()+1, 10, 0, 0, 0, paris)
		if due := got.GetTicket().GetSolutionDueAt().AsTime(); !due.Equal(want) {
			t.Errorf("due %v, want %v", due.In(paris), want)
		}
		if s := got.GetMaintenance().GetState(); s != "over" {
			t.Errorf("it is %s", s)
		}
		if told(got) != "" {
			t.Errorf("told %q of time that did not count", told(got))
		}
		if list, err := h.Maintenances(t.Context(), tech, &deskv1.ListMaintenancesRequest{}); err != nil || len(list) != 0 {
			t.Errorf("still listed: %v (%v)", list, err)
		}
		_, err = h.SaveMaintenance(t.Context(), chief, m)
		wantKind(t, err, desk.ErrInvalid)
		if all, err := h.Maintenance(t.Context(), tech, m.GetId()); err != nil || len(all.GetTickets()) != 2 || all.GetTickets()[0].GetNumber() != byCategory {
			t.Errorf("its tickets are %v (%v)", all.GetTickets(), err)
		}
	})
}

// Of several that meet a machine, the one that lists it has its ticket, else the one
// that began first; one that is ended by hand, or taken back, has none any more.
func TestMaintenancesOverlap(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		pc := h.enroll(t, "pc-1")
		if _, err := h.SetEndpointSite(t.Context(), chief, pc, "Paris"); err != nil {
			t.Fatal(err)
		}
		now := time.Now()
		h.SetClock(now)
		first := h.plan(t, planned(now.Add(-2*time.Hour), now.Add(time.Hour), &deskv1.MachineSelector{Sites: []string{"Paris"}}))
		h.plan(t, planned(now.Add(-time.Hour), now.Add(2*time.Hour), &deskv1.MachineSelector{Sites: []string{"Paris", "Lyon"}}))
		h.plan(t, planned(now.Add(-3*time.Hour), now.Add(2*time.Hour), &deskv1.MachineSelector{Sites: []string{"Paris"}, OsFamilies: []string{"amiga"}}))
		one := h.troubled(t, pc, "os-disk-full")
		if got := h.ticket(t, one).GetMaintenance().GetId(); got != first.GetId() {
			t.Errorf("grouped under %s, want the first", got)
		}
		listed := h.plan(t, planned(now.Add(-time.Minute), now.Add(time.Hour), &deskv1.MachineSelector{EndpointIds: []string{pc}}))
		two := h.troubled(t, pc, "os-disk-full")
		if got := h.ticket(t, two).GetMaintenance().GetId(); got != listed.GetId() {
			t.Errorf("grouped under %s, want the one that lists it", got)
		}
		later := now.Add(time.Minute)
		h.SetClock(later)
		if m, err := h.EndMaintenance(t.Context(), chief, listed.GetId()); err != nil || m.GetState() != "over" {
			t.Fatalf("%v (%v)", m, err)
		}
		if got := h.ticket(t, h.troubled(t, pc, "os-disk-full")).GetMaintenance().GetId(); got != first.GetId() {
			t.Errorf("after the end grouped under %s, want the first", got)
		}
		back := h.plan(t, planned(later.Add(time.Hour), later.Add(2*time.Hour), &deskv1.MachineSelector{EndpointIds: []string{pc}}))
		for range 2 {
			if m, err := h.EndMaintenance(t.Context(), chief, back.GetId()); err != nil || m.GetState() != "cancelled" {
				t.Fatalf("%v (%v)", m, err)
			}
		}
		stale := proto.CloneOf(first)
		h.plan(t, first)
		_, err := h.SaveMaintenance(t.Context(), chief, stale)
		wantKind(t, err, desk.ErrConflict)
		on, err := h.Maintenances(t.Context(), tech, &deskv1.ListMaintenancesRequest{EndpointId: "pc-1"})
		if err != nil || len(on) != 2 {
			t.Errorf("on the machine: %v (%v)", on, err)
		}
	})
}

func TestMaintenanceIsRefused(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		now := time.Now()
		site := &deskv1.MachineSelector{Sites: []string{"Paris"}}
		lyon := desk.Actor{ID: "3", Name: "Lou", Role: "lead", Sites: []string{"Lyon"}}
		for what, c := range map[string]struct {
			a    desk.Actor
			kind error
			with func(*deskv1.Maintenance)
		}{
			"a technician": {tech, desk.ErrForbidden, func(*deskv1.Maintenance) {}},
			"another site": {lyon, desk.ErrNotFound, func(*deskv1.Maintenance) {}},
			"all sites":    {lyon, desk.ErrForbidden, func(m *deskv1.Maintenance) { m.Machines = &deskv1.MachineSelector{OsFamilies: []string{"linux"}} }},
			"backwards":    {chief, desk.ErrInvalid, func(m *deskv1.Maintenance) { m.From, m.Until = m.Until, m.From }},
			"no end":       {chief, desk.ErrInvalid, func(m *deskv1.Maintenance) { m.Until = nil }},
			"over": {chief, desk.ErrInvalid, func(m *deskv1.Maintenance) {
				m.From, m.Until = timestamppb.New(now.Add(-2*time.Hour)), timestamppb.New(now.Add(-time.Hour))
			}},
			"a year": {chief, desk.ErrInvalid, func(m *deskv1.Maintenance) { m.Until = timestamppb.New(now.AddDate(1, 0, 0)) }},
			"in the year 3000": {chief, desk.ErrInvalid, func(m *deskv1.Maintenance) {
				m.From, m.Until = timestamppb.New(now.AddDate(974, 0, 0)), timestamppb.New(now.AddDate(974, 0, 1))
			}},
			"no such zone":       {chief, desk.ErrInvalid, func(m *deskv1.Maintenance) { m.Zone = "Europe/Nowhere" }},
			"no machines":        {chief, desk.ErrInvalid, func(m *deskv1.Maintenance) { m.Machines = nil }},
			"no such machine":    {chief, desk.ErrNotFound, func(m *deskv1.Maintenance) { m.Machines = &deskv1.MachineSelector{EndpointIds: []string{"nobody"}} }},
			"no such fault":      {chief, desk.ErrInvalid, func(m *deskv1.Maintenance) { m.Expects.Faults = []string{"no-such-fault"} }},
			"no such domain":     {chief, desk.ErrInvalid, func(m *deskv1.Maintenance) { m.Expects.Domains = []string{"cooking"} }},
			"nothing to say":     {chief, desk.ErrInvalid, func(m *deskv1.Maintenance) { m.Texts = nil }},
			"10 MB":              {chief, desk.ErrInvalid, func(m *deskv1.Maintenance) { m.Texts[0].Text = strings.Repeat("x", 10<<20) }},
			"twice in a tongue":  {chief, desk.ErrInvalid, func(m *deskv1.Maintenance) { m.Texts[1].Language = "en" }},
			"a million machines": {chief, desk.ErrInvalid, func(m *deskv1.Maintenance) { m.Machines.Sites = many(200) }},
		} {
			m := planned(now, now.Add(time.Hour), proto.CloneOf(site))
			c.with(m)
			_, err := h.SaveMaintenance(t.Context(), c.a, m)
			if wantKind(t, err, c.kind); err == nil || len(err.Error()) > 500 {
				t.Errorf("%s: %v", what, err)
			}
		}
		m := h.plan(t, planned(now, now.Add(time.Hour), site))
		_, err := h.Maintenance(t.Context(), lyon, m.GetId())
		wantKind(t, err, desk.ErrNotFound)
		_, err = h.AnswerMaintenance(t.Context(), lyon, &deskv1.AnswerMaintenanceRequest{Id: m.GetId(), EntryId: newID(), Text: "x"})
		wantKind(t, err, desk.ErrNotFound)
		_, err = h.EndMaintenance(t.Context(), lyon, m.GetId())
		wantKind(t, err, desk.ErrNotFound)
	})
}

func many(n int) (list []string) {
	for i := range n {
		list = append(list, fmt.Sprintf("site %d", i))
	}
	return list
}

// A clock on the wall skips an hour in spring and shows one twice in autumn.
func TestWallTime(t *testing.T) {
	for _, c := range []struct {
		text, zone string
		late       bool
		want       string
	}{
		{"2026-07-01 22:00", "Europe/Paris", false, "2026-07-01T20:00:00Z"},
		{"2026-01-01T22:00", "Europe/Paris", false, "2026-01-01T21:00:00Z"},
		{"2026-10-25 02:30", "Europe/Paris", false, "2026-10-25T00:30:00Z"},
		{"2026-10-25 02:30", "Europe/Paris", true, "2026-10-25T01:30:00Z"},
		{"2026-03-29 02:30", "Europe/Paris", false, ""},
		{"2026-03-29 03:00", "Europe/Paris", true, "2026-03-29T01:00:00Z"},
		{"2026-04-05 01:45", "Australia/Lord_Howe", false, "2026-04-04T14:45:00Z"}, // half an hour
		{"2026-04-05 01:45", "Australia/Lord_Howe", true, "2026-04-04T15:15:00Z"},
		{"2026-07-01 22:00", "Asia/Kathmandu", false, "2026-07-01T16:15:00Z"},
		{"2026-07-01 22:00", "", false, "2026-07-01T22:00:00Z"},
		{"1.7.2026", "Europe/Paris", false, ""},
		{"2026-07-01 22:00", "Local", false, ""},
		{"2026-07-01 22:00", "../etc/passwd", false, ""},
	} {
		at, err := desk.WallTime(c.text, c.zone, c.late)
		if got := at.UTC().Format(time.RFC3339); err == nil && got != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%s in %s, late %v: %s (%v), want %s", c.text, c.zone, c.late, got, err, c.want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		zone := rapid.SampledFrom([]string{"Europe/Paris", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "UTC"}).Draw(t, "zone")
		place, _ := time.LoadLocation(zone)
		moment := time.Unix(60*rapid.Int64Range(20_000_000, 40_000_000).Draw(t, "minute"), 0).In(place)
		text := moment.Format("2006-01-02 15:04")
		first, err := desk.WallTime(text, zone, false)
		last, errLast := desk.WallTime(text, zone, true)
		if err != nil || errLast != nil || first.After(moment) || last.Before(moment) || last.Sub(first) > time.Hour || first.In(place).Format("2006-01-02 15:04") != text {
			t.Fatalf("%s in %s is %v to %v, and was %v (%v %v)", text, zone, first, last, moment, err, errLast)
		}
	})
}

// People at the machines that planned work meets read of it a week ahead, in their
// language, until it is over or taken back.
func TestPeopleReadWhatIsPlanned(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		met, other := h.enroll(t, "pc-1"), h.enroll(t, "pc-2")
		now := time.Now().Truncate(time.Second)
		here := &deskv1.MachineSelector{EndpointIds: []string{"pc-1"}}
		later := h.plan(t, planned(now.Add(48*time.Hour), now.Add(50*time.Hour), here))
		soon := planned(now.Add(time.Hour), now.Add(72*time.Hour), here)
		soon.Texts = []*deskv1.AnnouncementText{{Language: "en", Title: "New screens", Text: "Leave the room unlocked."}}
		h.plan(t, soon)
		far := h.plan(t, planned(now.Add(8*24*time.Hour), now.Add(9*24*time.Hour), here))
		reads := func(endpoint string, want ...string) {
			t.Helper()
			var got []string
			for _, p := range h.read(t, endpoint, "nobody").GetPlanned() {
				got = append(got, p.GetTitle())
			}
			if strings.Join(got, "|") != strings.Join(want, "|") {
				t.Errorf("%s reads of %q, not of %q", endpoint, got, want)
			}
		}
		reads(met, "New screens", "Remplacement des disques")
		reads(other)
		if p := h.read(t, met, "nobody").GetPlanned()[0]; p.GetText() != "Leave the room unlocked." || !p.GetFrom().AsTime().Equal(now.Add(time.Hour)) || !p.GetUntil().AsTime().Equal(now.Add(72*time.Hour)) {
			t.Errorf("it reads %v", p)
		}
		if _, err := h.EndMaintenance(t.Context(), chief, later.GetId()); err != nil {
			t.Fatal(err)
		}
		reads(met, "New screens")
		h.SetClock(far.GetFrom().AsTime().Add(time.Minute))
		reads(met, "Remplacement des disques")
		h.SetClock(far.GetUntil().AsTime())
		reads(met)
	})
}
