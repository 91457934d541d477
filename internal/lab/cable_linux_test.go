package lab

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"constat/internal/snmp"
	deskv1 "constat/proto/constat/desk/v1"
)

// The switch's port at which the machine is, and its way up.
const (
	deskPort   = 10105
	deskUplink = 10149
)

// collectorAddress is on the loopback of whoever talks to it: the management
// network stays when the cable goes.
const collectorAddress = "127.0.0.1:7443"

// vlans are those of the switch.
var vlans = []int{1, 10, 99}

// cdpCache is cdpCacheTable, of whom the switch hears.
const cdpCache = "1.3.6.1.4.1.9.9.23.1.2.1.1."

// management composes a device's recording: kind and value by OID.
type management map[string]string

func (d management) set(oid, kind string, value any) management {
	d[oid] = fmt.Sprintf("%s|%v", kind, value)
	return d
}

// without takes a table away.
func (d management) without(prefix string) management {
	maps.DeleteFunc(d, func(oid, _ string) bool { return strings.HasPrefix(oid, prefix) })
	return d
}

func (d management) recording() string {
	var text strings.Builder
	for _, oid := range slices.SortedFunc(maps.Keys(d), func(a, b string) int { return slices.Compare(snmp.Index(a), snmp.Index(b)) }) {
		fmt.Fprintf(&text, "%s|%s\n", oid, d[oid])
	}
	return text.String()
}

// deskSwitch is a healthy switch of eight ports and a way up, in the shape of a
// Catalyst 2960-X.
func deskSwitch(name string, serial int) management {
	d := management{}
	d.set("1.3.6.1.2.1.1.1.0", "4", "Cisco IOS Software, C2960X Software (C2960X-UNIVERSALK9-M), Version 15.2(7)E4, RELEASE SOFTWARE (fc2)")
	d.set("1.3.6.1.2.1.1.2.0", "6", "1.3.6.1.4.1.9.1.1208").set("1.3.6.1.2.1.1.3.0", "67", 864000000).set("1.3.6.1.2.1.1.5.0", "4", name)
	d.set("1.3.6.1.2.1.47.1.1.1.1.5.1001", "2", 3).set("1.3.6.1.2.1.47.1.1.1.1.11.1001", "4", fmt.Sprintf("FOC1729X%03d", serial)).set("1.3.6.1.2.1.47.1.1.1.1.13.1001", "4", "WS-C2960X-24PS-L")
	ports := map[int]string{deskUplink: "1/1"}
	for n := 1; n <= 8; n++ {
		ports[10100+n] = fmt.Sprintf("0/%d", n)
	}
	for i, place := range ports {
		column := func(oid, kind string, value any) { d.set(fmt.Sprintf("%s.%d", oid, i), kind, value) }
		column("1.3.6.1.2.1.2.2.1.2", "4", "GigabitEthernet1/"+place)
		column("1.3.6.1.2.1.2.2.1.3", "2", 6)
		column(ifAdminStatus, "2", 1)
		column(ifOperStatus, "2", 1)
		column("1.3.6.1.2.1.2.2.1.9", "67", 8640000)
		column("1.3.6.1.2.1.2.2.1.14", "65", 0)
		column(outDiscards, "65", 0)
		column(fcsErrors, "65", 0)
		column(lateCollision, "65", 0)
		column(duplexStatus, "2", 3)
		column("1.3.6.1.2.1.31.1.1.1.1", "4", "Gi1/"+place)
		column("1.3.6.1.2.1.31.1.1.1.6", "70", 1<<40)
		column(inPackets, "70", 1000)
		column(outOctets, "70", 1<<40)
		column("1.3.6.1.2.1.31.1.1.1.15", "66", 1000)
		trunk := 2
		if i == deskUplink {
			trunk = 1
		} else {
			column("1.3.6.1.4.1.9.9.68.1.2.2.1.2", "2", 10)
			d.set(fmt.Sprintf("%s.%d", powerState, i-10100), "2", 2).set(fmt.Sprintf("%s.%d", powerStatus, i-10100), "4x", "00")
		}
		column("1.3.6.1.4.1.9.9.46.1.6.1.1.14", "2", trunk)
	}
	for _, vlan := range vlans {
		d.set(fmt.Sprintf("1.3.6.1.4.1.9.9.46.1.3.1.1.2.1.%d", vlan), "2", 1)
	}
	d.set(atUplink(trunkVLANs), "4x", strings.Repeat("f", 256))
	d.set(atPort("1.3.6.1.2.1.31.1.1.1.18"), "4", "Accounts, room 214")
	d.set(atUplink(cdpCache+"6")+".1", "4", "core-1").set(atUplink(cdpCache+"7")+".1", "4", "GigabitEthernet0/1")
	return d.set(atUplink(cdpCache+"9")+".1", "4x", "00000029")
}

// voice is the name of the switch at the other end, as it says on the wire. While
// it waits for its row, a switch bears another.
const voice = "sw-floor-2"

func switchName(i int) string { return fmt.Sprintf("idle-%d", i+1) }

// cable is a machine with the real agent, the switch at the other end of its
// cable, and a real collector that asks both.
type cable struct {
	*scene
	t *testing.T
	// dir holds everything, agent and collector are the programs, mac is the
	// machine's.
	dir, agent, collector, mac string
	// token opens the collector.
	token string
	// plays are the addresses of the switches' management.
	plays   []string
	snmpsim *exec.Cmd
}

func newCable(t *testing.T) *cable {
	Need(t, "root, to make network namespaces", os.Geteuid() == 0)
	_, err := exec.LookPath("snmpsimd")
	Need(t, "snmpsim", err == nil)
	c := &cable{scene: newScene(t, plain(), drawing("cable")), t: t, dir: t.TempDir()}
	authority := filepath.Dir(c.authority.File)
	for _, d := range []string{c.dir, filepath.Dir(c.dir), authority, filepath.Dir(authority)} { // programs give up root's rights
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, d := range []string{"recordings", "cache", "collector"} {
		if err := errors.Join(os.Mkdir(c.path(d), 0o777), os.Chmod(c.path(d), 0o777)); err != nil {
			t.Fatal(err)
		}
	}
	c.Own(PC, "/run/wpa_supplicant") // for all that runs there
	c.mac = strings.Fields(c.Run(PC, "cat", "/sys/class/net/"+c.Adapter+"/address"))[0]
	c.agent, c.collector = buildAgent(t), c.path("constat-collector")
	if out, err := exec.Command("go", "build", "-tags", "grpcnotrace", "-o", c.collector, "constat/collector").CombinedOutput(); err != nil {
		t.Fatalf("building the collector: %v\n%s", err, out)
	}
	return c
}

func (c *cable) path(name string) string { return filepath.Join(c.dir, name) }

// during has what a row does end with it.
func (c *cable) during(t *testing.T) (end func()) {
	outer, world := c.t, c.World.t
	c.t, c.World.t = t, t
	return func() { c.t, c.World.t = outer, world }
}

// number gives the machine what unnumber took.
func (c *cable) number() {
	c.numberPC()
	if c.Local6.IsValid() {
		c.numberPC6()
	}
}

// manages gives the switch of a row its management, before and after.
func (c *cable) manages(i int, row bothEnds) {
	before, after := deskSwitch(switchName(i), i), deskSwitch(voice, i)
	if row.before != nil {
		row.before(c, before)
		row.before(c, after)
	}
	after.set("1.3.6.1.2.1.1.3.0", "67", 864000000+3000)
	if row.after != nil {
		row.after(c, after)
	}
	c.plays = append(c.plays, fmt.Sprintf("127.0.0.%d:1161", 10+i))
	for name, d := range map[string]management{"before": before, "after": after} {
		community := switchName(i) + "-" + name
		c.write("recordings/"+community+".snmprec", d.recording())
		for _, vlan := range vlans { // of each the forwarding table, in which nobody is
			c.write(fmt.Sprintf("recordings/%s@%d.snmprec", community, vlan), "1.3.6.1.2.1.17.1.4.1.2.5|2|10105\n")
		}
	}
}

func (c *cable) write(name, text string) string {
	if err := os.WriteFile(c.path(name), []byte(text), 0o644); err != nil {
		c.t.Fatal(err)
	}
	return c.path(name)
}

// starts the switches' management, their voice on the wire, and the collector.
func (c *cable) starts(options ...string) {
	c.playsManagement()
	serve := c.Command(c.t.Context(), PC, c.collector, append([]string{"serve", "--data", c.path("collector"), "--grpc", collectorAddress, "--http", "127.0.0.1:0"}, options...)...)
	log, err := os.Create(c.path("collector.log"))
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { log.Close() })
	serve.Stderr = log
	run(c.t, serve)
	c.Await("the collector", func() error {
		conn, err := c.Dial(PC, "tcp", collectorAddress)
		if err != nil {
			return err
		}
		return conn.Close()
	})
	c.must("", "user", "add", "lea", "--role", "administrator")
	c.token = strings.TrimSpace(string(c.must("", "user", "token", "lea")))
	c.hasLLDP()
}

// playsManagement starts the switches' management.
func (c *cable) playsManagement() {
	args := []string{"--data-dir=" + c.path("recordings"), "--cache-dir=" + c.path("cache"), "--logging-method=null", "--process-user=nobody", "--process-group=nogroup"}
	for _, address := range c.plays {
		args = append(args, "--agent-udpv4-endpoint="+address)
	}
	c.snmpsim = c.Command(c.t.Context(), PC, "snmpsimd", args...)
	run(c.t, c.snmpsim)
}

// stopsManagement ends it, as a switch that is busy with itself.
func (c *cable) stopsManagement() {
	if err := c.snmpsim.Process.Signal(os.Interrupt); err != nil {
		c.t.Fatal(err)
	}
	c.Await("the switches' management to end", func() error {
		return c.inside(PC, func() error {
			own, err := net.ListenPacket("udp", c.plays[0])
			if err != nil {
				return err
			}
			return own.Close()
		})
	})
}

// ask runs a command of the collector.
func (c *cable) ask(stdin string, args ...string) ([]byte, error) {
	args = append(args, "--data", c.path("collector"))
	if args[0] == "gear" || args[0] == "ticket" {
		args = append(args, "--grpc", collectorAddress)
	}
	cmd := c.Command(c.t.Context(), PC, c.collector, args...)
	cmd.Env = append(os.Environ(), "CONSTAT_TOKEN="+c.token)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		err = fmt.Errorf("%v: %w: %s", args, err, exit.Stderr)
	}
	return out, err
}

func (c *cable) must(stdin string, args ...string) []byte {
	c.t.Helper()
	out, err := c.ask(stdin, args...)
	if err != nil {
		c.t.Fatal(err)
	}
	return out
}

// hasLLDP starts the switch's voice on the wire.
func (c *cable) hasLLDP() {
	daemon, err := exec.LookPath("lldpd")
	if err != nil {
		daemon, err = exec.LookPath("/usr/sbin/lldpd")
	}
	Need(c.t, "lldpd (package lldpd)", err == nil)
	run(c.t, c.Command(c.t.Context(), Switch, daemon, "-d", "-l", "-c", "-c", "-c", "-I", "pc0,desk*", "-P", "cisco WS-C2960X-24PS-L", "-u", c.path("lldpd.sock")))
	c.Await("lldpd", func() error { return c.lldp("resume") })
	if err := c.lldp("configure system hostname " + voice); err != nil {
		c.t.Fatal(err)
	}
	c.says("pc0", deskPort-10100)
}

func (c *cable) lldp(words string) error {
	out, err := c.Command(c.t.Context(), Switch, "lldpcli", append([]string{"-u", c.path("lldpd.sock")}, strings.Fields(words)...)...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("lldpcli %s: %w: %s", words, err, out)
	}
	return nil
}

// enrolled starts the agent's service on a host.
func (c *cable) enrolled(host string) {
	c.write(host+".yaml", c.policy(c.path(host)))
	token := c.write(host+".token", string(c.must("", "token", "create")))
	service := c.on(host, "run", "--collector", collectorAddress, "--token-file", token)
	log, err := os.Create(c.path(host + ".log"))
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { log.Close() })
	service.Stderr = log
	run(c.t, service)
	c.Await("the agent on "+host, func() error {
		out, err := c.on(host, "status").CombinedOutput()
		if err != nil {
			said, _ := os.ReadFile(log.Name())
			return fmt.Errorf("%w: %s\n%s", err, out, said)
		}
		return nil
	})
}

// on is a command of a host's agent. Each host has a name of its own.
func (c *cable) on(host string, args ...string) *exec.Cmd {
	args = append(args, "--config", c.path(host+".yaml"))
	cmd := c.Command(c.t.Context(), host, "unshare", append([]string{"--uts", "sh", "-c", `hostname "$0" && exec "$@"`, host, c.agent}, args...)...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "LANG=C.UTF-8", "SSL_CERT_FILE=" + c.authority.File}
	return cmd
}

// says has the switch announce a link of its as a port, as soon as it knows it.
func (c *cable) says(link string, port int) {
	name := fmt.Sprintf("GigabitEthernet1/0/%d", port)
	c.Await(link+" to be announced as "+name, func() error {
		for _, what := range []string{"portidsubtype local", "portdescription"} { // CDP tells the second
			if err := c.lldp(fmt.Sprintf("configure ports %s lldp %s %s", link, what, name)); err != nil {
				return err
			}
		}
		out, err := c.Command(c.t.Context(), Switch, "lldpcli", "-u", c.path("lldpd.sock"), "show", "interfaces", "ports", link).CombinedOutput()
		if err != nil || strings.Count(string(out), name) < 2 {
			return fmt.Errorf("%v: %s", err, out)
		}
		return nil
	})
}

// hears waits until a host's agent hears the switch, by both protocols.
func (c *cable) hears(host string) {
	c.Await(host+" to hear "+voice, func() error {
		for _, words := range []string{"resume", "update"} { // as announce does
			if err := c.lldp(words); err != nil {
				return err
			}
		}
		out, err := c.on(host, "facts", "--group", "network", "--json").Output()
		if err != nil || bytes.Count(out, fmt.Appendf(nil, "%q", voice)) < 2 {
			return fmt.Errorf("%v: %.300s", err, out)
		}
		return nil
	})
}

// managed has the collector read a switch by a community.
func (c *cable) managed(i int, community string) {
	c.must(fmt.Sprintf("%s-%s\n", switchName(i), community), "gear", "credential", "set", switchName(i))
}

// plugged puts a switch with a row's trouble at the other end, until the row ends.
func (c *cable) plugged(i int) {
	c.managed(i, "after")
	c.read(i, voice)
	c.t.Cleanup(func() {
		c.managed(i, "before")
		c.read(i, switchName(i))
	})
}

// apart is more than the collector wants between two polls to compare counters.
const apart = 22 * time.Second

// turns has the switches read while all is well, so long before they are read
// again that what they counted tells something.
func (c *cable) turns(meanwhile func()) {
	for i, address := range c.plays {
		c.managed(i, "before")
		c.must("", "gear", "add", address, "--credential", switchName(i))
	}
	for i := range c.plays {
		c.read(i, switchName(i))
	}
	last := time.Now()
	meanwhile()
	for tick := time.NewTicker(100 * time.Millisecond); time.Since(last) < apart; {
		<-tick.C
	}
}

// read waits until a switch was read under a name.
func (c *cable) read(i int, name string) {
	c.Await(c.plays[i]+" to be read as "+name, func() error {
		r := &deskv1.GetGearResponse{}
		err := c.answer(r, "gear", "show", c.plays[i])
		if err != nil || r.GetDevice().GetState() != "ok" || r.GetDevice().GetName() != name {
			return fmt.Errorf("%v: %v", err, r.GetDevice())
		}
		return nil
	})
}

// answer asks the collector for a message.
func (c *cable) answer(m proto.Message, args ...string) error {
	out, err := c.ask("", append(args, "--json")...)
	if err != nil {
		return err
	}
	if err := (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(out, m); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}

// told is what came of a complaint.
type told struct {
	*deskv1.GetTicketResponse
	number int
	// port is where the machine is, own what it said alone.
	port, own string
	took      time.Duration
}

// cause is what the ticket says now.
func (t told) cause() string { return t.GetTicket().GetRootCause() }

// complains opens a ticket on a host, and waits until it says a cause, where one
// is wanted, or for what it says instead.
func (c *cable) complains(host, cause string) (t told) {
	began := time.Now()
	out, err := c.on(host, "ticket", "new", "--complaint", "internet", "--text", "nothing works", "--wait", "30s", "--json").Output()
	if err != nil {
		c.t.Fatalf("%v: %s", err, out)
	}
	var opened struct{ Number int }
	if err := json.Unmarshal(out, &opened); err != nil || opened.Number == 0 {
		log, _ := os.ReadFile(c.path(host + ".log"))
		c.t.Fatalf("%v: %s\n%s", err, out, log)
	}
	if t.number = opened.Number; cause == "" {
		return t
	}
	t = c.ticket(opened.Number, cause)
	t.took = time.Since(began).Round(time.Millisecond)
	where := &deskv1.FindStationResponse{}
	if err := c.answer(where, "gear", "where", host); err != nil {
		c.t.Error(err)
	}
	t.port = strings.TrimSpace(where.GetAttachment().GetGearName() + " " + where.GetAttachment().GetPort().GetName())
	return t
}

// ticket reads a ticket as soon as it says a cause, or after a while.
func (c *cable) ticket(number int, cause string) (t told) {
	t.number = number
	for deadline, tick := time.Now().Add(patience), time.NewTicker(50*time.Millisecond); ; <-tick.C {
		t.GetTicketResponse = &deskv1.GetTicketResponse{}
		err := c.answer(t.GetTicketResponse, "ticket", "show", fmt.Sprint(number))
		if t.cause() == cause || time.Now().After(deadline) {
			if err != nil {
				c.t.Fatal(err)
			}
			break
		}
	}
	for _, e := range t.GetTimeline() {
		if d := e.GetDiagnosis(); d != nil && d.GetTrigger() != "collector" && t.own == "" && len(d.GetRootCauses()) > 0 {
			t.own = d.GetRootCauses()[0].GetFault()
		}
	}
	return t
}
