package gear

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"constat/collector/store"
	"constat/collector/store/storetest"
	"constat/internal/lab"
	"constat/internal/snmp"
	deskv1 "constat/proto/constat/desk/v1"
)

// playAt has a device answer at an address of its own, until the test ends.
func playAt(t *testing.T, address, community string, d device) {
	t.Helper()
	program, err := exec.LookPath("snmpsimd")
	lab.Need(t, "snmpsim", err == nil)
	dir, err := os.MkdirTemp("", "constat-snmp-") // not t.TempDir: what root starts gives its rights up
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	cache := filepath.Join(dir, "cache")
	if err := os.WriteFile(filepath.Join(dir, community+".snmprec"), []byte(d.recording()), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(cache, 0o777); err != nil {
		t.Fatal(err)
	}
	_ = os.Chmod(cache, 0o777)
	_ = os.Chmod(dir, 0o755)
	args := []string{"--data-dir=" + dir, "--cache-dir=" + cache, "--agent-udpv4-endpoint=" + address, "--logging-method=null"}
	if os.Getuid() == 0 {
		args = append(args, "--process-user=nobody", "--process-group=nogroup")
	}
	cmd := exec.Command(program, args...)
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for {
		s, err := snmp.Open(ctx, address, snmp.Credentials{Community: community}, snmp.Patience{Timeout: 300 * time.Millisecond, Retries: -1})
		if err != nil {
			t.Fatal(err)
		}
		_, err = s.Get(ctx, sysObjectID)
		s.Close()
		if err == nil {
			return
		}
		if ctx.Err() != nil {
			t.Fatalf("snmpsim does not answer: %v\n%s", err, output.Bytes())
		}
	}
}

// Six devices: a core, two floors behind it, one behind a floor, one of another
// maker that speaks LLDP only, and one whose community is another.
func TestDiscover(t *testing.T) {
	_, port, _ := net.SplitHostPort(lab.FreeAddress(t, "udp"))
	at := func(n int) string { return fmt.Sprintf("127.0.1.%d", n) }
	hears := func(d device, ifIndex int, name, address, capabilities string) device {
		ip := net.ParseIP(address).To4()
		return d.neighbour(ifIndex, name, "Gi1/1/1", capabilities).
			set(fmt.Sprintf("1.3.6.1.4.1.9.9.23.1.2.1.1.4.%d.1", ifIndex), hexType, fmt.Sprintf("%x", []byte(ip)))
	}
	const aSwitch, aPhone = "00000029", "00000490"
	core := fabricSwitch("core-1", "02:aa:00:00:01:00", 4)
	hears(core, 10101, "floor-1", at(2), aSwitch)
	hears(core, 10102, "floor-2", at(3), aSwitch)
	hears(core, 10103, "locked", at(6), aSwitch)
	hears(core, 10104, "elsewhere", "203.0.113.9", aSwitch)
	floor1 := fabricSwitch("floor-1", "02:aa:00:00:02:00", 4)
	hears(floor1, uplink, "core-1", at(1), aSwitch)
	hears(floor1, 10101, "SEP001122334455", at(77), aPhone)
	hears(floor1, 10102, "attic", at(4), aSwitch)
	floor2 := fabricSwitch("floor-2", "02:aa:00:00:03:00", 4)
	hears(floor2, uplink, "core-1", at(11), aSwitch) // the core by another address
	// Another maker's, which LLDP names with its address.
	lldp := func(column int) string { return fmt.Sprintf("1.0.8802.1.1.2.1.4.1.1.%d.0.3.1", column) }
	floor2.set("1.0.8802.1.1.2.1.3.7.1.3.3", textType, "Gi1/0/3").
		set(lldp(4), integerType, 4).set(lldp(5), hexType, "02aa00000500").set(lldp(6), integerType, 5).set(lldp(7), textType, "g1").set(lldp(9), textType, "netgear-5").set(lldp(12), hexType, "2000").
		set("1.0.8802.1.1.2.1.4.2.1.3.0.3.1.1.4.127.0.1.5", integerType, 2)
	attic := fabricSwitch("attic", "02:aa:00:00:04:00", 4)
	other := device{}.set("1.3.6.1.2.1.1.1.0", textType, "GS108T").set("1.3.6.1.2.1.1.2.0", oidType, "1.3.6.1.4.1.4526.100.4.8").set("1.3.6.1.2.1.1.3.0", ticksType, 4000).
		set("1.3.6.1.2.1.1.5.0", textType, "netgear-5").set("1.3.6.1.2.1.17.1.1.0", hexType, "02aa00000500").port(1, "g1", "02aa00000501")
	locked := fabricSwitch("locked", "02:aa:00:00:06:00", 4)
	for n, d := range map[int]device{1: core, 2: floor1, 3: floor2, 4: attic, 5: other, 11: core} {
		playAt(t, net.JoinHostPort(at(n), port), "floors", d)
	}
	playAt(t, net.JoinHostPort(at(6), port), "hidden", locked)
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		p := newPlant(t, s)
		p.community("floors", "floors")
		p.community("old", "nobody")
		told := func(r *deskv1.DiscoverGearRequest) []string {
			t.Helper()
			found, err := p.Discover(t.Context(), r)
			if err != nil {
				t.Fatal(err)
			}
			var lines []string
			for _, d := range found.GetDevices() {
				lines = append(lines, strings.TrimSpace(fmt.Sprintln(d.GetAddress(), d.GetIdentity().GetName(), d.GetResult(), d.GetDepth(), d.GetBy(), d.GetSameAs())))
			}
			return lines
		}
		want := func(what string, got, want []string) {
			t.Helper()
			if !slices.Equal(got, want) {
				t.Errorf("%s:\n%s\nwant\n%s", what, strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
		}
		seed := func() *deskv1.DiscoverGearRequest {
			return &deskv1.DiscoverGearRequest{
				Seeds: []string{net.JoinHostPort(at(1), port)}, Credentials: []string{"old", "floors"}, Allow: []string{"127.0.1.0/24"}, PacketsPerSecond: 400, Site: "head office",
			}
		}
		all := []string{
			"127.0.1.1 core-1 found 0 seed", "127.0.1.2 floor-1 found 1 CDP of core-1", "127.0.1.3 floor-2 found 1 CDP of core-1",
			"127.0.1.4 attic found 2 CDP of floor-1", "127.0.1.5 netgear-5 found 2 LLDP of floor-2", "127.0.1.6  silent 1 CDP of core-1",
			"127.0.1.11 core-1 same 2 CDP of floor-2 127.0.1.1", "203.0.113.9  notAllowed 1 CDP of core-1",
		}
		want("from a seed", told(seed()), all)
		if list, err := p.desk.Devices(t.Context()); err != nil || len(list.GetDevices()) != 0 {
			t.Errorf("looking alone added %v (%v)", list, err)
		}
		near := seed()
		near.Depth = 1
		want("one device far", told(near), []string{all[0], all[1], all[2], all[5], all[7]})
		fenced := seed()
		fenced.Allow = []string{"127.0.1.0/30"}
		want("within a fence", told(fenced), []string{
			all[0], all[1], all[2], "127.0.1.4  notAllowed 2 CDP of floor-1", "127.0.1.5  notAllowed 2 LLDP of floor-2", "127.0.1.6  notAllowed 1 CDP of core-1",
			"127.0.1.11  notAllowed 2 CDP of floor-2", all[7],
		})
		for what, r := range map[string]*deskv1.DiscoverGearRequest{
			"nothing to begin with":    {Credentials: []string{"floors"}},
			"no credential":            {Seeds: []string{at(1)}},
			"a credential of nobody's": {Seeds: []string{at(1)}, Credentials: []string{"gone"}},
			"a range of all":           {Ranges: []string{"10.0.0.0/8"}, Credentials: []string{"floors"}},
			"a range beyond the fence": {Ranges: []string{"127.0.1.0/28"}, Allow: []string{"127.0.1.0/30"}, Credentials: []string{"floors"}},
			"a pace that is felt":      {Seeds: []string{at(1)}, Credentials: []string{"floors"}, PacketsPerSecond: 100_000},
		} {
			if _, err := p.Discover(t.Context(), r); err == nil {
				t.Errorf("%s was taken", what)
			}
		}
		// A range: who answers is listed, who does not is counted.
		sweep := seed()
		sweep.Ranges, sweep.Depth = []string{"127.0.1.0/28"}, 1
		swept, err := p.Discover(t.Context(), sweep)
		if err != nil || swept.GetSilent() != 8 || swept.GetAsked() != 14 {
			t.Errorf("%d of %d were silent (%v)", swept.GetSilent(), swept.GetAsked(), err)
		}
		// Added, each once; met again they are known.
		adding := seed()
		adding.Add = true
		want("adding", told(adding), all)
		list, err := p.desk.Devices(t.Context())
		if err != nil || len(list.GetDevices()) != 5 {
			t.Fatalf("added %v (%v)", list, err)
		}
		if d := list.GetDevices()[0]; d.GetCredential() != "floors" || d.GetSite() != "head office" {
			t.Errorf("added as %v", d)
		}
		p.turn(0)
		for _, line := range told(seed()) {
			if strings.Contains(line, " found ") {
				t.Errorf("a known device is new: %s", line)
			}
		}
		if strings.Contains(p.log.String(), "nobody") {
			t.Error("the log tells a community")
		}
	})
}

// A range leaves the network's own address and that of all in it out.
func TestHosts(t *testing.T) {
	for text, want := range map[string]string{
		"192.0.2.0/30": "192.0.2.1 192.0.2.2", "192.0.2.4/31": "192.0.2.4 192.0.2.5", "192.0.2.7/32": "192.0.2.7", "2001:db8::/126": "2001:db8::1 2001:db8::2 2001:db8::3",
	} {
		var got []string
		for a := range hosts(mustPrefix(t, text)) {
			got = append(got, a.String())
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s is %v", text, got)
		}
	}
}

func mustPrefix(t *testing.T, text string) netip.Prefix {
	t.Helper()
	p, err := netip.ParsePrefix(text)
	if err != nil {
		t.Fatal(err)
	}
	return p
}
