package console

import (
	"cmp"
	"fmt"
	"html/template"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"constat/collector/desk"
	"constat/internal/diagnosis"
	deskv1 "constat/proto/constat/desk/v1"
	constatv1 "constat/proto/constat/v1"
)

// tones give words their colour. The word itself is always written, so that
// colour carries nothing alone.
var tones = map[string]map[string]string{
	"status":      {"new": "info", "open": "info", "pending": "warn", "solved": "good", "merged": "hollow", "closed": "hollow"},
	"priority":    {"high": "warn", "urgent": "bad"},
	"certainty":   {"confirmed": "bad", "probable": "warn", "possible": "hollow"},
	"verdict":     {"fault": "bad", "healthy": "good", "undetermined": "warn"},
	"device":      {"ok": "good", "partial": "warn", "timeout": "bad", "authFailed": "bad", "new": "hollow"},
	"notice":      {"assigned": "info", "mention": "info", "reopened": "warn", "unassigned": "warn", "returned": "warn", "warned": "warn", "missed": "bad", "escalated": "bad", "undelivered": "bad", "unclear": "warn"},
	"maintenance": {"planned": "info", "running": "warn", "over": "hollow", "cancelled": "hollow"},
	"outcome":     {"fixed": "good", "notFixed": "warn", "refused": "hollow", "expired": "hollow", "failed": "bad", "undone": "warn"},
	"observation": {"observed": "good", "denied": "warn", "failed": "bad", "unsupported": "hollow"},
}

// vocabulary is what templates can say in one language.
func (c *console) vocabulary(s *speech) template.FuncMap {
	return template.FuncMap{
		"lang":         func() string { return s.language },
		"local":        func(texts []*deskv1.LocalText) string { return desk.InLanguage(texts, s.language) },
		"ordinal":      func(i int) string { return fmt.Sprint(i + 1) },
		"announcement": func(m *deskv1.Maintenance) *deskv1.AnnouncementText { return desk.AnnouncementIn(m, s.language) },
		"window":       window,
		"chosen":       chosen,
		"writing":      func(n *deskv1.Notice) string { address, _ := writing(n); return address },
		"linkTitle":    func(l *constatv1.TicketLink) string { return c.linkTitle(s, l) },
		"ticketTitle":  func(t *constatv1.Ticket) string { return c.desk.TitleIn(t, s.language) },
		"count":        func(n int32) int { return int(n) },
		"statuses":     func() []string { return statuses },
		"answerText": func(a *deskv1.Answer) *deskv1.AnswerText {
			for _, t := range a.GetTexts() {
				if t.GetLanguage() == s.language {
					return t
				}
			}
			return a.GetTexts()[0]
		},
		"t":     s.say,
		"n":     s.count,
		"word":  s.word,
		"asset": func(name string) string { return assets[name] },
		"tone":  func(kind, word string) string { return tones[kind][word] },

		"ago":          func(t *timestamppb.Timestamp) string { return s.ago(t.AsTime(), c.now()) },
		"clock":        func(t *timestamppb.Timestamp) string { return s.clock(t.AsTime(), c.now()) },
		"stamp":        func(t *timestamppb.Timestamp) string { return t.AsTime().UTC().Format(time.RFC3339) },
		"fullTime":     func(t *timestamppb.Timestamp) string { return t.AsTime().Local().Format("2006-01-02 15:04:05 MST") },
		"milliseconds": func(ms int32) string { return s.quantity("ms", float64(ms)) },

		"group":          func(name string) string { return s.word("group", name) },
		"procedure":      s.procedure,
		"peripheralName": s.peripheralName,
		"faultTitle":     func(id, own string) string { return c.faultTitle(s, id, own, "") },
		"causeTitle": func(cause *constatv1.RootCause) string {
			return c.faultTitle(s, cause.GetFault(), cause.GetTitle(), cause.GetComponent())
		},
		"explanation": func(cause *constatv1.RootCause) string {
			if f := c.catalog.Lookup(cause.GetFault()); f != nil {
				return f.Explanation.About(s.language, cause.GetComponent())
			}
			return ""
		},
		"certaintyMeans": func(certainty string) string {
			if id := "certainty." + certainty + ".means"; s.say(id) != id {
				return s.say(id)
			}
			return ""
		},
		"adviceFor":     func(cause *constatv1.RootCause, reader string) string { return c.advice(s, cause, reader) },
		"factLabel":     s.factLabel,
		"factValue":     s.factValue,
		"changeLabel":   s.changeLabel,
		"fieldChange":   func(change *constatv1.FieldChange) string { return c.fieldChange(s, change) },
		"day":           func(t *timestamppb.Timestamp) string { return t.AsTime().Local().Format(dayForm) },
		"lastDay":       func(t *timestamppb.Timestamp) string { return t.AsTime().Local().Add(-time.Second).Format(dayForm) },
		"skills":        s.skills,
		"proof":         s.proof,
		"why":           s.why,
		"matter":        s.matter,
		"noticeText":    s.noticeText,
		"late":          c.late,
		"soon":          c.soon,
		"nextStep":      nextStep,
		"unobserved":    unobserved,
		"checkOf":       func(h *constatv1.Hypothesis) string { return c.check(s, h) },
		"model":         model,
		"translationOf": func(a *deskv1.Article) *deskv1.ArticleTranslation { return translation(a, s.language) },
		"spent":         s.spent,
		"share":         share,
		"editorOf":      editorOf,
		"plus":          func(a, b int64) int64 { return a + b },
		"walkTime": func(r *deskv1.ProcedureRate) string {
			if r.GetRuns() == 0 {
				return "–"
			}
			return s.quantity("ms", float64(r.GetElapsedMs())/float64(r.GetRuns()))
		},
		"size":       func(bytes int32) string { return s.quantity("bytes", float64(bytes)) },
		"firstWords": firstWords,
		"fileLimits": func() string {
			return s.say("work.files.limits", "Files", desk.MaxFiles, "Size", s.quantity("bytes", desk.MaxFile), "Total", s.quantity("bytes", desk.MaxFilesSize))
		},
		"actor": func(e *constatv1.TicketEntry) string {
			if e.GetActor() == desk.System.Name || e.GetActor() == "" {
				return s.say("actor.system")
			}
			return e.GetActor()
		},
		"diagnosisLine": func(d *constatv1.Diagnosis) string {
			result := s.word("verdict", d.GetVerdict())
			if causes := d.GetRootCauses(); len(causes) > 0 {
				first := causes[0]
				result = c.faultTitle(s, first.GetFault(), first.GetTitle(), first.GetComponent()) + " – " + s.word("certainty", first.GetCertainty())
			}
			return s.say("diagnosis.line", "Procedure", s.procedure(d.GetProcedure()), "Result", result)
		},
	}
}

// procedure names a procedure; one of the organisation's own by its own title.
func (s *speech) procedure(id string) string {
	if text := s.word("procedure", id); text != id {
		return text
	}
	if p, known := diagnosis.Lookup(id); known {
		return p.Title.In(s.language)
	}
	return id
}

// faultTitle names a fault in the reader's language: by the catalog, else as the
// diagnosis named it (an agent's catalog may be newer), else by its id.
func (c *console) faultTitle(s *speech, id, own, component string) string {
	if f := c.catalog.Lookup(id); f != nil {
		return f.Title.About(s.language, component)
	}
	return cmp.Or(own, id)
}

// advice is what a root cause asks of the technician or the user.
func (c *console) advice(s *speech, cause *constatv1.RootCause, reader string) string {
	own := cause.GetAdvice().GetTechnician()
	if reader == "user" {
		own = cause.GetAdvice().GetUser()
	}
	f := c.catalog.Lookup(cause.GetFault())
	switch {
	case f == nil:
		return own
	case reader == "user":
		return cmp.Or(f.User.About(s.language, cause.GetComponent()), own)
	default:
		return cmp.Or(f.Technician.About(s.language, cause.GetComponent()), own)
	}
}

// check is what tells a hypothesis from the cause it competes with: as the
// catalog words it in the reader's language, else as the diagnosis does.
func (c *console) check(s *speech, h *constatv1.Hypothesis) string {
	if cause := c.catalog.Lookup(h.GetInsteadOf()); cause != nil {
		for _, other := range cause.LookAlikes {
			if other.Fault == h.GetFault() {
				return other.Check.In(s.language)
			}
		}
	}
	return h.GetCheck()
}

// nextStep is what to do next, unless a root cause has said it as its advice.
func nextStep(d *constatv1.Diagnosis) string {
	for _, cause := range d.GetRootCauses() {
		if advice := cause.GetAdvice(); d.GetNextStep() == advice.GetUser() || d.GetNextStep() == advice.GetTechnician() {
			return ""
		}
	}
	return d.GetNextStep()
}

// unobserved gives the groups that this kind of machine does not offer, or the
// others: those that somebody can do something about.
func unobserved(d *constatv1.Diagnosis, unsupported bool) []*constatv1.Unobserved {
	var groups []*constatv1.Unobserved
	for _, group := range d.GetUnobserved() {
		if unsupported == (group.GetObservation().GetStatus() == "unsupported") {
			groups = append(groups, group)
		}
	}
	return groups
}

// fieldChange says what became of a ticket's field.
func (c *console) fieldChange(s *speech, change *constatv1.FieldChange) string {
	field := change.GetField()
	value := func(text string) string {
		switch field {
		case "status", "priority", "certainty", "impact", "urgency", "type":
			return s.word(field, text)
		case "category":
			return s.word("complaint", text)
		case "wanted":
			if at, err := time.Parse(time.RFC3339, text); err == nil {
				return at.Local().Format(dayForm)
			}
		case "link":
			kind, ticket, _ := strings.Cut(text, " ")
			if text != "" {
				return s.word("link", kind) + " " + ticket
			}
		case "root_cause":
			return c.faultTitle(s, text, "", "")
		}
		return text
	}
	switch field {
	case "merged":
		return s.say("change.merged", "Ticket", change.GetAfter())
	case "major":
		if change.GetAfter() == "" {
			return s.say("change.notMajor")
		}
		return s.say("change.major")
	case "maintenance":
		if change.GetAfter() == "" {
			return s.say("change.ungrouped")
		}
		return s.say("change.grouped", "Title", change.GetAfter())
	case "checked", "unchecked":
		return s.say("change."+field, "What", change.GetAfter())
	case "splitInto":
		return s.say("change.splitInto", "Ticket", change.GetAfter())
	case "splitFrom":
		return s.say("change.splitFrom", "Ticket", change.GetAfter())
	}
	if strings.HasPrefix(field, "raised.") {
		return s.say("change."+field, "Name", change.GetAfter())
	}
	if field == "concerned" {
		message, text := "change.concerned", change.GetAfter()
		if text == "" {
			message, text = "change.unconcerned", change.GetBefore()
		}
		kind, name, known := strings.Cut(text, " ")
		if !known {
			name = s.say("concerned.hidden." + kind)
		}
		return s.say(message, "Name", name)
	}
	if field == "erased" {
		return s.say("change.erased")
	}
	if field == "left" || field == "unseen" {
		return s.say("change."+field, "Name", change.GetBefore())
	}
	if field == "returned" {
		return s.say("change.returned", "Name", change.GetBefore(), "After", change.GetAfter())
	}
	before, after := value(change.GetBefore()), value(change.GetAfter())
	if field == "link" && after != "" {
		return s.say("change.linked", "Link", after)
	} else if field == "link" {
		return s.say("change.unlinked", "Link", before)
	}
	name := s.word("field", field)
	switch {
	case before == "":
		return s.say("change.set", "Field", name, "After", after)
	case after == "":
		return s.say("change.cleared", "Field", name, "Before", before)
	default:
		return s.say("change.from", "Field", name, "Before", before, "After", after)
	}
}

// model is what a machine is called by its maker, without saying the maker
// twice.
func model(e *deskv1.Endpoint) string {
	if strings.HasPrefix(e.GetModel(), e.GetManufacturer()) {
		return e.GetModel()
	}
	return strings.TrimSpace(e.GetManufacturer() + " " + e.GetModel())
}

// spent is a time in hours and minutes.
func (s *speech) spent(minutes int32) string {
	if minutes < 60 {
		return s.say("spent.minutes", "Minutes", minutes)
	}
	return s.say("spent.hours", "Hours", minutes/60, "Minutes", fmt.Sprintf("%02d", minutes%60))
}

// firstWords is the beginning of a text on one line.
func firstWords(text string) string {
	line := strings.Join(strings.Fields(text), " ")
	if runes := []rune(line); len(runes) > 80 {
		return string(runes[:79]) + "…"
	}
	return line
}
