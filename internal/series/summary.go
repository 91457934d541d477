package series

import (
	"iter"
	"slices"
	"time"
)

// Summary is what a row of samples comes to: an hour of them, or a day.
type Summary struct {
	Count                    int
	First, Last              Sample
	Minimum, Median, Maximum int64
}

// Summarise sums samples up. Without any, Count is 0 and the rest says nothing.
func Summarise(samples iter.Seq[Sample]) Summary {
	var s Summary
	var values []int64
	for x := range samples {
		if s.Count == 0 {
			s.First = x
		}
		s.Last = x
		s.Count++
		values = append(values, x.Value)
	}
	if s.Count > 0 {
		slices.Sort(values)
		s.Minimum, s.Median, s.Maximum = values[0], values[len(values)/2], values[len(values)-1]
	}
	return s
}

// Join gives the samples of several chunks one after the other, as they are
// listed. Nil chunks are passed over.
func Join(chunks ...*Chunk) iter.Seq[Sample] {
	return func(yield func(Sample) bool) {
		for _, c := range chunks {
			if c == nil {
				continue
			}
			for s := range c.Samples() {
				if !yield(s) {
					return
				}
			}
		}
	}
}

// Since leaves out the samples before a time.
func Since(samples iter.Seq[Sample], from time.Time) iter.Seq[Sample] {
	return func(yield func(Sample) bool) {
		for s := range samples {
			if !s.At.Before(from) && !yield(s) {
				return
			}
		}
	}
}

// Rise is by how much a counter grew between two samples.
type Rise struct {
	From, To time.Time
	By       int64
}

// Rises gives how a counter grew from sample to sample. Where it fell it was
// started anew, and nothing is known of that time: there is no rise.
func Rises(samples iter.Seq[Sample]) iter.Seq[Rise] {
	return func(yield func(Rise) bool) {
		var last Sample
		for s := range samples {
			if !last.At.IsZero() && s.Value >= last.Value && !yield(Rise{last.At, s.At, s.Value - last.Value}) {
				return
			}
			last = s
		}
	}
}

// Bad is which way a series gets worse.
type Bad int

const (
	High Bad = iota // latency, load
	Low             // signal, free space
)

const (
	// minUsual is how many samples it takes to know what is usual.
	minUsual = 30
	// minUnusual is how many samples in a row are no accident.
	minUnusual = 5
)

// UnusualSince tells since when a series stands on the bad side of its usual
// range, until its last sample; one in five may be inside meanwhile. The range
// is the median of all samples but the newest few, give or take four times the
// median distance from it, and never less than slack. Not ok: it is as usual, or
// too little is known. What lasts for more than half of the samples is usual.
func UnusualSince(samples iter.Seq[Sample], bad Bad, slack int64) (since time.Time, ok bool) {
	all := slices.Collect(samples)
	if len(all) < minUsual+minUnusual {
		return time.Time{}, false
	}
	values := make([]int64, 0, len(all))
	for _, s := range all[:len(all)-minUnusual] {
		values = append(values, s.Value)
	}
	usual := median(values)
	for i, v := range values {
		values[i] = max(v-usual, usual-v)
	}
	room := max(4*median(values), slack)
	outside := func(s Sample) bool {
		if bad == Low {
			return s.Value < usual-room
		}
		return s.Value > usual+room
	}
	out, start := 0, -1
	for i := len(all) - 1; i >= 0; i-- {
		seen := len(all) - i
		if outside(all[i]) {
			out++
			if 5*out >= 4*seen {
				start = i
			}
		}
		if 5*out < 4*seen && seen >= minUnusual {
			break
		}
	}
	if start < 0 || len(all)-start < minUnusual {
		return time.Time{}, false
	}
	return all[start].At, true
}

// median is the middle one; it sorts.
func median(values []int64) int64 {
	slices.Sort(values)
	return values[len(values)/2]
}
