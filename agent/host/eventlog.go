package host

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// eventRow is what may be read of Windows' event log: events of a provider by
// their numbers, in a channel. Their texts are never rendered; of their fields
// only those are kept that a fact is made of.
type eventRow struct {
	channel, provider string
	ids               []int
}

// maxEvents is how many events are read of a channel, newest first.
const maxEvents = 400

// loggedEvent is an event as it was logged.
type loggedEvent struct {
	provider string
	id       int
	at       time.Time
	fields   []eventField
}

type eventField struct{ name, value string }

// field is a field by its name; "" where there is none.
func (e loggedEvent) field(name string) string {
	for _, f := range e.fields {
		if f.name == name {
			return f.value
		}
	}
	return ""
}

// nth is a field by its place: old providers give them no names.
func (e loggedEvent) nth(i int) string {
	if i < len(e.fields) {
		return e.fields[i].value
	}
	return ""
}

// is tells of which row an event is.
func (e loggedEvent) is(provider string, ids ...int) bool {
	return e.provider == provider && slices.Contains(ids, e.id)
}

// eventQuery asks for the rows of one channel, not older than a time, in the
// XPath that the event log takes.
func eventQuery(rows []eventRow, age time.Duration) string {
	var any []string
	for _, row := range rows {
		var ids []string
		for _, id := range row.ids {
			ids = append(ids, fmt.Sprintf("EventID=%d", id))
		}
		any = append(any, fmt.Sprintf("(Provider[@Name='%s'] and (%s))", row.provider, strings.Join(ids, " or ")))
	}
	return fmt.Sprintf("*[System[(%s) and TimeCreated[timediff(@SystemTime) <= %d]]]", strings.Join(any, " or "), age.Milliseconds())
}

// parseLoggedEvent reads an event as the log renders it: XML without its text
// (EvtRenderEventXml). What is no event, or tells no time, is not ok.
func parseLoggedEvent(text string) (e loggedEvent, ok bool) {
	system, rest, found := strings.Cut(text, "</System>")
	if !found {
		return e, false
	}
	_, provider, _ := strings.Cut(system, "<Provider ")
	e.provider = xmlAttribute(provider, "Name")
	_, id, _ := strings.Cut(system, "<EventID")
	_, id, _ = strings.Cut(id, ">")
	id, _, _ = strings.Cut(id, "<")
	n, err := strconv.Atoi(strings.TrimSpace(id))
	if err != nil {
		return e, false
	}
	e.id = n
	_, created, _ := strings.Cut(system, "<TimeCreated ")
	if e.at, err = time.Parse(time.RFC3339Nano, xmlAttribute(created, "SystemTime")); err != nil {
		return e, false
	}
	for len(e.fields) < 64 {
		at := strings.Index(rest, "<Data")
		if at < 0 {
			break
		}
		rest = rest[at+len("<Data"):]
		head, body, found := strings.Cut(rest, ">")
		if !found {
			break
		}
		field := eventField{name: xmlAttribute(head, "Name")}
		if rest = body; !strings.HasSuffix(head, "/") {
			value, after, found := strings.Cut(body, "</Data>")
			if !found {
				break
			}
			field.value, rest = strings.TrimSpace(xmlText(value)), after
		}
		e.fields = append(e.fields, field)
	}
	return e, e.provider != ""
}

// xmlAttribute finds an attribute in the head of an element.
func xmlAttribute(text, name string) string {
	head, _, _ := strings.Cut(text, ">")
	for _, quote := range []string{"'", `"`} {
		_, value, found := strings.Cut(" "+head, " "+name+"="+quote)
		if !found {
			continue
		}
		if value, _, found = strings.Cut(value, quote); found {
			return xmlText(value)
		}
	}
	return ""
}

var xmlEntities = strings.NewReplacer("&lt;", "<", "&gt;", ">", "&quot;", `"`, "&apos;", "'", "&amp;", "&")

func xmlText(text string) string { return xmlEntities.Replace(text) }
