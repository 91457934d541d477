package trigger

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func set[T any](v T) *T { return &v }

// noon is a day on which nothing happens by itself.
var noon = time.Date(2031, 3, 4, 18, 0, 0, 0, time.UTC)

// office is a machine at a desk in a minute in which all is well.
func office(at time.Time) Minute {
	return Minute{
		At: at, Settled: true, Gateways: map[string]bool{"eth0": true}, CarrierLosses: map[string]int{"eth0": 1, "wlan0": 0},
		Routed: set(true), DNS: set(true), FailedQueues: []string{}, Loops: []string{}, Refused: []string{}, Crashes: []Crash{}, Idle: true,
	}
}

// story tells minute by minute how a day differs from the office's.
type story func(minute int, m *Minute)

// live lets a machine live for so many minutes, after half an hour in which
// nothing happens.
func live(w *Watch, minutes int, tell story) []string {
	var all []string
	for i := -30; i < minutes; i++ {
		m := office(noon.Add(time.Duration(i) * time.Minute))
		if i >= 0 {
			tell(i, &m)
		}
		for _, o := range w.Next(m) {
			all = append(all, strings.TrimSpace(o.Event+" "+o.Subject)+" → "+o.Procedure)
		}
	}
	return all
}

// Each event is looked into once, however long it lasts.
func TestEachEventOnce(t *testing.T) {
	crash := func(program string, at time.Time) []Crash { return []Crash{{program, at}} }
	for name, test := range map[string]struct {
		tell story
		want string
	}{
		"a print job can't go on": {func(i int, m *Minute) {
			if i >= 3 {
				m.FailedQueues = []string{"Accounting"}
			}
		}, "printJobFailed Accounting → printing"},
		"a link flaps": {func(i int, m *Minute) { m.CarrierLosses["eth0"] = 1 + min(i, 40) }, "linkFlaps eth0 → internet"},
		"a desktop's cable falls out": {func(i int, m *Minute) {
			m.CarrierLosses["eth0"], m.Routed, m.Gateways, m.DNS = 2, set(false), nil, nil
		}, "linkLost → internet"},
		"the gateway falls silent": {func(i int, m *Minute) { m.Gateways["eth0"] = i < 2 }, "gatewaySilent eth0 → internet"},
		"the gateway is dead, and with it all behind it": {func(i int, m *Minute) {
			m.Gateways["eth0"] = i < 2
			if m.DNS = nil; i%5 == 0 {
				m.DNS = set(i < 2)
			}
		}, "gatewaySilent eth0 → internet"},
		"a cable is out of a machine whose routes nobody takes away": {func(i int, m *Minute) {
			m.CarrierLosses["eth0"], m.Routed, m.Gateways["eth0"], m.DNS = 2, set(false), false, set(false)
		}, "linkLost → internet"},
		"the resolver falls silent": {func(i int, m *Minute) { m.DNS = set(i < 2) }, "dnsSilent → internet"},
		"a program crashes twice": {func(i int, m *Minute) {
			if i == 5 || i == 50 {
				m.Crashes = crash("soffice.bin", m.At)
			}
		}, "programCrashes soffice.bin → software"},
		"a program that crashed before the agent started crashes again": {func(i int, m *Minute) {
			m.Settled = i != 0
			m.Crashes = crash("soffice.bin", noon.Add(-time.Hour))
			if i >= 50 {
				m.Crashes = append(m.Crashes, Crash{"soffice.bin", noon.Add(50 * time.Minute)})
			}
		}, "programCrashes soffice.bin → software"},
		"a service loops": {func(i int, m *Minute) {
			m.Loops = nil
			if i%10 == 0 {
				m.Loops = []string{"backup.service"}
			}
		}, "serviceLoops backup.service → software"},
		"a device is refused": {func(i int, m *Minute) {
			if i >= 4 {
				m.Refused = []string{"1-2"}
			}
		}, "deviceRefused 1-2 → peripheral"},
		"nothing answers after a sleep": {func(i int, m *Minute) {
			m.Settled = i != 0
			m.Gateways["eth0"], m.DNS = false, nil
		}, "resumed → internet"},
		"no name server answers after a sleep": {func(i int, m *Minute) {
			m.Settled, m.DNS = i != 0, set(false)
		}, "resumed → internet"},
		"the day's own look": {func(i int, m *Minute) { m.At = m.At.Add(17 * time.Hour) }, "daily → full"},
	} {
		got := live(&Watch{Machine: "endpoint-1"}, 5*60, test.tell)
		if want := []string{test.want}; !slices.Equal(got, want) {
			t.Errorf("%s: looked into %q, not %q", name, got, want)
		}
	}
}

// alike is what only looks like an event.
type alike struct {
	like string
	// live is the row of the lab in which it happens to a real machine; empty: none.
	live string
	tell story
}

var lookAlikes = map[string]alike{
	"nothing happens": {"", "nothing happens", func(int, *Minute) {}},
	"it sleeps for an hour, and its network comes back after a while": {Resumed, "it sleeps, and wakes up where its network comes late", func(i int, m *Minute) {
		switch {
		case i < 60:
			*m = Minute{At: m.At} // nothing was seen
		case i == 60:
			m.Settled, m.Gateways, m.DNS, m.Routed = false, nil, nil, set(false)
		case i == 61:
			m.Gateways["eth0"], m.DNS = false, set(false)
		}
	}},
	"it sleeps here and wakes up where there is no network": {LinkLost, "it sleeps, and wakes up where there is no network", func(i int, m *Minute) {
		m.Settled = i != 0
		m.Gateways, m.DNS, m.Routed, m.OnBattery, m.Charge = nil, nil, set(false), set(true), set(80)
	}},
	"it is undocked, and has Wi-Fi": {LinkLost, "", func(i int, m *Minute) {
		m.CarrierLosses, m.Gateways, m.OnBattery, m.Charge = map[string]int{"wlan0": 0}, map[string]bool{"wlan0": i > 0}, set(true), set(90)
	}},
	"it is undocked and carried out of the house": {LinkLost, "it is carried away on its battery", func(i int, m *Minute) {
		m.OnBattery, m.Charge = set(i >= 2), set(90)
		if i >= 3 {
			m.CarrierLosses["eth0"], m.Gateways, m.DNS, m.Routed = 2, nil, nil, set(false)
		}
	}},
	"it is docked, and the dock's adapter comes and goes once": {LinkFlaps, "a dock with a network card of its own, and away again", func(i int, m *Minute) {
		m.CarrierLosses["enx00"] = min(i, 1)
		m.Gateways["enx00"] = i > 1
	}},
	"it is restarted, on purpose": {Resumed, "it is shut down and started", func(i int, m *Minute) {
		if i < 2 {
			m.Settled, m.Gateways["eth0"], m.DNS = false, false, set(false)
		}
	}},
	"a VPN takes all the traffic, and the gateway is not reached past it": {GatewaySilent, "a VPN takes all the traffic for a while", func(i int, m *Minute) {
		if i >= 5 {
			m.Gateways = map[string]bool{"tun0": true}
		}
	}},
	"a VPN is there that answers no echo": {GatewaySilent, "", func(i int, m *Minute) {
		if i >= 5 {
			m.Gateways["tun0"] = false
		}
	}},
	"a gateway that never answers": {GatewaySilent, "", func(i int, m *Minute) { m.Gateways["wlan0"] = false }},
	"one lost minute":              {GatewaySilent, "the gateway is silent for a minute", func(i int, m *Minute) { m.Gateways["eth0"], m.DNS = i%7 != 3, set(i%11 != 3) }},
	"a cable is put elsewhere, twice": {LinkFlaps, "the cable is put elsewhere", func(i int, m *Minute) {
		m.CarrierLosses["eth0"] = 1 + min(i/20, 2)
	}},
	"a print job waits a minute for paper": {PrintJobFailed, "", func(i int, m *Minute) {
		if i%15 == 3 {
			m.FailedQueues = []string{"Accounting"}
		}
	}},
	"two programs crash once each": {ProgramCrashes, "a program crashes once", func(i int, m *Minute) {
		switch i {
		case 3:
			m.Crashes = []Crash{{"soffice.bin", m.At}}
		case 9:
			m.Crashes = []Crash{{"soffice.bin", m.At.Add(-6 * time.Minute)}, {"gimp", m.At}}
		}
	}},
	"one crash is read again and again, each time a little later": {ProgramCrashes, "a program crashes once", func(i int, m *Minute) {
		m.Crashes = []Crash{}
		if i >= 3 {
			m.Crashes = []Crash{{"soffice.bin", noon.Add(3*time.Minute + time.Duration(i)*time.Microsecond)}}
		}
	}},
	"one crash before a sleep, by a clock that rested in it": {ProgramCrashes, "", func(i int, m *Minute) {
		m.Settled = i != 60
		if i >= 3 {
			m.Crashes = []Crash{{"soffice.bin", noon.Add(3 * time.Minute)}}
		}
		if i >= 60 {
			m.Crashes = []Crash{{"soffice.bin", noon.Add(50 * time.Minute)}}
		}
	}},
	"two crashes are on record when the agent starts": {ProgramCrashes, "the agent is started before the network is there", func(i int, m *Minute) {
		m.Settled = i != 0
		m.Crashes = []Crash{{"soffice.bin", noon.Add(-3 * time.Hour)}, {"soffice.bin", noon.Add(-time.Hour)}}
	}},
	"a crash is two days after the other": {ProgramCrashes, "", func(i int, m *Minute) {
		if i == 3 {
			m.Crashes = []Crash{{"soffice.bin", m.At.Add(-49 * time.Hour)}, {"soffice.bin", m.At}}
		}
	}},
	"the day's look would run on battery": {Daily, "the day's look is due while it runs on its battery", func(i int, m *Minute) {
		m.At, m.OnBattery, m.Charge = m.At.Add(17*time.Hour), set(true), set(60)
	}},
	"the day's look would cost money": {Daily, "the day's look is due while the network is paid for", func(i int, m *Minute) { m.At, m.Metered = m.At.Add(17*time.Hour), true }},
	"the battery is nearly empty": {PrintJobFailed, "nearly no battery, and a document can't be printed", func(i int, m *Minute) {
		m.OnBattery, m.Charge, m.FailedQueues = set(true), set(12), []string{"Accounting"}
	}},
}

// What only looks like one of them is none.
func TestLookAlikes(t *testing.T) {
	for name, a := range lookAlikes {
		if got := live(&Watch{Machine: "endpoint-1"}, 5*60, a.tell); len(got) > 0 {
			t.Errorf("%s: looked into %q", name, got)
		}
	}
}

// A clock that was wrong, and is set back, keeps nothing from being looked into: not
// the number of the hour, nor the day's look, nor what happened by the wrong time.
func TestClockSetBack(t *testing.T) {
	const ahead = 300 * 24 * time.Hour
	w := &Watch{Machine: "endpoint-1"}
	live(w, 30, func(i int, m *Minute) {
		m.At, m.Settled = m.At.Add(ahead), i != 0
		m.FailedQueues = []string{fmt.Sprint("queue", i/3)}
		m.CarrierLosses["eth0"] = min(1+i/20, 2)
	})
	if len(w.looks) != perHour {
		t.Fatalf("%d looks by the wrong time", len(w.looks))
	}
	var all []string
	for i := range 20 * 60 {
		// An hour after that the number of looks is as ever.
		m := office(noon.Add(time.Duration(i) * time.Minute))
		m.Settled, m.CarrierLosses["eth0"], m.Gateways["eth0"] = i != 0, 2, i < 65
		for _, o := range w.Next(m) {
			all = append(all, o.Event)
		}
	}
	if want := []string{GatewaySilent, Daily}; !slices.Equal(all, want) {
		t.Errorf("afterwards %q is looked into, want %q", all, want)
	}
}

// What happened and is not looked into is told, with the reason, until it is over or is
// looked into.
func TestHeld(t *testing.T) {
	stuck := func(m *Minute) { m.FailedQueues = []string{"Accounting"} }
	low := func(m *Minute) { stuck(m); m.OnBattery, m.Charge = set(true), set(12) }
	for name, test := range map[string]struct {
		policy Policy
		now    func(*Minute)
		want   []Held
	}{
		"nothing waits":             {Policy{}, func(*Minute) {}, nil},
		"it was looked into":        {Policy{}, stuck, nil},
		"a battery nearly empty":    {Policy{}, low, []Held{{PrintJobFailed, "Accounting", LowBattery}}},
		"quiet hours":               {Policy{From: 17 * 60, Until: 20 * 60}, stuck, []Held{{PrintJobFailed, "Accounting", QuietHours}}},
		"nobody wants it":           {Policy{Off: []string{PrintJobFailed}}, stuck, nil},
		"the day's look, metered":   {Policy{}, func(m *Minute) { m.At, m.Metered = m.At.Add(21*time.Hour+49*time.Minute), true }, []Held{{Daily, "", Metered}}},
		"the day's look, busy":      {Policy{}, func(m *Minute) { m.At, m.Idle = m.At.Add(21*time.Hour+49*time.Minute), false }, []Held{{Daily, "", Busy}}},
		"the day's look, unplugged": {Policy{}, func(m *Minute) { m.At, m.OnBattery = m.At.Add(21*time.Hour+49*time.Minute), set(true) }, []Held{{Daily, "", OnBattery}}},
		"the day's look, too late":  {Policy{}, func(m *Minute) { m.At, m.Metered = m.At.Add(22*time.Hour), true }, nil},
	} {
		w := &Watch{Machine: "endpoint-1", Policy: test.policy}
		live(w, 10, func(_ int, m *Minute) { test.now(m) })
		if got := w.Held(); !slices.Equal(got, test.want) {
			t.Errorf("%s: %v waits, want %v", name, got, test.want)
		}
	}
	w := &Watch{Policy: Policy{PerDay: 5}}
	reasons := map[string]bool{}
	live(w, 2*60, func(i int, m *Minute) {
		m.FailedQueues = []string{"a", "b", "c", "d", "e", "f", "g"}[:min(7, 1+i/3)]
		for _, h := range w.Held() {
			reasons[h.Subject+" "+h.Reason] = true
		}
	})
	if got, want := slices.Sorted(maps.Keys(reasons)), []string{"e perHour", "f perDay", "f perHour", "g perDay", "g perHour"}; !slices.Equal(got, want) {
		t.Errorf("over the numbers of looks %q waits, want %q", got, want)
	}
}

// A device that was refused before the agent started is no news.
func TestWhatWasRefusedBefore(t *testing.T) {
	w := &Watch{}
	for i := range 10 {
		m := office(noon.Add(time.Duration(i) * time.Minute))
		m.Refused = []string{"1-4"}
		if got := w.Next(m); len(got) > 0 {
			t.Errorf("minute %d: %v", i, got)
		}
	}
}

// What comes back is looked into again, but not at once; and quiet hours, what is
// off and the day's number hold.
func TestBounds(t *testing.T) {
	fails := func(period int) story {
		return func(i int, m *Minute) {
			if i%period > period/2 {
				m.FailedQueues = []string{"Accounting"}
			}
		}
	}
	if got := live(&Watch{}, 5*60, fails(20)); len(got) != 1 {
		t.Errorf("what comes back every 20 minutes was looked into %d times in five hours", len(got))
	}
	if got := live(&Watch{}, 13*60, fails(6*60+30)); len(got) != 2 {
		t.Errorf("what comes back after six hours was looked into %d times", len(got))
	}
	many := func(i int, m *Minute) { m.FailedQueues = []string{fmt.Sprint("queue", i/3)} }
	if got := live(&Watch{}, 60, many); len(got) != perHour {
		t.Errorf("an hour full of events: %d looks, %q", len(got), got)
	}
	if got := live(&Watch{Policy: Policy{PerDay: 2}}, 12*60, many); len(got) != 2 {
		t.Errorf("with two looks a day: %d", len(got))
	}
	if got := live(&Watch{Policy: Policy{Off: []string{PrintJobFailed}}}, 60, many); len(got) != 0 {
		t.Errorf("what is off was looked into: %q", got)
	}
	from, until, err := ParseQuiet("17:30-07:00")
	if err != nil {
		t.Fatal(err)
	}
	if got := live(&Watch{Policy: Policy{From: from, Until: until}}, 6*60, many); len(got) != 0 {
		t.Errorf("in the quiet hours: %q", got)
	}
	for _, wrong := range []string{"22", "22:00", "-", "25:00-06:00", "22:00-x"} {
		if _, _, err := ParseQuiet(wrong); err == nil {
			t.Errorf("%q is taken for quiet hours", wrong)
		}
	}
}

// Whatever happens, looks stay within their bounds, name what they look into, and
// no event of one subject comes twice in a row without an end between.
func TestWatchProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := &Watch{Machine: "m"}
		var looks []time.Time
		last := map[string]time.Time{}
		at := noon
		name := rapid.SampledFrom([]string{"a", "b", "c"})
		for range rapid.IntRange(1, 400).Draw(t, "minutes") {
			at = at.Add(time.Duration(rapid.IntRange(1, 40).Draw(t, "step")) * time.Minute)
			m := Minute{
				At: at, Settled: rapid.Bool().Draw(t, "settled"), Idle: true,
				Gateways:      rapid.MapOf(name, rapid.Bool()).Draw(t, "gateways"),
				CarrierLosses: rapid.MapOf(name, rapid.IntRange(0, 9)).Draw(t, "losses"),
				FailedQueues:  rapid.SliceOf(name).Draw(t, "queues"), Loops: rapid.SliceOf(name).Draw(t, "loops"), Refused: rapid.SliceOf(name).Draw(t, "refused"),
				DNS: rapid.SampledFrom([]*bool{nil, set(true), set(false)}).Draw(t, "dns"), Routed: rapid.SampledFrom([]*bool{nil, set(true), set(false)}).Draw(t, "routed"),
			}
			for range rapid.IntRange(0, 2).Draw(t, "crashes") {
				m.Crashes = append(m.Crashes, Crash{name.Draw(t, "program"), at})
			}
			for _, o := range w.Next(m) {
				if o.Procedure == "" || !slices.Contains(Events(), o.Event) {
					t.Fatalf("%+v", o)
				}
				key := o.Event + o.Subject
				if before, taken := last[key]; taken && at.Sub(before) < again {
					t.Fatalf("%s again after %s", key, at.Sub(before))
				}
				last[key] = at
				looks = append(looks, at)
			}
			looks = slices.DeleteFunc(looks, func(l time.Time) bool { return at.Sub(l) >= 24*time.Hour })
			if len(looks) > perDay {
				t.Fatalf("%d looks in a day", len(looks))
			}
		}
		if len(w.past) > 100 || len(w.crashes) > 10 || len(w.losses) > 10 {
			t.Fatalf("it remembers ever more: %d, %d, %d", len(w.past), len(w.crashes), len(w.losses))
		}
	})
}

// Every event has a procedure, and the machine's name alone decides when its day
// is looked at.
func TestDaysAreSpread(t *testing.T) {
	when := func(machine string) (at time.Time) {
		w := &Watch{Machine: machine}
		for i := range 24 * 60 {
			m := office(noon.Add(time.Duration(i) * time.Minute))
			if o := w.Next(m); len(o) > 0 {
				return o[0].At
			}
		}
		return at
	}
	times := map[time.Time]bool{}
	for i := range 50 {
		at := when(fmt.Sprint("endpoint-", i))
		if at.Hour() < dailyFrom || at.Hour() >= dailyUntil {
			t.Errorf("a day is looked at at %s", at)
		}
		times[at] = true
	}
	if len(times) < 40 {
		t.Errorf("50 machines look at %d times", len(times))
	}
	if d := cmp.Diff(Events(), slices.Sorted(maps.Keys(procedures))); d != "" {
		t.Error(d)
	}
}

// A restart of the agent is no event: what it knew is known still, what it spent is
// spent, and what began meanwhile is news.
func TestARestartIsNoEvent(t *testing.T) {
	w := &Watch{}
	stuck := func(_ int, m *Minute) { m.FailedQueues, m.Loops = []string{"Accounting"}, []string{"backup.service"} }
	if got := live(w, 10, stuck); len(got) != 2 {
		t.Fatalf("before: %q", got)
	}
	kept, changed := w.Memory()
	if _, again := w.Memory(); !changed || again {
		t.Errorf("to be remembered: %t, once more: %t", changed, again)
	}
	after := &Watch{}
	after.Recall(kept, noon.Add(time.Hour))
	for i := range 8 * 60 {
		m := office(noon.Add(time.Hour + time.Duration(i)*time.Minute))
		if stuck(i, &m); i >= 30 {
			m.FailedQueues = append(m.FailedQueues, "Stores")
		}
		for _, o := range after.Next(m) {
			if o.Subject != "Stores" || i != 31 {
				t.Errorf("minute %d: %v", i, o)
			}
		}
	}
	set := &Watch{}
	set.Recall(kept, noon.Add(-24*time.Hour))
	if m, _ := set.Memory(); len(m.Looks)+len(m.Past) != 0 {
		t.Errorf("of a time still to come: %v", m)
	}
}

// A queue that fails before and after a restart is no news, however long ago it was
// looked into.
func TestWhatLastsOverARestart(t *testing.T) {
	at := time.Date(2031, 3, 4, 18, 0, 0, 0, time.UTC)
	minutes := func(w *Watch, n int, queues ...string) (due []Occasion) {
		for range n {
			at = at.Add(time.Minute)
			due = append(due, w.Next(Minute{At: at, Settled: true, FailedQueues: append([]string{}, queues...)})...)
		}
		return due
	}
	var before, after Watch
	if got := minutes(&before, 5, "Accounting"); len(got) != 1 {
		t.Fatalf("looked into %v", got)
	}
	memory, _ := before.Memory()
	at = at.Add(2 * again)
	after.Recall(memory, at)
	if got := minutes(&after, 10, "Accounting"); len(got) != 0 {
		t.Errorf("looked into once more: %v", got)
	}
	minutes(&after, 1)
	if got := minutes(&after, 5, "Accounting"); len(got) != 1 {
		t.Errorf("when it came back: %v", got)
	}
}
