package gear

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"constat/collector/store"
	"constat/collector/store/query"
	"constat/collector/store/storetest"
	"constat/internal/lab"
	"constat/internal/snmp"
)

// A chassis of 20,000 interfaces is read whole, and named healthy.
func TestManyInterfaces(t *testing.T) {
	const ports = 20_000
	result := pollOnce(t, lab.Respond(t, 1, measured(ports)).Addresses[0], snmp.Credentials{Community: "public"})
	up := 0
	for _, i := range result.Gear.GetInterfaces() {
		if i.GetOperStatus() == "up" && i.GetSpeedMbps() == 1000 && i.GetAlias() == "desk" {
			up++
		}
	}
	if len(result.Gear.GetInterfaces()) != ports || up != ports || result.Partial != nil {
		t.Errorf("%d interfaces, %d as they are; %v", len(result.Gear.GetInterfaces()), up, result.Partial)
	}
	if found := judged(t, result.Gear); len(found) > 0 {
		t.Errorf("faults %q", found)
	}
}

// A device that gives one object at a time, and each after a while, takes no
// more time than a poll has; what it said until then is told as partial.
func TestSlowForEver(t *testing.T) {
	device := lab.Respond(t, 1, measured(500), "-delay", "20ms", "-cut", "1")
	session, err := snmp.Open(t.Context(), device.Addresses[0], snmp.Credentials{Community: "public"}, snmp.Patience{})
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	result, err := Poll(ctx, session, time.Now())
	if err != nil || !errors.Is(result.Partial, context.DeadlineExceeded) || result.Gear.GetPollResult() != "partial" {
		t.Fatalf("%v, %v", err, result)
	}
	if found := judged(t, result.Gear); len(found) > 0 {
		t.Errorf("faults %q of a device that was half read", found)
	}
}

// One of fifty devices answers slowly for ever: the watch keeps the others' time,
// ends each poll of it in its own, asks it less and less often, and says so once.
func TestSlowForEverAmongOthers(t *testing.T) {
	fast := lab.Respond(t, 49, measured(4))
	slow := lab.Respond(t, 1, measured(500), "-delay", "200ms", "-cut", "1").Addresses[0]
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		p := newPlant(t, s)
		p.community("floors", "public")
		p.add(slow, "floors") // the first to be polled
		for _, address := range fast.Addresses {
			p.add(address, "floors")
		}
		states := func() (answered int, late query.Gear) {
			all, err := s.Read().ListGear(t.Context())
			if err != nil || len(all) != 50 {
				t.Fatalf("%d devices (%v)", len(all), err)
			}
			for _, g := range all {
				if g.Address == slow {
					late = g
				} else if g.State == "ok" && g.LeaseOwner == "" {
					answered++
				}
			}
			return answered, late
		}
		// As the collector runs: the others are done while that one is being asked.
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { p.Run(ctx); close(ended) }()
		wait(t, "the others", func() bool { n, _ := states(); return n == 49 })
		if _, late := states(); late.State != "new" || late.LeaseOwner != p.owner {
			t.Errorf("the slow one is %s, leased by %q", late.State, late.LeaseOwner)
		}
		stop()
		<-ended

		// A poll of it ends in its time; then hours go by, minute by minute.
		p.within = map[kind]time.Duration{status: 300 * time.Millisecond, counters: 300 * time.Millisecond, whole: 600 * time.Millisecond}
		p.at = p.at.Add(lease)
		p.turn(0)
		if _, late := states(); late.State != "partial" && late.State != "timeout" || !strings.Contains(late.Reason, "deadline") {
			t.Errorf("the slow one is %s: %s", late.State, late.Reason)
		}
		if found := named(p.device(slow)); len(found) > 0 {
			t.Errorf("faults %q of a device that was half read", found)
		}
		var asked []time.Time
		for range 4 * 60 {
			p.at = p.at.Add(time.Minute)
			row, err := s.Read().GearByAddress(t.Context(), slow)
			if err != nil {
				t.Fatal(err)
			}
			if row[0].DueAt > store.Millis(p.at) {
				continue
			}
			claimed, err := p.claim(t.Context(), 50)
			if err != nil {
				t.Fatal(err)
			}
			for _, device := range claimed {
				if device.Address == slow {
					asked = append(asked, p.at)
					p.visit(t.Context(), device)
				}
			}
		}
		if n := len(asked); n < 8 || n > 25 || asked[n-1].Sub(asked[n-2]) < maxPause {
			t.Errorf("asked %d times in four hours: %v", n, asked)
		}
		if n := strings.Count(p.log.String(), "can't be read"); n > 2 { // partly, and then not in time
			t.Errorf("said %d times:\n%s", n, p.log.String())
		}
	})
}

// wait waits for a condition.
func wait(t *testing.T, what string, there func() bool) {
	t.Helper()
	for end := time.Now().Add(2 * time.Minute); !there(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: not in time", what)
		}
	}
}

// Sensors whose scale, precision or value no device can have are told without a
// figure, and never judged.
func TestAbsurdSensors(t *testing.T) {
	d := switchOf(4)
	absurd := [][4]int{ // type, scale, precision, value
		{8, 99, 0, 40}, {8, 9, -100, 40}, {8, 17, 0, 2147483647}, {8, 0, 0, 40}, {8, 9, 127, 1}, {14, 9, 0, -2147483648}, {4, 17, -8, 5}, {-5, 9, 0, 5}, {99, 9, 0, 5},
		// Millivolts and milliamperes called volts and amperes, a sensor of 16 bits that
		// is not there, and dBm called watts: as agents in the field tell them.
		{4, 9, 0, 232500}, {5, 9, 0, 3812}, {8, 9, 1, -32768}, {8, 9, 0, -866597556}, {6, 9, 0, -100},
	}
	for i, s := range absurd {
		for c, value := range s {
			d.set(fmt.Sprintf("1.3.6.1.4.1.9.9.91.1.1.1.1.%d.%d", c+1, 5000+i), integerType, value)
		}
		d.set(fmt.Sprintf("1.3.6.1.4.1.9.9.91.1.1.1.1.5.%d", 5000+i), integerType, 1)
	}
	g := pollOnce(t, lab.Respond(t, 1, d.recording()).Addresses[0], snmp.Credentials{Community: "public"}).Gear
	for _, s := range g.GetSensors() {
		if v := s.GetValue(); v > maxReading || v < -maxReading || s.GetKind() != "other" && s.Value != nil {
			t.Errorf("sensor %v", s)
		}
	}
	if found := judged(t, g); len(found) > 0 {
		t.Errorf("faults %q", found)
	}
}

// Devices whose tables are damaged in many ways are read to the end: values of
// other types and sizes, rows that are missing, indexes of other shapes.
func TestDamagedTables(t *testing.T) {
	for seed := range uint64(8) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			dice := rand.New(rand.NewPCG(seed, 7))
			var text strings.Builder
			for line := range strings.Lines(measured(40)) {
				parts := strings.SplitN(strings.TrimSpace(line), "|", 3)
				switch dice.IntN(12) {
				case 0:
					continue
				case 1:
					parts[1], parts[2] = "4", strings.Repeat("\xff\x00%s", dice.IntN(300))
				case 2:
					parts[1], parts[2] = "2", fmt.Sprint(int64(dice.Uint64()))
				case 3:
					parts[1], parts[2] = "70", fmt.Sprint(dice.Uint64())
				case 4:
					parts[1], parts[2] = "6", "1.3.6.1.4.1."+fmt.Sprint(dice.Uint32())
				case 5:
					parts[0] += "." + fmt.Sprint(dice.Uint32())
				case 6:
					parts[0] = parts[0][:strings.LastIndexByte(parts[0], '.')+1] + fmt.Sprint(dice.Uint32())
				case 7:
					parts[1], parts[2] = "5", ""
				}
				text.WriteString(strings.ReplaceAll(strings.Join(parts, "|"), "\n", "") + "\n")
			}
			result := pollOnce(t, lab.Respond(t, 1, text.String()).Addresses[0], snmp.Credentials{Community: "public"})
			for _, i := range result.Gear.GetInterfaces() {
				if i.SpeedMbps != nil && i.GetSpeedMbps() < 0 || i.GetVlan() < 0 {
					t.Errorf("interface %v", i)
				}
			}
			judged(t, result.Gear)
			last := Known{result.Gear, result.Counters, result.Plan}
			session, err := snmp.Open(t.Context(), lab.Respond(t, 1, text.String()).Addresses[0], snmp.Credentials{Community: "public"}, snmp.Patience{})
			if err != nil {
				t.Fatal(err)
			}
			defer session.Close()
			if _, err := Counters(t.Context(), session, last, true, time.Now()); err != nil {
				t.Error(err)
			}
		})
	}
}
