package snmp_test

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"net"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"constat/internal/lab"
	"constat/internal/snmp"
)

// interfaces is a recording of IF-MIB's tables as a switch of so many ports has
// them.
func interfaces(ports int) string {
	var text strings.Builder
	add := func(oid, kind string, value any) { fmt.Fprintf(&text, "%s|%s|%v\n", oid, kind, value) }
	add("1.3.6.1.2.1.1.1.0", "4", "Cisco IOS Software, C2960X Software (C2960X-UNIVERSALK9-M), Version 15.2(7)E4, RELEASE SOFTWARE (fc2)")
	add("1.3.6.1.2.1.1.2.0", "6", "1.3.6.1.4.1.9.1.1208")
	add("1.3.6.1.2.1.1.3.0", "67", 864000000)
	add("1.3.6.1.2.1.1.5.0", "4", "sw-floor-2")
	add("1.3.6.1.2.1.2.1.0", "2", ports)
	for n := 1; n <= ports; n++ {
		index := 10100 + n
		table := func(column int, kind string, value any) {
			add(fmt.Sprintf("1.3.6.1.2.1.2.2.1.%d.%d", column, index), kind, value)
		}
		table(1, "2", index)
		table(2, "4", fmt.Sprintf("GigabitEthernet1/0/%d", n))
		table(3, "2", 6)
		table(4, "2", 1500)
		table(5, "66", 1000000000)
		table(6, "4x", fmt.Sprintf("0050569a%04x", n))
		table(7, "2", 1)
		table(8, "2", 1)
		table(9, "67", 860000000+n)
		for c := 10; c <= 20; c++ {
			if c != 12 && c != 18 {
				table(c, "65", 1<<31+n*c)
			}
		}
		wide := func(column int, kind string, value any) {
			add(fmt.Sprintf("1.3.6.1.2.1.31.1.1.1.%d.%d", column, index), kind, value)
		}
		wide(1, "4", fmt.Sprintf("Gi1/0/%d", n))
		for c := 2; c <= 5; c++ {
			wide(c, "65", 1<<20+n*c)
		}
		for c := 6; c <= 13; c++ {
			wide(c, "70", 1<<40+n*c)
		}
		wide(14, "2", 1)
		wide(15, "66", 1000)
		wide(16, "2", 2)
		wide(17, "2", 1)
		wide(18, "4", "desk")
		wide(19, "67", 0)
	}
	return text.String()
}

var tables = []string{"1.3.6.1.2.1.2.2", "1.3.6.1.2.1.31.1.1"}

// columns are all of both tables.
var columns = func() (all []string) {
	for c := 1; c <= 20; c++ {
		if c != 12 && c != 18 {
			all = append(all, fmt.Sprintf("1.3.6.1.2.1.2.2.1.%d", c))
		}
	}
	for c := 1; c <= 19; c++ {
		all = append(all, fmt.Sprintf("1.3.6.1.2.1.31.1.1.1.%d", c))
	}
	return all
}()

// used is the processor time of this process, or of its children.
func used(b *testing.B, who int) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(who, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// report writes how fast objects came and what 1,000 cost.
func report(b *testing.B, objects int, took, cpu time.Duration) {
	b.ReportMetric(float64(objects)/took.Seconds(), "objects/s")
	b.ReportMetric(float64(cpu.Microseconds())/float64(objects)*1000, "µs-cpu/1000objects")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkDevice reads IF-MIB's tables of one device: by Walk, by snmpbulkwalk,
// and by the cheapest asker there can be, which decodes nothing: so fast is the
// responder.
func BenchmarkDevice(b *testing.B) {
	const ports = 2000
	r := lab.Respond(b, 1, interfaces(ports))
	address := r.Addresses[0]
	b.Run("responder", func(b *testing.B) {
		request, err := hex.DecodeString("302602010104067075626c6963a519020101020100020140300e300c06082b060102010202010500")
		if err != nil {
			b.Fatal(err)
		}
		const askers = 8
		answers := b.N * 1000
		var wait sync.WaitGroup
		began, cpu := time.Now(), used(b, syscall.RUSAGE_SELF)
		objects, bytesRead := 0, 0
		var mutex sync.Mutex
		for range askers {
			wait.Go(func() {
				conn, err := net.Dial("udp", address)
				if err != nil {
					b.Error(err)
					return
				}
				defer conn.Close()
				_ = conn.SetDeadline(time.Now().Add(time.Minute))
				buffer := make([]byte, 4096)
				got, size := 0, 0
				for range answers / askers {
					if _, err := conn.Write(request); err != nil {
						b.Error(err)
						return
					}
					n, err := conn.Read(buffer)
					if err != nil {
						b.Error(err)
						return
					}
					if got == 0 {
						got = bytes.Count(buffer[:n], []byte{0x06, 0x0b}) + bytes.Count(buffer[:n], []byte{0x06, 0x0a})
					}
					size += n
				}
				mutex.Lock()
				objects += got * (answers / askers)
				bytesRead += size
				mutex.Unlock()
			})
		}
		wait.Wait()
		report(b, max(objects, 1), time.Since(began), used(b, syscall.RUSAGE_SELF)-cpu)
		b.ReportMetric(float64(answers)/time.Since(began).Seconds(), "answers/s")
	})
	b.Run("Walk", func(b *testing.B) {
		began, cpu, objects, known := time.Now(), used(b, syscall.RUSAGE_SELF), 0, 0
		for range b.N {
			s, err := snmp.Open(b.Context(), address, snmp.Credentials{Community: "public"}, snmp.Patience{})
			if err != nil {
				b.Fatal(err)
			}
			err = s.Walk(b.Context(), columns, func(_ int, _ string, v snmp.Value) {
				if _, number := v.Int(); number || v.Text() != "" {
					known++
				}
			})
			if err != nil {
				b.Fatal(err)
			}
			objects += s.Stats().Objects
			s.Close()
		}
		if known < b.N*ports*len(columns) {
			b.Fatalf("%d objects, want %d", known, b.N*ports*len(columns))
		}
		report(b, known, time.Since(began), used(b, syscall.RUSAGE_SELF)-cpu)
		b.ReportMetric(float64(objects)/float64(known), "asked/object")
	})
	b.Run("snmpbulkwalk", func(b *testing.B) {
		program, err := exec.LookPath("snmpbulkwalk")
		if err != nil {
			b.Skip("snmpbulkwalk is not installed (package snmp)")
		}
		began, cpu := time.Now(), used(b, syscall.RUSAGE_CHILDREN)
		for range b.N {
			for _, table := range tables {
				cmd := exec.Command(program, "-v2c", "-cpublic", "-Cr25", "-On", "-m", "", address, table)
				if err := cmd.Run(); err != nil { // output is discarded
					b.Fatal(err)
				}
			}
		}
		report(b, b.N*ports*len(columns), time.Since(began), used(b, syscall.RUSAGE_CHILDREN)-cpu)
	})
}
