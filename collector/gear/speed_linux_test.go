package gear

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"constat/collector/store"
	"constat/collector/store/query"
	"constat/collector/store/storetest"
	"constat/internal/lab"
	"constat/internal/snmp"
	constatv1 "constat/proto/constat/v1"
)

// measured is a recording of a switch whose interfaces have all of IF-MIB, as
// a Catalyst tells them.
func measured(ports int) string {
	d := switchOf(ports)
	for n := 1; n <= ports; n++ {
		i := 10100 + n
		table := func(c int, kind string, value any) { d.set(fmt.Sprintf("1.3.6.1.2.1.2.2.1.%d.%d", c, i), kind, value) }
		table(1, integerType, i)
		table(4, integerType, 1500)
		table(5, gaugeType, 1000000000)
		table(9, ticksType, 860000000+n)
		for c := 10; c <= 21; c++ {
			if c != 12 && c != 18 {
				table(c, "65", 1<<31+n*c)
			}
		}
		wide := func(c int, kind string, value any) {
			d.set(fmt.Sprintf("1.3.6.1.2.1.31.1.1.1.%d.%d", c, i), kind, value)
		}
		for c := 2; c <= 5; c++ {
			wide(c, "65", 1<<20+n*c)
		}
		for c := 6; c <= 13; c++ {
			wide(c, counterType, 1<<40+n*c)
		}
		wide(14, integerType, 1)
		wide(16, integerType, 2)
		wide(17, integerType, 1)
		wide(18, textType, "desk")
		wide(19, ticksType, 0)
	}
	return strings.Join(slices.Sorted(maps.Values(d)), "\n") // the responder puts them in order
}

// processorTime is what a process has used, or this one.
func processorTime(t testing.TB, pid int) time.Duration {
	if pid == os.Getpid() {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			t.Fatal(err)
		}
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	var ticks int64
	for _, f := range fields[11:13] { // utime and stime, in hundredths
		n, _ := strconv.ParseInt(f, 10, 64)
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}

// perDevice writes what one device cost, and how many one core does a minute.
func perDevice(b *testing.B, devices, objects int, cpu time.Duration) {
	b.ReportMetric(float64(cpu.Microseconds())/float64(devices), "µs-cpu/device")
	b.ReportMetric(float64(devices)/cpu.Minutes(), "devices/min/core")
	b.ReportMetric(float64(objects)/float64(devices), "objects/device")
	b.ReportMetric(0, "ns/op")
}

// ifMIB is the module if_mib of snmp_exporter's own configuration, which Debian
// does not ship since it is made of the MIBs' text: both tables walked, each
// metric with the interface's index, name, description and alias.
func ifMIB() string {
	var text strings.Builder
	text.WriteString("if_mib:\n  version: 2\n  auth:\n    community: public\n  walk:\n  - 1.3.6.1.2.1.2\n  - 1.3.6.1.2.1.31.1.1\n  get:\n  - 1.3.6.1.2.1.1.3.0\n  metrics:\n")
	text.WriteString("  - {name: sysUpTime, oid: 1.3.6.1.2.1.1.3, type: gauge, help: x}\n  - {name: ifNumber, oid: 1.3.6.1.2.1.2.1, type: gauge, help: x}\n")
	metric := func(name, oid, kind string) {
		fmt.Fprintf(&text, "  - name: %s\n    oid: %s\n    type: %s\n    help: x\n    indexes:\n    - {labelname: ifIndex, type: gauge}\n    lookups:\n", name, oid, kind)
		for _, l := range [][2]string{{"ifAlias", "1.3.6.1.2.1.31.1.1.1.18"}, {"ifDescr", "1.3.6.1.2.1.2.2.1.2"}, {"ifName", "1.3.6.1.2.1.31.1.1.1.1"}} {
			fmt.Fprintf(&text, "    - {labels: [ifIndex], labelname: %s, oid: %s, type: DisplayString}\n", l[0], l[1])
		}
	}
	for c := 1; c <= 21; c++ {
		kind := "gauge"
		switch {
		case c == 2:
			kind = "DisplayString"
		case c == 6:
			kind = "PhysAddress48"
		case c >= 10 && c <= 20:
			kind = "counter"
		}
		metric(fmt.Sprint("ifTable", c), fmt.Sprintf("1.3.6.1.2.1.2.2.1.%d", c), kind)
	}
	for c := 1; c <= 19; c++ {
		kind := "counter"
		switch c {
		case 1, 18:
			kind = "DisplayString"
		case 14, 15, 16, 17, 19:
			kind = "gauge"
		}
		metric(fmt.Sprint("ifXTable", c), fmt.Sprintf("1.3.6.1.2.1.31.1.1.1.%d", c), kind)
	}
	return text.String()
}

// exporter starts prometheus-snmp-exporter.
func exporter(b *testing.B) (address string, pid int) {
	program, err := exec.LookPath("prometheus-snmp-exporter")
	if err != nil {
		b.Skip("prometheus-snmp-exporter is not installed")
	}
	config := filepath.Join(b.TempDir(), "snmp.yml")
	if err := os.WriteFile(config, []byte(ifMIB()), 0o600); err != nil {
		b.Fatal(err)
	}
	address = lab.FreeAddress(b, "tcp")
	cmd := exec.Command(program, "--config.file="+config, "--web.listen-address="+address, "--log.level=error")
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	cmd.Env = append(os.Environ(), "GOMAXPROCS=1")
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			conn.Close()
			return address, cmd.Process.Pid
		}
		if time.Now().After(end) {
			b.Fatal(err)
		}
	}
}

// BenchmarkDevices asks switches of 52 ports of one responder: all of IF-MIB's
// tables as prometheus-snmp-exporter does with its module if_mib, what we read of
// interfaces, and the status poll.
func BenchmarkDevices(b *testing.B) {
	const devices = 100
	r := lab.Respond(b, devices, measured(52))
	open := func(b *testing.B, i int) *snmp.Session {
		s, err := snmp.Open(b.Context(), r.Addresses[i%devices], snmp.Credentials{Community: "public"}, snmp.Patience{})
		if err != nil {
			b.Fatal(err)
		}
		return s
	}
	b.Run("exporter", func(b *testing.B) {
		address, pid := exporter(b)
		scrape := func(i int) (objects int) {
			answer, err := http.Get("http://" + address + "/snmp?module=if_mib&target=" + url.QueryEscape(r.Addresses[i%devices]))
			if err != nil {
				b.Fatal(err)
			}
			defer answer.Body.Close()
			text, err := io.ReadAll(answer.Body)
			if err != nil || answer.StatusCode != http.StatusOK {
				b.Fatalf("%s: %v %.300s", answer.Status, err, text)
			}
			for line := range bytes.Lines(text) {
				if n, found := bytes.CutPrefix(line, []byte("snmp_scrape_pdus_returned ")); found {
					f, _ := strconv.ParseFloat(strings.TrimSpace(string(n)), 64)
					objects = int(f)
				}
			}
			return objects
		}
		scrape(0)
		objects, cpu := 0, processorTime(b, pid)
		for i := range b.N * devices {
			objects += scrape(i)
		}
		perDevice(b, b.N*devices, objects, processorTime(b, pid)-cpu)
	})
	var tables []string
	for c := 1; c <= 21; c++ {
		tables = append(tables, fmt.Sprintf("1.3.6.1.2.1.2.2.1.%d", c))
	}
	for c := 1; c <= 19; c++ {
		tables = append(tables, fmt.Sprintf("1.3.6.1.2.1.31.1.1.1.%d", c))
	}
	b.Run("tables", func(b *testing.B) {
		objects, cpu := 0, processorTime(b, os.Getpid())
		for i := range b.N * devices {
			s := open(b, i)
			rows := map[string][]string{}
			err := s.Walk(b.Context(), tables, func(c int, index string, v snmp.Value) {
				if rows[index] == nil {
					rows[index] = make([]string, len(tables))
				}
				rows[index][c] = v.Text()
			})
			if err != nil || len(rows) != 52 {
				b.Fatal(len(rows), err)
			}
			objects += s.Stats().Objects
			s.Close()
		}
		perDevice(b, b.N*devices, objects, processorTime(b, os.Getpid())-cpu)
	})
	b.Run("interfaces", func(b *testing.B) {
		objects, cpu := 0, processorTime(b, os.Getpid())
		for i := range b.N * devices {
			s := open(b, i)
			p := &poll{session: s, now: time.Now(), out: &constatv1.Gear{}, ports: map[int32]*port{}, bridge: map[int32]int32{}}
			if err := p.interfaces(b.Context()); err != nil || len(p.out.Interfaces) != 52 {
				b.Fatal(len(p.out.Interfaces), err)
			}
			objects += s.Stats().Objects
			s.Close()
		}
		perDevice(b, b.N*devices, objects, processorTime(b, os.Getpid())-cpu)
	})
	b.Run("status", func(b *testing.B) {
		s := open(b, 0)
		whole, err := Poll(b.Context(), s, time.Now())
		s.Close()
		if err != nil {
			b.Fatal(err)
		}
		last := Known{Gear: whole.Gear, Counters: whole.Counters, Plan: whole.Plan}
		objects, cpu := 0, processorTime(b, os.Getpid())
		for i := range b.N * devices {
			s := open(b, i)
			news, err := Status(b.Context(), s, last, time.Now())
			if err != nil || news.Changed {
				b.Fatal(news, err)
			}
			objects += s.Stats().Objects
			s.Close()
		}
		perDevice(b, b.N*devices, objects, processorTime(b, os.Getpid())-cpu)
	})
}

// BenchmarkFleet watches 2,000 switches of 52 ports as the collector does, with
// its database, on one core: how long a round of status polls takes, what it
// costs, and what a device costs in memory that nobody is asking.
func BenchmarkFleet(b *testing.B) {
	const devices = 2000
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	r := lab.Respond(b, devices, measured(52))
	p := newPlant(b, storetest.SQLite(b))
	p.community("floors", "public")
	// round has the watch run until it has polled all and kept what they said.
	round := func() time.Duration {
		began := time.Now()
		ctx, stop := context.WithCancel(b.Context())
		ended := make(chan struct{})
		go func() { p.Run(ctx); close(ended) }()
		left := func(g query.Gear) bool { return g.LeaseOwner != "" || g.DueAt <= store.Millis(p.at) || g.State != "ok" }
		for kept := false; !kept; time.Sleep(50 * time.Millisecond) {
			all, err := p.store.Read().ListGear(ctx)
			if err != nil || time.Since(began) > 5*time.Minute {
				b.Fatalf("%v\n%.2000s", err, p.log.String())
			}
			kept = len(all) == devices && !slices.ContainsFunc(all, left)
		}
		took := time.Since(began)
		stop()
		<-ended
		return took
	}
	empty := heap()
	for _, address := range r.Addresses {
		p.add(address, "floors")
	}
	b.Logf("%d whole polls: %v", devices, round().Round(time.Second))
	idle := heap()
	for b.Loop() {
		p.at = p.at.Add(61 * time.Second)
		cpu := processorTime(b, os.Getpid())
		b.ReportMetric(round().Seconds(), "s/round")
		b.ReportMetric((processorTime(b, os.Getpid()) - cpu).Seconds(), "s-cpu/round")
	}
	b.ReportMetric(float64(idle-empty)/devices, "bytes/idle-device")
	b.ReportMetric(0, "ns/op")
}

// heap is what is in use after everything unused is gone.
func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapInuse + m.StackInuse)
}
