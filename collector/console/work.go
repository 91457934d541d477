package console

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"constat/collector/desk"
	deskv1 "constat/proto/constat/desk/v1"
	constatv1 "constat/proto/constat/v1"
)

// maxRetries bounds how often a change is tried again on a ticket that others
// keep changing.
const maxRetries = 3

// edit is one field of a ticket as a technician saw it and as they want it.
type edit struct {
	field, was, want string
}

// conflictView shows what two people made of the same ticket.
type conflictView struct {
	Ticket      *constatv1.Ticket
	Differences []difference
	reply
}

// difference is a field that both changed.
type difference struct {
	// Label is the id of a message.
	Field, Label         string
	Mine, Theirs         string
	MineText, TheirsText string
}

// work saves what a technician did on a ticket: fields first, then the text.
// When another one changed the same fields meanwhile nothing is saved, and both
// versions are shown.
func (c *console) work(w http.ResponseWriter, v *visit) error {
	number, err := ticketNumber(v)
	if err != nil {
		return err
	}
	if err := v.ParseForm(); err != nil {
		return err
	}
	written := reply{Entry: v.PostFormValue("entry"), Kind: v.PostFormValue("kind"), Text: v.PostFormValue("text"), Minutes: strings.TrimSpace(v.PostFormValue("minutes"))}
	if v.PostForm.Has("resolution") {
		typed := v.PostFormValue("resolution")
		written.Resolution = &typed
	}
	refuse := func(problem string) error {
		if v.PostForm.Has("addConcerned") {
			written.Concern, written.ConcernProblem = v.PostFormValue("addConcerned"), problem
		} else if v.PostForm.Has("tagsWas") {
			written.AboutProblem = problem
		} else {
			written.Problem = problem
		}
		return c.renderTicket(w, v, http.StatusUnprocessableEntity, number, written)
	}
	if len(written.Text) > desk.MaxText {
		return refuse(v.say("work.tooLong", "Size", v.speech.quantity("bytes", float64(len(written.Text))), "Limit", v.speech.quantity("bytes", desk.MaxText)))
	}
	if left := desk.Unfilled(written.Text); left != "" && written.Kind == "message" {
		return refuse(v.say("answer.unfilled", "Variable", left))
	}
	entry := &deskv1.AddEntryRequest{Number: number, Id: written.Entry, Kind: written.Kind, Text: written.Text}
	if v.PostForm.Has("seenMessage") {
		entry.SeenMessage = proto.String(v.PostFormValue("seenMessage"))
		written.Seen = entry.SeenMessage
	}
	if entry.Minutes, err = minutes(written.Minutes); err != nil {
		return refuse(v.say("work.minutesWrong"))
	}
	if entry.Files, err = uploaded(v); err != nil {
		return err
	}
	edits, err := edited(v)
	if err != nil {
		return refuse(v.say("work.dayWrong"))
	}
	writes := strings.TrimSpace(written.Text) != "" || entry.Minutes != 0 || len(entry.Files) > 0
	if len(edits) == 0 && !writes {
		return refuse(v.say("work.nothing"))
	}
	if err := c.desk.CheckFiles(entry.Files); err != nil {
		return refuse(err.Error())
	}
	// Before anything is changed: a reply begun before somebody else's came.
	answered := func() error {
		_, by, err := c.desk.LastMessage(v.Context(), v.actor(), number)
		if err != nil {
			return err
		}
		written.Problem, written.Seen = v.say("work.answered", "Name", by), nil
		return c.renderTicket(w, v, http.StatusConflict, number, written)
	}
	if writes && entry.Kind == "message" && entry.SeenMessage != nil {
		last, _, err := c.desk.LastMessage(v.Context(), v.actor(), number)
		if err != nil {
			return err
		}
		if last != entry.GetSeenMessage() {
			return answered()
		}
	}
	version, _ := strconv.ParseInt(v.PostFormValue("version"), 10, 32)
	deed := uuid.Must(uuid.NewV7()).String()
	theirs, err := c.change(v.Context(), v.actor(), number, int32(version), edits, deed)
	switch {
	case errors.Is(err, desk.ErrConflict) && theirs != nil:
		return c.render(w, v, http.StatusConflict, "conflict", "tickets", conflictView{
			Ticket: theirs, Differences: v.differences(theirs, edits), reply: written,
		})
	case errors.Is(err, desk.ErrInvalid):
		return refuse(err.Error())
	case err != nil:
		return err
	}
	if writes {
		_, err := c.desk.AddEntry(v.Context(), v.actor(), entry)
		if errors.Is(err, desk.ErrInvalid) {
			return refuse(err.Error())
		}
		if errors.Is(err, desk.ErrConflict) {
			return answered()
		}
		if err != nil {
			return err
		}
	}
	draft := fmt.Sprintf("ticket-%d", number)
	if !v.PostForm.Has("text") {
		draft = "" // another form: what is typed below stays
	}
	if draft != "" {
		// Of which only the fields were sent, such as what helped.
		if err := c.desk.KeepDraft(v.Context(), v.actor(), number, desk.Draft{}); err != nil {
			return err
		}
		if err := c.desk.Types(v.Context(), v.actor(), number, false); err != nil {
			return err
		}
	}
	return c.backUndo(w, v, fmt.Sprintf("/tickets/%d", number), "flash.saved", draft, deed)
}

// minutes reads time spent: minutes, or hours and minutes as 1:30.
func minutes(typed string) (int32, error) {
	if typed == "" {
		return 0, nil
	}
	hours, rest, both := strings.Cut(typed, ":")
	if !both {
		hours, rest = "0", typed
	}
	h, err := strconv.ParseUint(hours, 10, 8)
	if err != nil {
		return 0, err
	}
	m, err := strconv.ParseUint(rest, 10, 14)
	if err == nil && both && m > 59 {
		err = strconv.ErrRange
	}
	return int32(h*60 + m), err
}

// uploaded gives the files of the form. A field in which none was chosen sends an
// empty one without a name.
func uploaded(v *visit) ([]*deskv1.NewFile, error) {
	if v.MultipartForm == nil {
		return nil, nil
	}
	var files []*deskv1.NewFile
	for _, header := range v.MultipartForm.File["files"] {
		if header.Filename == "" && header.Size == 0 {
			continue
		}
		part, err := header.Open()
		if err != nil {
			return nil, err
		}
		content, err := io.ReadAll(part)
		part.Close()
		if err != nil {
			return nil, err
		}
		files = append(files, &deskv1.NewFile{Name: header.Filename, Content: content})
	}
	return files, nil
}

// edited gives the fields of the form that differ from what its reader saw.
func edited(v *visit) ([]edit, error) {
	var edits []edit
	for _, field := range []string{"status", "assignee", "resolution", "title", "category", "type", "queue", "impact", "urgency", "wanted", "site", "endpoint", "major"} {
		// A box that is not ticked is not sent; what its reader saw is.
		if !v.PostForm.Has(field) && (field != "major" || !v.PostForm.Has("majorWas")) {
			continue
		}
		e := edit{field: field, was: v.PostFormValue(field + "Was"), want: strings.TrimSpace(v.PostFormValue(field))}
		if e.want != e.was {
			edits = append(edits, e)
		}
		if field == "wanted" && e.want != "" {
			if _, err := time.Parse(dayForm, e.want); err != nil {
				return nil, err
			}
		}
	}
	if v.PostForm.Has("tags") {
		was, want := tagsOf(v.PostFormValue("tagsWas")), tagsOf(v.PostFormValue("tags"))
		if more := without(want, was); len(more) > 0 {
			edits = append(edits, edit{field: "addTags", want: strings.Join(more, ",")})
		}
		if less := without(was, want); len(less) > 0 {
			edits = append(edits, edit{field: "removeTags", want: strings.Join(less, ",")})
		}
	}
	for _, field := range []string{"addConcerned", "removeConcerned"} {
		if name := strings.TrimSpace(v.PostFormValue(field)); name != "" {
			edits = append(edits, edit{field: field, want: name})
		}
	}
	switch v.PostFormValue("follow") {
	case "yes":
		edits = append(edits, edit{field: "follow"})
	case "no":
		edits = append(edits, edit{field: "unfollow"})
	}
	return edits, nil
}

// tagsOf reads tags with commas between them.
func tagsOf(typed string) []string {
	var tags []string
	for tag := range strings.SplitSeq(typed, ",") {
		if tag = strings.ToLower(strings.TrimSpace(tag)); tag != "" {
			tags = append(tags, tag)
		}
	}
	return tags
}

// without gives what of a list is not in another.
func without(list, other []string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(s string) bool { return slices.Contains(other, s) })
}

// wants puts an edit into a request.
func (e edit) wants(who desk.Actor, r *deskv1.UpdateTicketRequest) {
	want := proto.String(e.want)
	switch e.field {
	case "status":
		r.Status = want
	case "assignee":
		r.Assignee = want
	case "resolution":
		r.Resolution = want
	case "title":
		r.Title = want
	case "category":
		r.Category = want
	case "type":
		r.Type = want
	case "queue":
		r.Queue = want
	case "impact":
		r.Impact = want
	case "urgency":
		r.Urgency = want
	case "site":
		r.Site = want
	case "endpoint":
		r.Endpoint = want
	case "major":
		r.Major = proto.Bool(e.want != "")
	case "wanted":
		r.WantedBy = &timestamppb.Timestamp{}
		if day, err := time.ParseInLocation(dayForm, e.want, time.Local); err == nil {
			r.WantedBy = timestamppb.New(day.AddDate(0, 0, 1).Add(-time.Second)) // the day's end
		}
	case "addTags":
		r.AddTags = strings.Split(e.want, ",")
	case "removeTags":
		r.RemoveTags = strings.Split(e.want, ",")
	case "addConcerned":
		r.AddConcerned = []string{e.want}
	case "removeConcerned":
		r.RemoveConcerned = []string{e.want}
	case "follow":
		r.AddFollowers = []string{who.Name}
	case "unfollow":
		r.RemoveFollowers = []string{who.Name}
	}
}

// change writes edits that were made on a version of a ticket. A newer version
// in place is no conflict as long as it left the same fields alone, such as
// when a diagnosis arrived meanwhile. On desk.ErrConflict it gives the ticket
// as it stands now.
func (c *console) change(ctx context.Context, who desk.Actor, number, version int32, edits []edit, deed string) (*constatv1.Ticket, error) {
	if len(edits) == 0 {
		return nil, nil
	}
	request := &deskv1.UpdateTicketRequest{Number: number, Version: version, Deed: deed}
	for _, e := range edits {
		e.wants(who, request)
	}
	for range maxRetries {
		_, err := c.desk.Update(ctx, who, request)
		if !errors.Is(err, desk.ErrConflict) {
			return nil, err
		}
		found, err := c.desk.Ticket(ctx, number)
		if err != nil {
			return nil, err
		}
		for _, e := range edits {
			if now := valueOf(found.GetTicket(), e.field); now != e.was && now != e.want {
				return found.GetTicket(), desk.ErrConflict
			}
		}
		request.Version = found.GetTicket().GetVersion()
	}
	return nil, desk.ErrConflict
}

// valueOf is the present value of a field that the form can change. Of tags and
// followers it is nothing: what is added or taken away overwrites nobody's.
func valueOf(ticket *constatv1.Ticket, field string) string {
	switch field {
	case "status":
		return ticket.GetStatus()
	case "assignee":
		return ticket.GetAssignee()
	case "resolution":
		return ticket.GetResolution()
	case "title":
		return ticket.GetTitle()
	case "category":
		return ticket.GetCategory()
	case "type":
		return ticket.GetType()
	case "queue":
		return ticket.GetQueue()
	case "impact":
		return ticket.GetImpact()
	case "urgency":
		return ticket.GetUrgency()
	case "wanted":
		if at := ticket.GetWantedBy(); at != nil {
			return at.AsTime().Local().Format(dayForm)
		}
	case "site":
		return ticket.GetSite()
	case "endpoint":
		return cmp.Or(ticket.GetEndpointName(), ticket.GetEndpointId())
	case "major":
		if ticket.GetMajor() {
			return "yes"
		}
	}
	return ""
}

// differences lists the edits with what stands in the ticket now, both in words.
func (v *visit) differences(theirs *constatv1.Ticket, edits []edit) []difference {
	var list []difference
	for _, e := range edits {
		if slices.Contains([]string{"addTags", "removeTags", "follow", "unfollow", "addConcerned", "removeConcerned"}, e.field) {
			continue
		}
		now := valueOf(theirs, e.field)
		name := func(value string) string {
			switch e.field {
			case "status", "impact", "urgency", "type", "category":
				return v.speech.word(wordsOf(e.field), value)
			case "major":
				return v.speech.yesNo(value != "")
			case "assignee":
				return cmp.Or(value, v.say("ticket.nobody"))
			}
			return cmp.Or(value, "–")
		}
		list = append(list, difference{
			Field: e.field, Label: "ticket." + e.field, Mine: e.want, Theirs: now, MineText: name(e.want), TheirsText: name(now),
		})
	}
	return list
}

// wordsOf is the kind of words that a field's values are.
func wordsOf(field string) string {
	if field == "category" {
		return "complaint"
	}
	return field
}
