package diagnosis

import (
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"constat/internal/fault"
	constatv1 "constat/proto/constat/v1"
)

// Where a root cause's `since` is from, as the diagnosis spells it.
const (
	byEvidence = "evidence"
	byChanges  = "changes"
	byVitals   = "vitals"
)

const (
	// maxHistory bounds what is read of a snapshot's history.
	maxHistory = 2_000
	// precedes is how long before a fault's beginning a change is worth a word.
	precedes   = 24 * time.Hour
	maxChanges = 3
)

// series says which facts a kind of vital is the history of, and how often it
// is sampled: one that stopped for longer tells when its source fell silent.
var series = map[string]struct {
	facts   []string // beginnings of paths without keys
	silence time.Duration
}{
	"gatewayMs":              {[]string{"probes.gateways."}, 3 * time.Minute},
	"lossPercent":            {[]string{"probes.gateways.received", "probes.gateways.loss_percent"}, 0},
	"dnsMs":                  {[]string{"probes.dns."}, 12 * time.Minute},
	"wifiSignalDbm":          {[]string{"wifi.radios."}, 3 * time.Minute},
	"cpuPercent":             {[]string{"load.cpu.", "load.processes."}, 0},
	"cpuPressurePercent":     {[]string{"load.cpu.", "load.pressure.cpu"}, 0},
	"memoryAvailablePercent": {[]string{"load.memory."}, 0},
	"memoryPressurePercent":  {[]string{"load.memory.", "load.pressure.memory"}, 0},
	"ioPressurePercent":      {[]string{"load.pressure.io", "load.disks."}, 0},
	"diskFreePercent":        {[]string{"space.filesystems."}, 0},
}

// date says when a root cause began and what had changed before, as far as the
// machine's own history tells. It never touches how sure the finding is.
func (j *judgement) date(f *finding, r *constatv1.RootCause) {
	switch {
	case !f.Since.IsZero():
		r.Since, r.SinceBy = timestamppb.New(f.Since), byEvidence
	default:
		if t := j.becameSo(f); !t.IsZero() {
			r.Since, r.SinceBy = timestamppb.New(t), byChanges
		} else if t := j.unusualSince(f); !t.IsZero() {
			r.Since, r.SinceBy = timestamppb.New(t), byVitals
		}
	}
	if r.Since != nil && r.Since.AsTime().After(j.now) {
		r.Since, r.SinceBy = nil, "" // of a clock that was wrong
	}
	if r.Since != nil {
		r.PrecededBy = j.precededBy(f, r.Since.AsTime())
	}
}

// becameSo is when the last fact of the evidence took the value that it has.
func (j *judgement) becameSo(f *finding) (last time.Time) {
	for _, c := range j.changes() {
		if c.GetAt().AsTime().After(last) && slices.ContainsFunc(f.Evidence, func(e *constatv1.Evidence) bool {
			return e.GetValue() == c.GetAfter() && isOf(c, e)
		}) {
			last = c.GetAt().AsTime()
		}
	}
	return last
}

// unusualSince is when the first series that is about the evidence left its
// usual range, or fell silent.
func (j *judgement) unusualSince(f *finding) (first time.Time) {
	vitals := j.snapshot.GetVitals().GetVitals()
	for _, v := range vitals[:min(len(vitals), maxHistory)] {
		s, known := series[v.GetKind()]
		if !known || !slices.ContainsFunc(f.Evidence, func(e *constatv1.Evidence) bool { return tells(v.GetOwner(), s.facts, e) }) {
			continue
		}
		var at *timestamppb.Timestamp
		switch last := v.GetLastAt(); {
		case v.GetUnusualSince().IsValid():
			at = v.GetUnusualSince()
		case s.silence > 0 && last.IsValid() && j.taken().Sub(last.AsTime()) > s.silence:
			at = last
		default:
			continue
		}
		if first.IsZero() || at.AsTime().Before(first) {
			first = at.AsTime()
		}
	}
	return first
}

// tells is whether a series is the history of a line of evidence. A series of
// one element (a server, a link) tells nothing of another.
func tells(owner string, facts []string, e *constatv1.Evidence) bool {
	path, keys := split(e.GetFact())
	return slices.ContainsFunc(facts, func(f string) bool { return strings.HasPrefix(path+".", f) }) &&
		(owner == "" || len(keys) == 0 || slices.ContainsFunc(keys, func(k string) bool { return slices.Contains(strings.Fields(k), owner) }))
}

// precededBy are the newest changes before a time, of one moment. What became
// different in the same moment in a group that shows the fault or what it
// explains is its effect rather.
func (j *judgement) precededBy(f *finding, began time.Time) []*constatv1.Change {
	showing := slices.Clone(f.Needs)
	evidence := slices.Clone(f.Evidence)
	for _, id := range f.explains {
		showing = append(showing, j.findings[id].Needs...)
		evidence = append(evidence, j.findings[id].Evidence...)
	}
	var found []*constatv1.Change
	for _, c := range j.changes() {
		at := c.GetAt().AsTime()
		switch {
		case at.After(began), began.Sub(at) > precedes:
		case at.Equal(began) && slices.Contains(showing, c.GetGroup()):
		case slices.ContainsFunc(evidence, func(e *constatv1.Evidence) bool { return isOf(c, e) }):
		case len(found) > 0 && at.Before(found[0].GetAt().AsTime()):
		case len(found) > 0 && at.After(found[0].GetAt().AsTime()):
			found = []*constatv1.Change{c}
		case len(found) < maxChanges:
			found = append(found, c)
		}
	}
	for i, c := range found {
		found[i] = printable(c)
	}
	return found
}

// printable is a change that can be shown: a snapshot comes from outside.
func printable(c *constatv1.Change) *constatv1.Change {
	clip := func(s string) *string { s = fault.Clip(s); return &s }
	return &constatv1.Change{
		At: c.GetAt(), Group: clip(c.GetGroup()), Fact: clip(c.GetFact()), Owner: clip(c.GetOwner()), Before: clip(c.GetBefore()), After: clip(c.GetAfter()),
	}
}

// changes are the snapshot's, but for those without a time.
func (j *judgement) changes() []*constatv1.Change {
	all := j.snapshot.GetChanges().GetChanges()
	return slices.DeleteFunc(slices.Clone(all[:min(len(all), maxHistory)]), func(c *constatv1.Change) bool { return !c.GetAt().IsValid() })
}

// taken is when the snapshot was, or the present where it does not say.
func (j *judgement) taken() time.Time {
	if t := j.snapshot.GetManifest().GetTakenAt(); t.IsValid() {
		return t.AsTime()
	}
	return j.now
}

// isOf tells whether a change is of the fact that a line of evidence shows.
func isOf(c *constatv1.Change, e *constatv1.Evidence) bool {
	path, keys := split(e.GetFact())
	return path == c.GetGroup()+"."+c.GetFact() && strings.Join(keys, "/") == c.GetOwner()
}

// split takes the keys of list elements out of a path:
// "network.links[eth0].mtu" is "network.links.mtu" of "eth0".
func split(fact string) (path string, keys []string) {
	for {
		head, rest, found := strings.Cut(fact, "[")
		path += head
		if !found {
			return path, keys
		}
		key, tail, more := strings.Cut(rest, "].")
		if !more {
			return path, append(keys, strings.TrimSuffix(rest, "]"))
		}
		keys, fact = append(keys, key), "."+tail
	}
}
