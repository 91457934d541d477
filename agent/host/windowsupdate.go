package host

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	constatv1 "constat/proto/constat/v1"
)

// Events of the Windows Update client: an update went in, or did not; and how many
// a search found, or that it failed.
const (
	updateProvider = "Microsoft-Windows-WindowsUpdateClient"
	updateDone     = 19
	updateFailed   = 20
	searchFailed   = 25
	searchDone     = 26
)

var updateRows = []eventRow{
	{"Microsoft-Windows-WindowsUpdateClient/Operational", updateProvider, []int{searchFailed, searchDone}},
	{"System", updateProvider, []int{updateDone, updateFailed}},
}

// How applications of the Store are titled, and the number of other updates' article.
var (
	storeApp      = form(`^9[0-9A-Z]{11}-`)
	knowledgeBase = form(`\bKB[0-9]{6,8}\b`)
)

// updateAge is how far back updates are looked at; what failed before has a
// successor by then.
const updateAge = 40 * 24 * time.Hour

// updateEvents tells of updates what the event log does: when one went in last,
// when they were searched, how many a search found that nothing went in after, and
// those whose last attempt failed, with the number of attempts since they last
// went in.
func updateEvents(u *constatv1.Updates, events []loggedEvent) {
	events = slices.Clone(events)
	slices.SortStableFunc(events, func(a, b loggedEvent) int { return a.at.Compare(b.at) })
	failures := map[string]*constatv1.UpdateFailure{}
	var lastDone, lastSearch time.Time
	found := -1
	for _, e := range events {
		if e.provider != updateProvider {
			continue
		}
		title := e.field("updateTitle")
		if storeApp().MatchString(title) {
			continue // waits for its program to be closed, again and again
		}
		// A newer version of the same takes an older one's place.
		id := cmp.Or(knowledgeBase().FindString(title), e.field("updateGuid"), title)
		switch e.id {
		case updateDone:
			delete(failures, id)
			lastDone = e.at
		case updateFailed:
			f := failures[id]
			if f == nil {
				f = &constatv1.UpdateFailure{Attempts: set(int32(0))}
				failures[id] = f
			}
			*f.Attempts++
			f.Name, f.Code, f.At = filled(title), hresult(e.field("errorCode")), timestamppb.New(e.at)
		case searchDone:
			lastSearch, found = e.at, -1
			if n, err := strconv.Atoi(e.field("updateCount")); err == nil && n >= 0 && n < 10000 {
				found = n
			}
		}
	}
	if !lastDone.IsZero() {
		u.LastSuccessAt = timestamppb.New(lastDone)
	}
	if !lastSearch.IsZero() {
		u.LastCheckAt = timestamppb.New(lastSearch)
		if found >= 0 && lastSearch.After(lastDone) {
			u.Pending = set(int32(found))
		}
	}
	u.Failures = nil
	for _, id := range sortedNames(failures) {
		u.Failures = append(u.Failures, failures[id])
	}
	slices.SortStableFunc(u.Failures, newestFirst)
	u.Failures = u.Failures[:min(len(u.Failures), maxFailures)]
}

// hresult is an error of Windows as it is searched for, "0x80070070"; the log
// writes it in hexadecimal, or as a number with its sign. nil for no error.
func hresult(text string) *string {
	if n, err := strconv.ParseInt(text, 10, 64); err == nil && n >= -1<<31 && n < 1<<32 {
		text = strconv.FormatUint(uint64(uint32(n)), 16)
	}
	return exceptionCode(text)
}

// maxReasons is how many files that wait for a restart are named.
const maxReasons = 20

// replacedFiles are the files that wait for a restart to be replaced, by their base
// names, out of PendingFileRenameOperations: pairs of an old and a new name
// (MoveFileEx). Without a new name the old file only goes, which changes nothing
// for who works.
func replacedFiles(pairs []string) []string {
	var names []string
	for i := 0; i+1 < len(pairs); i += 2 {
		if to := strings.TrimLeft(pairs[i+1], "!*"); to != "" {
			names = append(names, windowsBase(to))
		}
	}
	slices.Sort(names)
	names = slices.Compact(names)
	return names[:min(len(names), maxReasons)]
}
