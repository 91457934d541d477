package desk

import (
	"context"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"constat/collector/store"
	"constat/collector/store/query"
	deskv1 "constat/proto/constat/desk/v1"
	constatv1 "constat/proto/constat/v1"
)

// Limits of what sorts a ticket.
const (
	maxSorted    = 40 // bytes of a category, queue or tag
	maxTags      = 20
	maxFollowers = 50
	maxMinutes   = 7 * 24 * 60
)

// sort puts into a ticket what of a request says where it belongs and when it is
// wanted.
func sort(t *query.Ticket, a Actor, r *deskv1.UpdateTicketRequest) error {
	if r.Category != nil {
		if t.Category = line(r.GetCategory(), maxSorted); t.Category == "" {
			return problem(ErrInvalid, "a ticket needs a category: `other` fits what fits no other")
		}
	}
	if r.Queue != nil {
		t.Queue = line(r.GetQueue(), maxSorted)
	}
	if r.Type != nil {
		if err := checkType(r.GetType()); err != nil {
			return err
		}
		t.Type = r.GetType()
	}
	if r.Major != nil && flag(r.GetMajor()) != t.Major {
		if err := a.require("say what is a major incident", "lead", "administrator", "system"); err != nil {
			return err
		}
		t.Major = flag(r.GetMajor())
	}
	if r.GetWantedBy() != nil {
		at, err := checkDay(r.GetWantedBy())
		if err != nil {
			return err
		}
		t.WantedAt = at
	}
	added, err := checkTags(r.GetAddTags())
	if err != nil {
		return err
	}
	removed, err := checkTags(r.GetRemoveTags())
	if err != nil {
		return err
	}
	tags := joined(list(t.Tags), added, removed...)
	if len(tags) > maxTags {
		return problem(ErrInvalid, "a ticket has %d tags at most: take some away first", maxTags)
	}
	t.Tags = strings.Join(tags, "\n")
	return nil
}

func checkType(kind string) error {
	if !slices.Contains(kinds, kind) {
		return problem(ErrInvalid, "a ticket is no %q: it is one of %s", line(kind, maxSorted), strings.Join(kinds, ", "))
	}
	return nil
}

// checkDay gives a time as it is kept; the start of 1970 is none.
func checkDay(at *timestamppb.Timestamp) (int64, error) {
	if at.CheckValid() != nil {
		return 0, problem(ErrInvalid, "by when it is to be done is not a time")
	}
	if at.GetSeconds() == 0 {
		return 0, nil
	}
	if day := at.AsTime(); day.Year() < 2000 || day.Year() > 2200 {
		return 0, problem(ErrInvalid, "it cannot be wanted by the year %d", day.Year())
	}
	return store.Millis(at.AsTime()), nil
}

// checkTags gives tags as they are kept.
func checkTags(tags []string) ([]string, error) {
	var checked []string
	for _, tag := range tags {
		kept := strings.ToLower(line(strings.ReplaceAll(tag, ",", " "), 4*maxSorted))
		if len(kept) > maxSorted {
			return nil, problem(ErrInvalid, "the tag %q is too long: a tag has %d bytes at most", kept, maxSorted)
		}
		if kept != "" {
			checked = append(checked, kept)
		}
	}
	return checked, nil
}

// sortDraft takes over what of a draft only technicians give.
func sortDraft(checked, sent *constatv1.TicketDraft) error {
	tags, err := checkTags(sent.GetTags())
	if err != nil {
		return err
	}
	if sent.GetType() != "" {
		if err := checkType(sent.GetType()); err != nil {
			return err
		}
	}
	checked.Title, checked.Queue, checked.Type = line(sent.GetTitle(), maxTitle), line(sent.GetQueue(), maxSorted), sent.GetType()
	if checked.Tags = joined(nil, tags); len(checked.Tags) > maxTags {
		return problem(ErrInvalid, "a ticket has %d tags at most", maxTags)
	}
	// A category of the desk's own is not of the form that agents send.
	if own := line(sent.GetComplaint(), maxSorted); own != "" {
		checked.Complaint = own
	}
	return nil
}

// follow makes users follow a ticket, or not any more. Who is gone can be taken
// away as well.
func follow(ctx context.Context, q *query.Queries, t *query.Ticket, r *deskv1.UpdateTicketRequest) error {
	var added, removed []string
	for _, name := range r.GetAddFollowers() {
		user, err := userNamed(ctx, q, name)
		if err != nil {
			return err
		}
		added = append(added, user.Name)
	}
	for _, name := range r.GetRemoveFollowers() {
		name = line(name, maxName)
		for _, present := range list(t.Followers) {
			if strings.EqualFold(present, name) {
				removed = append(removed, present)
			}
		}
	}
	followers := joined(list(t.Followers), added, removed...)
	if len(followers) > maxFollowers {
		return problem(ErrInvalid, "a ticket has %d followers at most", maxFollowers)
	}
	t.Followers = strings.Join(followers, "\n")
	return nil
}

// checkMinutes refuses time that nobody can have spent.
func checkMinutes(a Actor, minutes int32) error {
	if minutes == 0 {
		return nil
	}
	if err := a.require("note time spent", staff...); err != nil {
		return err
	}
	if minutes < 0 || minutes > maxMinutes {
		return problem(ErrInvalid, "%d minutes cannot have been spent at once: it is 1 to %d", minutes, maxMinutes)
	}
	return nil
}

// list is what a column with a newline between each two holds.
func list(column string) []string {
	if column == "" {
		return nil
	}
	return strings.Split(column, "\n")
}

// joined is all that is in one of two lists and not taken away, sorted.
func joined(a, b []string, without ...string) []string {
	all := slices.Concat(a, b)
	slices.Sort(all)
	return slices.DeleteFunc(slices.Compact(all), func(s string) bool { return slices.Contains(without, s) })
}

// yes is how the timeline tells a flag.
func yes(flag int32) string {
	if flag == 1 {
		return "yes"
	}
	return ""
}

// rfc3339 is how the timeline tells a time; empty: none.
func rfc3339(ms int64) string {
	if ms == 0 {
		return ""
	}
	return store.Time(ms).Format(time.RFC3339)
}
