package history

import (
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"constat/agent/host"
	"constat/internal/series"
	constatv1 "constat/proto/constat/v1"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func open(t testing.TB, dir string) *vitals {
	t.Helper()
	v, err := openVitals(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.close)
	return v
}

func (v *vitals) mustAdd(t testing.TB, at time.Time, readings ...host.Reading) {
	t.Helper()
	if err := v.add(at, readings); err != nil {
		t.Fatal(err)
	}
}

func readAll(t testing.TB, v *vitals, now time.Time) rows {
	t.Helper()
	kept, err := v.read(now)
	if err != nil {
		t.Fatal(err)
	}
	return kept
}

func sizeOf(t testing.TB, dir string) (bytes int64, files int) {
	t.Helper()
	err := filepath.WalkDir(dir, func(_ string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		info, err := e.Info()
		if err == nil {
			bytes, files = bytes+info.Size(), files+1
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return bytes, files
}

// A week of a laptop's minutes on a simulated clock: what is kept is two days,
// and its size does not grow any more.
func TestSizeIsBounded(t *testing.T) {
	dir := t.TempDir()
	v := open(t, dir)
	random := rand.New(rand.NewPCG(1, 2))
	var largest int64
	at := noon
	for minute := range 4 * 24 * 60 {
		at = noon.Add(time.Duration(minute) * Period)
		var readings []host.Reading
		for _, kind := range []string{"gatewayMs", "lossPercent", "wifiSignalDbm", "cpuPercent", "memoryAvailablePercent", "cpuPressurePercent", "memoryPressurePercent", "ioPressurePercent"} {
			readings = append(readings, host.Reading{Kind: kind, Owner: "wlp0s20f3", Value: 50 + 10*random.NormFloat64()})
		}
		for i := range 4 {
			readings = append(readings, host.Reading{Kind: "diskFreePercent", Owner: "/data" + strconv.Itoa(i), Value: 40})
		}
		readings = append(readings, host.Reading{Kind: host.CarrierLosses, Owner: "eth0", Value: float64(minute / 500)})
		v.mustAdd(t, at, readings...)
		if minute%60 == 59 {
			size, files := sizeOf(t, dir)
			largest = max(largest, size)
			if files > 50 {
				t.Fatalf("%d files after %v", files, at.Sub(noon))
			}
		}
	}
	t.Logf("at most %d bytes on disk", largest)
	if largest > 160<<10 {
		t.Errorf("%d bytes on disk, want at most 160 KiB", largest)
	}
	row := slices.Collect(readAll(t, v, at).samples(name{"cpuPercent", "wlp0s20f3"}))
	if n := len(row); n < 48*60 || n > 50*60 {
		t.Errorf("%d samples kept, want two days of them", n)
	}
}

// Wherever a power cut ends the file, all samples before it are there and the
// next ones are kept.
func TestATornTailCostsTheLastSampleOnly(t *testing.T) {
	whole := t.TempDir()
	v := open(t, whole)
	for i := range 3 {
		v.mustAdd(t, noon.Add(time.Duration(i)*Period), host.Reading{Kind: "cpuPercent", Value: float64(i)}, host.Reading{Kind: "gatewayMs", Owner: "eth0", Value: 1})
	}
	content, err := os.ReadFile(filepath.Join(whole, vitalsDir, noon.Format(hourLayout)))
	if err != nil {
		t.Fatal(err)
	}
	frame := len(content) / 6
	for cut := range content {
		dir := t.TempDir()
		path := filepath.Join(dir, vitalsDir, noon.Format(hourLayout))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, content[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		v := open(t, dir)
		before := 0
		kept := readAll(t, v, noon.Add(time.Hour))
		for n := range kept {
			before += len(slices.Collect(kept.samples(n)))
		}
		if before < cut/frame-1 {
			t.Fatalf("cut at %d: %d samples", cut, before)
		}
		v.mustAdd(t, noon.Add(3*Period), host.Reading{Kind: "cpuPercent", Value: 3})
		row := slices.Collect(readAll(t, v, noon.Add(time.Hour)).samples(name{"cpuPercent", ""}))
		if last := row[len(row)-1]; last.Value != 30 {
			t.Fatalf("cut at %d: what came next is lost: %v", cut, row)
		}
		v.close()
	}
}

// TestWriterChild is not a test: it is what TestKill kills.
func TestWriterChild(t *testing.T) {
	dir := os.Getenv("VITALS_DIR")
	if dir == "" || os.Getenv("VITALS_AT") != "" {
		t.Skip("started by TestKill only")
	}
	v := open(t, dir)
	for i := 0; ; i++ {
		v.mustAdd(t, noon.Add(time.Duration(i)*Period), host.Reading{Kind: "cpuPercent", Value: float64(i)})
		fmt.Println(i)
	}
}

// A kill -9 in the middle of writing loses at most the sample that was being
// written, through all packing of hours.
func TestKill(t *testing.T) {
	for _, after := range []int{1, 59, 60, 61, 500, 2000} {
		dir := t.TempDir()
		cmd := exec.Command(os.Args[0], "-test.run", "^TestWriterChild$")
		cmd.Env = append(os.Environ(), "VITALS_DIR="+dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		said, buffer := "", make([]byte, 1<<16)
		for strings.Count(said, "\n") < after {
			n, err := out.Read(buffer)
			said += string(buffer[:n])
			if err != nil {
				t.Fatalf("the writer ended: %v %s", err, said)
			}
		}
		_ = cmd.Process.Kill()
		for {
			n, err := out.Read(buffer)
			said += string(buffer[:n])
			if err != nil {
				break
			}
		}
		_ = cmd.Wait()
		said = said[:strings.LastIndex(said, "\n")] // the pipe may be cut too
		last, err := strconv.Atoi(said[strings.LastIndex(said, "\n")+1:])
		if err != nil {
			t.Fatal(err)
		}
		v := open(t, dir)
		row := slices.Collect(readAll(t, v, noon.Add(time.Duration(last+2)*Period)).samples(name{"cpuPercent", ""}))
		if n := int(row[len(row)-1].Value) / 10; n < last {
			t.Errorf("killed after sample %d was kept: the last is %d", last, n)
		}
		for i := 1; i < len(row); i++ {
			if row[i].Value != row[i-1].Value+10 {
				t.Fatalf("a sample is missing between %v and %v", row[i-1], row[i])
			}
		}
		v.mustAdd(t, noon.Add(time.Duration(last+3)*Period), host.Reading{Kind: "cpuPercent"})
	}
}

func TestClockSetBack(t *testing.T) {
	v := open(t, t.TempDir())
	cpu := name{"cpuPercent", ""}
	for i := range 200 { // three hours and some
		v.mustAdd(t, noon.Add(time.Duration(i)*Period), host.Reading{Kind: cpu.kind, Value: 1})
	}
	back := noon.Add(90*Period + 30*time.Second)
	v.mustAdd(t, back, host.Reading{Kind: cpu.kind, Value: 2})
	v.mustAdd(t, back.Add(Period), host.Reading{Kind: cpu.kind, Value: 2})
	row := slices.Collect(readAll(t, v, back.Add(Period)).samples(cpu))
	if len(row) != 93 || !slices.IsSortedFunc(row, func(a, b series.Sample) int { return a.At.Compare(b.At) }) {
		t.Errorf("%d samples, want 91 of before and 2 of after", len(row))
	}
	// A small correction is no new time.
	v.mustAdd(t, back.Add(Period-time.Second), host.Reading{Kind: cpu.kind, Value: 3})
	if again := slices.Collect(readAll(t, v, back.Add(Period)).samples(cpu)); len(again) != 93 {
		t.Errorf("a second of correction left %d samples of %d", len(again), len(row))
	}
	// A start with a clock that is years behind.
	old := open(t, filepath.Dir(v.dir))
	old.mustAdd(t, time.Unix(86400, 0), host.Reading{Kind: cpu.kind, Value: 4})
	if row := slices.Collect(readAll(t, old, time.Unix(86400, 0)).samples(cpu)); len(row) != 1 || row[0].Value != 40 {
		t.Errorf("with the clock in 1970: %v", row)
	}
	old.mustAdd(t, back, host.Reading{Kind: cpu.kind, Value: 5})
	if row := slices.Collect(readAll(t, old, back).samples(cpu)); len(row) != 1 || row[0].Value != 50 {
		t.Errorf("with the clock right again: %v", row)
	}
}

func TestSummary(t *testing.T) {
	v := open(t, t.TempDir())
	now := noon
	for i := range 600 {
		now = noon.Add(time.Duration(i) * Period)
		gateway, losses := 1.5, 2.0
		if i >= 580 {
			gateway = 300
		}
		if i >= 590 {
			losses = 3
		}
		v.mustAdd(t, now, host.Reading{Kind: "gatewayMs", Owner: "eth0", Value: gateway}, host.Reading{Kind: host.CarrierLosses, Owner: "eth0", Value: losses})
	}
	got := readAll(t, v, now).sumUp(now)
	if len(got.Vitals) != 2 || len(got.LinkEvents) != 2 {
		t.Fatalf("want two windows each: %v", got)
	}
	hour, days := got.Vitals[0], got.Vitals[1]
	if hour.GetWindowSeconds() != 3600 || hour.GetSamples() != 61 || hour.GetMedian() != 1.5 || hour.GetMaximum() != 300 ||
		days.GetWindowSeconds() != 172800 || days.GetSamples() != 600 || days.GetLast() != 300 {
		t.Errorf("sums are wrong: %v", got.Vitals)
	}
	if since := noon.Add(580 * Period); !days.GetUnusualSince().AsTime().Equal(since) || !hour.GetUnusualSince().AsTime().Equal(since) {
		t.Errorf("unusual since %v, want %v", days.GetUnusualSince().AsTime(), since)
	}
	for _, e := range got.LinkEvents {
		if e.GetCarrierLosses() != 1 || !e.GetLastLossAt().AsTime().Equal(noon.Add(590*Period)) {
			t.Errorf("want one loss ten minutes ago: %v", e)
		}
	}
}

// A link goes down with the machine's sleep, and that is no fault; neither is
// what nobody saw. What happens while awake is.
func TestSleepIsDiscounted(t *testing.T) {
	v := open(t, t.TempDir())
	at, losses := noon, 0.0
	minute := func(pass time.Duration, more float64, extra ...host.Reading) {
		at, losses = at.Add(pass), losses+more
		v.mustAdd(t, at, append(extra, host.Reading{Kind: host.CarrierLosses, Owner: "wlan0", Value: losses})...)
	}
	minute(0, 7)
	minute(Period, 0)
	minute(8*time.Hour, 1, host.Reading{Kind: interrupted, Value: 8 * 3600}) // slept
	minute(Period, 1)                                                        // and came back slowly
	minute(Period, 0)
	minute(2*Period, 1, host.Reading{Kind: interrupted, Value: 60}) // a nap
	minute(Period, 0)
	minute(10*Period, 4) // the agent did not run
	minute(Period, 2)    // awake: these count
	counted := at
	minute(Period, 0)
	minute(Period, -16) // restarted: the kernel counts from zero
	minute(Period, 0)
	got := readAll(t, v, at).sumUp(at)
	for _, e := range got.LinkEvents {
		if e.GetCarrierLosses() != 2 || !e.GetLastLossAt().AsTime().Equal(counted) {
			t.Errorf("want 2 losses at %v: %v", counted, e)
		}
	}
	if len(got.Vitals) != 0 {
		t.Errorf("interruptions are no vital of their own: %v", got.Vitals)
	}
}

func TestLost(t *testing.T) {
	for _, test := range []struct{ wall, machine, want time.Duration }{
		{Period, Period, 0},
		{Period + time.Second, Period, 0},
		{8 * time.Hour, Period, 8*time.Hour - Period},
		{-time.Hour, Period, -time.Hour - Period},
	} {
		if got := lost(test.wall, test.machine); got != test.want {
			t.Errorf("%v on the wall, %v passed: lost %v, want %v", test.wall, test.machine, got, test.want)
		}
	}
}

func FuzzFile(f *testing.F) {
	v := open(f, f.TempDir())
	v.mustAdd(f, noon, host.Reading{Kind: "cpuPercent", Value: 1}, host.Reading{Kind: "gatewayMs", Owner: "eth0", Value: 1})
	content, err := os.ReadFile(filepath.Join(v.dir, noon.Format(hourLayout)))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(content)
	f.Fuzz(func(t *testing.T, content []byte) {
		kept := rows{}
		if good := kept.add(content, endOfTime); good > len(content) {
			t.Fatalf("%d good bytes of %d", good, len(content))
		}
		_ = (&constatv1.Vitals{LinkEvents: kept.sumUp(noon).LinkEvents}).String()
		again := rows{}
		again.add(kept.pack(), endOfTime)
		if len(again) > len(kept) {
			t.Fatal("packing made something up")
		}
	})
}

// BenchmarkAdd is a minute's write; BenchmarkRead what a snapshot pays.
func BenchmarkAdd(b *testing.B) {
	v := open(b, b.TempDir())
	for i := 0; b.Loop(); i++ {
		v.mustAdd(b, noon.Add(time.Duration(i)*Period), host.Reading{Kind: "cpuPercent", Value: 1}, host.Reading{Kind: "gatewayMs", Owner: "eth0", Value: 1})
	}
}

func BenchmarkRead(b *testing.B) {
	v := open(b, b.TempDir())
	now := noon
	for i := range 48 * 60 {
		now = noon.Add(time.Duration(i) * Period)
		var readings []host.Reading
		for kind := range kinds {
			readings = append(readings, host.Reading{Kind: kind, Owner: "eth0", Value: float64(i % 17)})
		}
		v.mustAdd(b, now, readings...)
	}
	b.ReportAllocs()
	for b.Loop() {
		kept, err := v.read(now)
		if err != nil {
			b.Fatal(err)
		}
		kept.sumUp(now)
	}
}
