package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"constat/collector/store/query"
	"constat/internal/series"
	constatv1 "constat/proto/constat/v1"
)

const (
	// keepHours is how long every measurement is kept; keepDays, what each hour
	// came to.
	keepHours = 8 * 24 * time.Hour
	keepDays  = 400 * 24 * time.Hour
	day       = 24 * time.Hour
	// maxMeasures bounds what is kept of one owner.
	maxMeasures = 20_000
)

// Measure names one series of an owner: what is measured, and of which part.
type Measure struct{ Kind, Part string }

// HourSum is what a series came to in one hour.
type HourSum struct {
	At           time.Time
	Count        int
	Sum, Maximum int64
}

// Measured is what Append will write.
type Measured struct {
	owner   string
	at      time.Time
	content []byte
	// done are hours that are over, days what they become part of.
	done []int64
	days map[int64][]byte
	// Kept is how many measurements were taken up.
	Kept int
	// Recent are the samples of the hour and the one before it, with the new ones.
	Recent map[Measure][]series.Sample
}

// Append prepares the writing of what was measured of an owner at a time; Put
// writes it. Between the two nobody else may append for this owner. A measurement
// that is no later than the last one is left out.
//
// Hours that are over are summed up into their day, and what is old is forgotten,
// whenever a new hour begins.
func (s *Store) Append(ctx context.Context, owner string, at time.Time, values map[Measure]int64) (*Measured, error) {
	hour := series.Hour(at)
	m := &Measured{owner: owner, at: hour, Recent: map[Measure][]series.Sample{}}
	earlier, err := s.query.SeriesHours(ctx, owner, Millis(hour.Add(-time.Hour)), Millis(hour.Add(time.Hour)))
	if err != nil {
		return nil, err
	}
	chunks := map[Measure]*series.Chunk{}
	for _, row := range earlier {
		found, err := unpackHour(row.Content, nil)
		if err != nil {
			return nil, fmt.Errorf("the measurements of %s: %w", owner, err)
		}
		for name, c := range found {
			m.Recent[name] = slices.AppendSeq(m.Recent[name], c.Samples())
		}
		if row.Hour == Millis(hour) {
			chunks = found
		}
	}
	if len(earlier) == 0 || earlier[len(earlier)-1].Hour != Millis(hour) {
		if err := s.fold(ctx, m); err != nil {
			return nil, err
		}
	}
	for name, value := range values {
		c := chunks[name]
		if c == nil {
			if len(chunks) == maxMeasures {
				continue
			}
			c = &series.Chunk{}
		}
		if c.Append(at, value) == nil {
			chunks[name] = c
			m.Recent[name] = append(m.Recent[name], series.Sample{At: at.UTC().Truncate(time.Millisecond), Value: value})
			m.Kept++
		}
	}
	if len(chunks) > 0 {
		m.content, err = packHour(chunks)
	}
	return m, err
}

// Put writes what Append prepared.
func (m *Measured) Put(ctx context.Context, q *query.Queries) error {
	for _, of := range slices.Sorted(maps.Keys(m.days)) {
		if err := q.PutSeriesDay(ctx, m.owner, of, m.days[of]); err != nil {
			return err
		}
	}
	for _, hour := range m.done {
		if err := q.MarkFolded(ctx, m.owner, hour); err != nil {
			return err
		}
	}
	if len(m.done) > 0 {
		if err := q.DropSeriesHours(ctx, m.owner, Millis(m.at.Add(-keepHours))); err != nil {
			return err
		}
		if err := q.DropSeriesDays(ctx, m.owner, Millis(m.at.Add(-keepDays))); err != nil {
			return err
		}
	}
	if m.content == nil {
		return nil
	}
	return q.PutSeriesHour(ctx, m.owner, Millis(m.at), m.content)
}

// fold sums up the hours that are over.
func (s *Store) fold(ctx context.Context, m *Measured) error {
	over, err := s.query.UnfoldedHours(ctx, m.owner, Millis(m.at))
	if err != nil {
		return err
	}
	days := map[int64]*constatv1.SeriesDay{}
	for _, row := range over {
		of := Millis(Time(row.Hour).Truncate(day))
		if days[of] == nil {
			if days[of], err = s.seriesDay(ctx, m.owner, of); err != nil {
				return err
			}
		}
		chunks, err := unpackHour(row.Content, nil)
		if err != nil {
			return fmt.Errorf("the measurements of %s: %w", m.owner, err)
		}
		addHour(days[of], int32(Time(row.Hour).Hour()), chunks)
		m.done = append(m.done, row.Hour)
	}
	m.days = map[int64][]byte{}
	for of, sums := range days {
		if m.days[of], err = PackMessage(sums); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) seriesDay(ctx context.Context, owner string, of int64) (*constatv1.SeriesDay, error) {
	sums := &constatv1.SeriesDay{}
	content, err := s.query.SeriesDay(ctx, owner, of)
	if errors.Is(err, sql.ErrNoRows) {
		return sums, nil
	}
	if err != nil {
		return nil, err
	}
	return sums, UnpackMessage(content, sums)
}

// addHour adds an hour's sums to its day; one that is there already is replaced.
func addHour(sums *constatv1.SeriesDay, hour int32, chunks map[Measure]*series.Chunk) {
	places := map[Measure]*constatv1.SeriesSums{}
	for _, row := range sums.GetSeries() {
		places[Measure{row.GetKind(), row.GetPart()}] = row
	}
	for _, name := range sorted(chunks) {
		row := places[name]
		if row == nil {
			row = &constatv1.SeriesSums{Kind: name.Kind, Part: name.Part}
			sums.Series = append(sums.Series, row)
		}
		if i := slices.Index(row.Hours, hour); i >= 0 {
			row.Hours, row.Counts = slices.Delete(row.Hours, i, i+1), slices.Delete(row.Counts, i, i+1)
			row.Sums, row.Maxima = slices.Delete(row.Sums, i, i+1), slices.Delete(row.Maxima, i, i+1)
		}
		sum := sumOf(slices.Collect(chunks[name].Samples()))
		row.Hours, row.Counts = append(row.Hours, hour), append(row.Counts, int32(sum.Count))
		row.Sums, row.Maxima = append(row.Sums, sum.Sum), append(row.Maxima, sum.Maximum)
	}
}

func sumOf(samples []series.Sample) HourSum {
	sum := HourSum{At: series.Hour(samples[0].At), Maximum: samples[0].Value}
	for _, x := range samples {
		sum.Count++
		sum.Sum += x.Value
		sum.Maximum = max(sum.Maximum, x.Value)
	}
	return sum
}

// Samples gives what was measured of an owner from a time to another, of the
// series that are wanted; nil wants all. It reaches back eight days.
func (s *Store) Samples(ctx context.Context, owner string, from, to time.Time, want func(Measure) bool) (map[Measure][]series.Sample, error) {
	rows, err := s.query.SeriesHours(ctx, owner, Millis(series.Hour(from)), Millis(to))
	if err != nil {
		return nil, err
	}
	found := map[Measure][]series.Sample{}
	for _, row := range rows {
		chunks, err := unpackHour(row.Content, want)
		if err != nil {
			return nil, fmt.Errorf("the measurements of %s: %w", owner, err)
		}
		for name, c := range chunks {
			for x := range c.Samples() {
				if !x.At.Before(from) && x.At.Before(to) {
					found[name] = append(found[name], x)
				}
			}
		}
	}
	return found, nil
}

// HourSums gives what the hours of an owner's series came to, from a time to
// another, of the series that are wanted. It reaches back four hundred days.
func (s *Store) HourSums(ctx context.Context, owner string, from, to time.Time, want func(Measure) bool) (map[Measure][]HourSum, error) {
	found := map[Measure][]HourSum{}
	add := func(name Measure, sum HourSum) {
		if !sum.At.Before(series.Hour(from)) && sum.At.Before(to) {
			found[name] = append(found[name], sum)
		}
	}
	rows, err := s.query.SeriesDays(ctx, owner, Millis(from.UTC().Truncate(day)), Millis(to))
	if err != nil {
		return nil, err
	}
	for _, row := range rows {
		sums := &constatv1.SeriesDay{}
		if err := UnpackMessage(row.Content, sums); err != nil {
			return nil, fmt.Errorf("the measurements of %s: %w", owner, err)
		}
		for _, x := range sums.GetSeries() {
			name := Measure{x.GetKind(), x.GetPart()}
			if len(x.Counts) != len(x.Hours) || len(x.Sums) != len(x.Hours) || len(x.Maxima) != len(x.Hours) || want != nil && !want(name) {
				continue
			}
			for i, hour := range x.Hours {
				add(name, HourSum{Time(row.Day).Add(time.Duration(hour) * time.Hour), int(x.Counts[i]), x.Sums[i], x.Maxima[i]})
			}
		}
	}
	over, err := s.query.UnfoldedHours(ctx, owner, Millis(to))
	if err != nil {
		return nil, err
	}
	for _, row := range over { // the hour that runs, and the last of who fell silent
		chunks, err := unpackHour(row.Content, want)
		if err != nil {
			return nil, fmt.Errorf("the measurements of %s: %w", owner, err)
		}
		for name, c := range chunks {
			add(name, sumOf(slices.Collect(c.Samples())))
		}
	}
	for _, sums := range found {
		slices.SortFunc(sums, func(a, b HourSum) int { return a.At.Compare(b.At) })
	}
	return found, nil
}

// DropSeries forgets what was measured of an owner.
func DropSeries(ctx context.Context, q *query.Queries, owner string) error {
	if err := q.DropSeriesHours(ctx, owner, 1<<62); err != nil {
		return err
	}
	return q.DropSeriesDays(ctx, owner, 1<<62)
}

func sorted(chunks map[Measure]*series.Chunk) []Measure {
	return slices.SortedFunc(maps.Keys(chunks), func(a, b Measure) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Part, b.Part))
	})
}

func packHour(chunks map[Measure]*series.Chunk) ([]byte, error) {
	hour := &constatv1.SeriesHour{}
	for _, name := range sorted(chunks) {
		hour.Series = append(hour.Series, &constatv1.Series{Kind: name.Kind, Part: name.Part, Chunk: chunks[name].Bytes()})
	}
	return PackMessage(hour)
}

// unpackHour reads the series that are wanted; nil wants all.
func unpackHour(content []byte, want func(Measure) bool) (map[Measure]*series.Chunk, error) {
	hour := &constatv1.SeriesHour{}
	if err := UnpackMessage(content, hour); err != nil {
		return nil, err
	}
	chunks := map[Measure]*series.Chunk{}
	for _, row := range hour.GetSeries() {
		name := Measure{row.GetKind(), row.GetPart()}
		if want != nil && !want(name) {
			continue
		}
		c, err := series.Parse(row.GetChunk())
		if err != nil {
			return nil, err
		}
		chunks[name] = c
	}
	return chunks, nil
}
