package series

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func fill(t testing.TB, c *Chunk, samples ...Sample) {
	t.Helper()
	for _, s := range samples {
		if err := c.Append(s.At, s.Value); err != nil {
			t.Fatalf("appending %v: %v", s, err)
		}
	}
}

// minutely is a row of samples, one a minute.
func minutely(start time.Time, values ...int64) []Sample {
	row := make([]Sample, len(values))
	for i, v := range values {
		row[i] = Sample{start.Add(time.Duration(i) * time.Minute), v}
	}
	return row
}

func TestWhatIsAppendedComesBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var want []Sample
		at := noon.UnixMilli()
		for range rapid.IntRange(1, 50).Draw(t, "samples") {
			at += rapid.Int64Range(1, 70_000).Draw(t, "step")
			want = append(want, Sample{time.UnixMilli(at).UTC(), rapid.Int64Range(-MaxValue, MaxValue).Draw(t, "value")})
		}
		c := new(Chunk)
		for _, s := range want {
			if err := c.Append(s.At, s.Value); err != nil {
				t.Fatal(err)
			}
			// Stored and taken up again in between, as a service does that restarts.
			again, err := Parse(slices.Clone(c.Bytes()))
			if err != nil {
				t.Fatal(err)
			}
			c = again
		}
		if diff := cmp.Diff(want, slices.Collect(c.Samples())); diff != "" {
			t.Fatal(diff)
		}
	})
}

func TestAppendRefuses(t *testing.T) {
	var c Chunk
	fill(t, &c, Sample{noon.Add(time.Minute), 1})
	before := string(c.Bytes())
	for _, test := range []struct {
		at    time.Time
		value int64
		want  error
	}{
		{noon.Add(time.Minute), 1, ErrOrder},
		{noon, 1, ErrOrder},
		{noon.Add(time.Hour), 1, ErrHour},
		{noon.Add(-time.Second), 1, ErrHour},
		{time.Time{}, 1, ErrHour},
		{noon.Add(2 * time.Minute), MaxValue + 1, ErrRange},
		{noon.Add(2 * time.Minute), -MaxValue - 1, ErrRange},
	} {
		if err := c.Append(test.at, test.value); !errors.Is(err, test.want) {
			t.Errorf("%v %d: %v, want %v", test.at, test.value, err, test.want)
		}
	}
	if string(c.Bytes()) != before || c.Len() != 1 {
		t.Error("a refused sample changed the chunk")
	}
	var full Chunk
	for i := range MaxSamples {
		fill(t, &full, Sample{noon.Add(time.Duration(i) * 900 * time.Millisecond), int64(i%2)*2*MaxValue - MaxValue})
	}
	if err := full.Append(noon.Add(59*time.Minute+59*time.Second), 0); !errors.Is(err, ErrFull) {
		t.Errorf("one sample too many: %v", err)
	}
	if len(full.Bytes()) > MaxBytes {
		t.Errorf("%d bytes, promised %d at most", len(full.Bytes()), MaxBytes)
	}
	if _, err := Parse(full.Bytes()); err != nil {
		t.Errorf("a full chunk: %v", err)
	}
}

// The sizes that the package comment promises.
func TestSizes(t *testing.T) {
	var quiet, counter Chunk
	octets := int64(1) << 40
	for i := range 60 {
		fill(t, &quiet, Sample{noon.Add(time.Duration(i) * time.Minute), 400 + int64(i*7%13)})
		octets += 90_000_000 * int64(5+i%3)
		fill(t, &counter, Sample{noon.Add(time.Duration(i) * time.Minute), octets})
	}
	if n := len(quiet.Bytes()); n > 72 {
		t.Errorf("an hour of a quiet series takes %d bytes", n)
	}
	if n := len(counter.Bytes()); n > 320 {
		t.Errorf("an hour of a busy counter takes %d bytes", n)
	}
}

func TestSummarise(t *testing.T) {
	var first, second Chunk
	fill(t, &first, minutely(noon, 5, 1, 9)...)
	fill(t, &second, minutely(noon.Add(time.Hour), 3)...)
	got := Summarise(Join(&first, nil, &second))
	want := Summary{
		Count: 4, First: Sample{noon, 5}, Last: Sample{noon.Add(time.Hour), 3},
		Minimum: 1, Median: 5, Maximum: 9,
	}
	if got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if n := Summarise(Since(Join(&first, &second), noon.Add(time.Minute))).Count; n != 3 {
		t.Errorf("%d samples since a minute later, want 3", n)
	}
	if got := Summarise(Join()); got != (Summary{}) {
		t.Errorf("of nothing: %+v", got)
	}
}

func TestRises(t *testing.T) {
	var got []int64
	for r := range Rises(slices.Values(minutely(noon, 7, 7, 9, 1, 4))) {
		if r.To.Sub(r.From) != time.Minute {
			t.Errorf("a rise over %v", r.To.Sub(r.From))
		}
		got = append(got, r.By)
	}
	if diff := cmp.Diff([]int64{0, 2, 3}, got); diff != "" {
		t.Errorf("a counter that was started anew in between: %s", diff)
	}
}

func TestUnusualSince(t *testing.T) {
	row := func(spans ...[2]int64) (values []int64) { // count and value, with a little noise
		for _, s := range spans {
			for i := range s[0] {
				values = append(values, s[1]+i%3)
			}
		}
		return values
	}
	for _, test := range []struct {
		name   string
		bad    Bad
		values []int64
		want   int // index, -1: as usual
	}{
		{"as ever", High, row([2]int64{200, 10}), -1},
		{"risen", High, row([2]int64{200, 10}, [2]int64{20, 90}), 200},
		{"risen the good way", Low, row([2]int64{200, 10}, [2]int64{20, 90}), -1},
		{"fallen", Low, row([2]int64{200, 90}, [2]int64{20, 10}), 200},
		{"below the slack", High, row([2]int64{200, 10}, [2]int64{20, 25}), -1},
		{"over again", High, row([2]int64{200, 10}, [2]int64{20, 90}, [2]int64{10, 10}), -1},
		{"one spike at the end", High, row([2]int64{200, 10}, [2]int64{1, 90}), -1},
		{"with a lucky sample within", High, row([2]int64{200, 10}, [2]int64{10, 90}, [2]int64{1, 10}, [2]int64{10, 90}), 200},
		{"too little known", High, row([2]int64{20, 10}, [2]int64{10, 90}), -1},
		{"half of the time is as usual", High, row([2]int64{50, 10}, [2]int64{60, 90}), -1},
		{"a noisy series needs more", High, append(slices.Repeat([]int64{10, 60, 20, 50, 30}, 40), slices.Repeat([]int64{85}, 10)...), -1},
	} {
		samples := minutely(noon, test.values...)
		since, ok := UnusualSince(slices.Values(samples), test.bad, 20)
		switch {
		case test.want < 0 && ok:
			t.Errorf("%s: unusual since %v", test.name, since)
		case test.want >= 0 && (!ok || !since.Equal(samples[test.want].At)):
			t.Errorf("%s: %v %v, want %v", test.name, since, ok, samples[test.want].At)
		}
	}
}

func FuzzParse(f *testing.F) {
	var c Chunk
	fill(f, &c, minutely(noon, 1, -5, 700, MaxValue, -MaxValue)...)
	f.Add(c.Bytes())
	f.Add([]byte{version, 0, 0})
	f.Add([]byte{version, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 0})
	f.Fuzz(func(t *testing.T, content []byte) {
		c, err := Parse(content)
		if err != nil {
			return
		}
		samples := slices.Collect(c.Samples())
		if len(samples) != c.Len() || c.Len() == 0 || c.Len() > MaxSamples {
			t.Fatalf("%d samples, it says %d", len(samples), c.Len())
		}
		// What was accepted can be written again and says the same.
		var again Chunk
		fill(t, &again, samples...)
		if diff := cmp.Diff(samples, slices.Collect(again.Samples())); diff != "" {
			t.Fatal(diff)
		}
		UnusualSince(c.Samples(), High, 0)
	})
}

func BenchmarkAppend(b *testing.B) {
	b.ReportAllocs()
	for i := 0; b.Loop(); {
		var c Chunk
		for range 60 {
			fill(b, &c, Sample{noon.Add(time.Duration(i%60) * time.Minute), int64(i * 7 % 13)})
			i++
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/60, "ns/sample")
}

// Two days of one series, as a snapshot reads it.
func BenchmarkSummarise(b *testing.B) {
	var chunks []*Chunk
	for hour := range 48 {
		c := new(Chunk)
		for i := range 60 {
			fill(b, c, Sample{noon.Add(time.Duration(hour*60+i) * time.Minute), int64(i * 7 % 13)})
		}
		chunks = append(chunks, c)
	}
	b.ReportAllocs()
	for b.Loop() {
		if Summarise(Join(chunks...)).Count != 48*60 {
			b.Fatal("samples are missing")
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/48/60, "ns/sample")
}

func BenchmarkParse(b *testing.B) {
	var c Chunk
	for i := range 60 {
		fill(b, &c, Sample{noon.Add(time.Duration(i) * time.Minute), int64(i * 7 % 13)})
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(c.Bytes()); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/60, "ns/sample")
}
