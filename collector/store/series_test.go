package store_test

import (
	"context"
	"strconv"
	"testing"
	"time"

	"constat/collector/store"
	"constat/collector/store/query"
	"constat/collector/store/storetest"
)

// everything wants all series.
func everything(store.Measure) bool { return true }

// A device is measured every five minutes for forty days. The newest days are
// kept as they were, the others hour by hour, and what is too old is gone.
func TestSeries(t *testing.T) {
	in, bad := store.Measure{Kind: "in", Part: "10105"}, store.Measure{Kind: "crc", Part: "10105"}
	start := time.Date(2026, 3, 1, 22, 58, 10, 0, time.UTC)
	const days = 12
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		at := start
		for i := 0; i < days*288; i++ {
			values := map[store.Measure]int64{in: int64(i%288) * 1000}
			if i%288 == 7 {
				values[bad] = 3
			}
			m, err := s.Append(t.Context(), "dev", at, values)
			if err != nil {
				t.Fatal(err)
			}
			if m.Kept != len(values) || len(m.Recent[in]) > 25 || i > 12 && len(m.Recent[in]) < 12 {
				t.Fatalf("sample %d: %d kept, %d recent", i, m.Kept, len(m.Recent[in]))
			}
			if err := s.Write(t.Context(), m.Put); err != nil {
				t.Fatal(err)
			}
			at = at.Add(5 * time.Minute)
		}
		fine, err := s.Samples(t.Context(), "dev", at.Add(-24*time.Hour), at, everything)
		if err != nil || len(fine[in]) != 288 || len(fine[bad]) != 1 {
			t.Fatalf("a day: %d and %d samples (%v)", len(fine[in]), len(fine[bad]), err)
		}
		if last := fine[in][287]; last.Value != 287_000 || !last.At.Equal(at.Add(-5*time.Minute)) {
			t.Errorf("the last sample: %v", last)
		}
		old, err := s.Samples(t.Context(), "dev", start, start.Add(48*time.Hour), everything)
		if err != nil || len(old[in]) != 0 {
			t.Errorf("%d samples of %d days ago are left (%v)", len(old[in]), days, err)
		}
		sums, err := s.HourSums(t.Context(), "dev", start, at, func(m store.Measure) bool { return m == in })
		if err != nil || sums[bad] != nil {
			t.Fatalf("unwanted series: %v (%v)", sums[bad], err)
		}
		var count int
		var total int64
		for i, x := range sums[in] {
			count += x.Count
			total += x.Sum
			if i > 0 && !x.At.Equal(sums[in][i-1].At.Add(time.Hour)) {
				t.Errorf("after %v comes %v", sums[in][i-1].At, x.At)
			}
			if x.Maximum*int64(x.Count) < x.Sum {
				t.Errorf("%v", x)
			}
		}
		if count != days*288 || total != int64(days)*287*288/2*1000 {
			t.Errorf("the hours have %d measurements with a sum of %d", count, total)
		}
		// The same time again changes nothing, and nor does a clock set back.
		m, err := s.Append(t.Context(), "dev", at.Add(-5*time.Minute), map[store.Measure]int64{in: 1})
		if err != nil || m.Kept != 0 {
			t.Errorf("the same time again: %d kept (%v)", m.Kept, err)
		}
		// Another's is another's, and what is dropped is gone.
		if other, err := s.Samples(t.Context(), "de", start, at, everything); err != nil || len(other) != 0 {
			t.Errorf("another's: %v (%v)", other, err)
		}
		err = s.Write(t.Context(), func(ctx context.Context, q *query.Queries) error { return store.DropSeries(ctx, q, "dev") })
		if err != nil {
			t.Fatal(err)
		}
		if sums, err := s.HourSums(t.Context(), "dev", start, at, everything); err != nil || len(sums) != 0 {
			t.Errorf("after the end: %v (%v)", sums, err)
		}
	})
}

// BenchmarkSeries keeps what a switch of 52 busy ports is measured: 520 figures
// every five minutes.
func BenchmarkSeries(b *testing.B) {
	s := storetest.SQLite(b)
	at := time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)
	values := map[store.Measure]int64{}
	var random uint64 = 1
	for i := 0; b.Loop(); i++ {
		for port := range 52 {
			part := strconv.Itoa(10101 + port)
			for n, kind := range []string{"in", "out", "inPackets", "outPackets", "inErrors", "outErrors", "crc", "outDiscards", "span", "speed"} {
				random = random*6364136223846793005 + 1442695040888963407
				values[store.Measure{Kind: kind, Part: part}] = [...]int64{int64(random >> 40), int64(random >> 38), int64(random >> 48), int64(random >> 48), 0, 0, 0, 0, 300, 1000}[n]
			}
		}
		m, err := s.Append(b.Context(), "dev", at.Add(time.Duration(i)*5*time.Minute), values)
		if err == nil {
			err = s.Write(b.Context(), m.Put)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
	rows, err := s.Read().SeriesHours(b.Context(), "dev", 0, 1<<62)
	if err != nil {
		b.Fatal(err)
	}
	if len(rows) > 1 {
		b.ReportMetric(float64(len(rows[0].Content)), "B/hour")
	}
	days, err := s.Read().SeriesDays(b.Context(), "dev", 0, 1<<62)
	if err != nil {
		b.Fatal(err)
	}
	if len(days) > 1 {
		b.ReportMetric(float64(len(days[0].Content)), "B/day")
	}
}

// Who falls silent in the middle of an hour is summed up when he speaks again,
// and seen until then.
func TestSeriesOfTheSilent(t *testing.T) {
	cpu := store.Measure{Kind: "cpu"}
	at := time.Date(2026, 3, 1, 10, 30, 0, 0, time.UTC)
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		add := func(at time.Time, value int64) {
			m, err := s.Append(t.Context(), "dev", at, map[store.Measure]int64{cpu: value})
			if err == nil {
				err = s.Write(t.Context(), m.Put)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		check := func(when string, want int) {
			sums, err := s.HourSums(t.Context(), "dev", at.Add(-time.Hour), at.Add(60*24*time.Hour), everything)
			if err != nil || len(sums[cpu]) != want || sums[cpu][0].Sum != 110 {
				t.Errorf("%s: %v (%v)", when, sums, err)
			}
		}
		add(at, 100)
		add(at.Add(5*time.Minute), 10)
		check("silent", 1)
		add(at.Add(20*24*time.Hour), 20)
		check("back", 2)
	})
}
