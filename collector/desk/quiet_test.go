package desk

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestQuiet(t *testing.T) {
	paris, err := time.LoadLocation("Europe/Paris")
	if err != nil {
		t.Fatal(err)
	}
	evening := Quiet{Zone: paris, From: 18*60 + 30, Until: 8 * 60}
	weekend := Quiet{Zone: paris, From: 18*60 + 30, Until: 8 * 60, Weekend: true}
	for _, test := range []struct {
		name     string
		quiet    Quiet
		at, want string
	}{
		{"never", Quiet{}, "2026-03-03 03:00", "2026-03-03 03:00"},
		{"by day", evening, "2026-03-03 12:00", "2026-03-03 12:00"},
		{"in the evening", evening, "2026-03-03 18:30", "2026-03-04 08:00"},
		{"at night", evening, "2026-03-03 03:00", "2026-03-03 08:00"},
		{"at its end", evening, "2026-03-03 08:00", "2026-03-03 08:00"},
		{"on Friday evening", weekend, "2026-03-06 20:00", "2026-03-09 08:00"},
		{"on Sunday", weekend, "2026-03-08 12:00", "2026-03-09 08:00"},
		{"over lunch", Quiet{Zone: paris, From: 12 * 60, Until: 13 * 60}, "2026-03-03 12:30", "2026-03-03 13:00"},
		// On 29 March 2026 there is no 02:30 in Paris; on 25 October there are two.
		{"until an hour that the clock skips", Quiet{Zone: paris, From: 22 * 60, Until: 150}, "2026-03-29 00:00", "2026-03-29 03:00"},
		{"over the long night", evening, "2026-10-24 19:00", "2026-10-25 08:00"},
	} {
		t.Run(test.name, func(t *testing.T) {
			at, err := time.ParseInLocation("2006-01-02 15:04", test.at, paris)
			if err != nil {
				t.Fatal(err)
			}
			if got := test.quiet.End(at).In(paris).Format("2006-01-02 15:04"); got != test.want {
				t.Errorf("ends %s, want %s", got, test.want)
			}
		})
	}
}

// TestQuietEnds: in every zone and at every turn of a clock it ends, at a moment
// that is not quiet, and each minute before it was.
func TestQuietEnds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		zone, err := time.LoadLocation(rapid.SampledFrom([]string{"UTC", "Europe/Paris", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "Pacific/Apia", "Africa/Casablanca"}).Draw(t, "zone"))
		if err != nil {
			t.Fatal(err)
		}
		z := Quiet{
			Zone: zone, Weekend: rapid.Bool().Draw(t, "weekend"),
			From: rapid.IntRange(0, 24*60-1).Draw(t, "from"), Until: rapid.IntRange(0, 24*60-1).Draw(t, "until"),
		}
		from := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(rapid.Int64Range(0, 366*24*3600*1000).Draw(t, "ms")) * time.Millisecond)
		end := z.End(from)
		if z.At(end) {
			t.Fatalf("%+v from %s ends %s, which is quiet", z, from, end)
		}
		for at := from; at.Before(end); at = at.Add(time.Minute) {
			if !z.At(at) {
				t.Fatalf("%+v from %s ends %s, but %s is not quiet", z, from, end, at)
			}
		}
	})
}
