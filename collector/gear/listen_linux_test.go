package gear

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http/httptest"
	"net/netip"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"constat/collector/store"
	"constat/collector/store/query"
	"constat/collector/store/storetest"
	"constat/internal/identity"
	"constat/internal/lab"
	deskv1 "constat/proto/constat/desk/v1"
	constatv1 "constat/proto/constat/v1"
)

// listening is a listener of a plant, at addresses of its own.
type listening struct {
	*plant
	*Listener
	traps, syslog, streams, secure string
}

func (p *plant) listen() *listening {
	p.Helper()
	l, err := p.NewListener(p.Context())
	if err != nil {
		p.Fatal(err)
	}
	on := &listening{plant: p, Listener: l}
	packets := func() (net.PacketConn, string) {
		conn, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			p.Fatal(err)
		}
		return conn, conn.LocalAddr().String()
	}
	open := func() (net.Listener, string) {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			p.Fatal(err)
		}
		return listener, listener.Addr().String()
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 5)
	run := func(part func() error) { go func() { ended <- part() }() }
	traps, lines := net.PacketConn(nil), net.PacketConn(nil)
	traps, on.traps = packets()
	lines, on.syslog = packets()
	streams, address := open()
	on.streams = address
	secure, address := open()
	on.secure = address
	authority, err := identity.NewAuthority(time.Now())
	if err != nil {
		p.Fatal(err)
	}
	config, err := authority.ServerTLS([]string{"127.0.0.1"}, time.Now)
	if err != nil {
		p.Fatal(err)
	}
	run(func() error { l.Run(ctx); return nil })
	run(func() error { return l.Traps(ctx, traps) })
	run(func() error { return l.Syslog(ctx, lines) })
	run(func() error { return l.SyslogStreams(ctx, streams) })
	run(func() error {
		return l.SyslogStreams(ctx, tls.NewListener(secure, &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: config.GetCertificate}))
	})
	p.Cleanup(func() {
		stop()
		for range 5 {
			if err := <-ended; err != nil {
				p.Error(err)
			}
		}
	})
	return on
}

// until waits for a condition.
func (on *listening) until(what string, holds func() bool) {
	on.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !holds() {
		if time.Now().After(deadline) {
			on.Fatalf("%s: not within 20 s\n%s", what, on.log.String())
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func (on *listening) run(program string, args ...string) {
	on.Helper()
	if out, err := exec.CommandContext(on.Context(), program, args...).CombinedOutput(); err != nil {
		on.Fatalf("%s: %v\n%s", program, err, out)
	}
}

func (on *listening) events() []*constatv1.GearEvent {
	on.Helper()
	return on.device("sw-floor-2").GetEvents()
}

// counted is what the metrics say of it.
func counted(source, result string) (n float64) {
	page := httptest.NewRecorder()
	promhttp.Handler().ServeHTTP(page, httptest.NewRequest("GET", "/metrics", nil))
	for line := range strings.Lines(page.Body.String()) {
		if rest, ok := strings.CutPrefix(line, fmt.Sprintf("constat_gear_notices_total{result=%q,source=%q} ", result, source)); ok {
			fmt.Sscan(rest, &n)
		}
	}
	return n
}

// A switch tells by traps and syslog, sent by others' programs, what happens: its
// ports and its faults are as it says at once, it is polled soon, and what came
// stands in its timeline. Of strangers nothing is kept.
func TestListener(t *testing.T) {
	for _, program := range []string{"snmptrap", "snmpinform", "logger"} {
		_, err := exec.LookPath(program)
		lab.Need(t, program, err == nil)
	}
	played := lab.Play(t, lab.Recording{Community: "floors", Text: switchOf(8).recording()},
		lab.Recording{Community: "off", Text: switchOf(8).errDisabled(desk5, 2).recording()})
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		p := newPlant(t, s)
		p.community("floors", "floors")
		p.add(played.Address, "floors")
		if p.turn(0) != 1 || p.turn(0) != 0 {
			t.Fatal("it is not polled once")
		}
		on := p.listen()
		host, port, _ := net.SplitHostPort(on.syslog)

		// An err-disable by syslog: known before any poll, by its cause, with the time.
		on.run("logger", "-n", host, "-P", port, "-d", "--rfc3164", "-p", "local7.warning", "-t", "94",
			"*Mar  1 18:48:50.483: %PM-4-ERR_DISABLE: bpduguard error detected on Gi1/0/5, putting Gi1/0/5 in err-disable state")
		on.until("the err-disable", func() bool { return len(on.events()) == 1 })
		d := p.device("sw-floor-2")
		i := portOf(d.GetGear())
		if i.GetErrDisableCause() != "bpduGuard" || i.GetOperStatus() != "down" || i.GetLastEvent().GetSource() != "syslog" ||
			!i.GetLastEvent().GetAt().AsTime().Equal(p.at.Truncate(time.Millisecond)) || i.GetLastEvent().GetIfIndex() != desk5 {
			t.Errorf("the port is %v", i)
		}
		if !slices.Equal(d.GetDevice().GetFaults(), []string{"cisco-errdisable-bpduguard"}) {
			t.Errorf("faults %v", d.GetDevice().GetFaults())
		}
		if e := d.GetDiagnosis().GetRootCauses()[0].GetEvidence(); len(e) == 0 || e[0].GetSource() != "snmp, syslog" {
			t.Errorf("evidence %v", e)
		}
		// It is polled at once, and only once for what comes together.
		on.run("logger", "-n", host, "-P", port, "-d", "--rfc5424", "-p", "local7.err", "%LINK-3-UPDOWN: Interface GigabitEthernet1/0/5, changed state to down")
		on.until("the link", func() bool { return len(on.events()) == 2 })
		p.seal("floors", "off")
		if n := p.turn(rest); n != 1 {
			t.Errorf("%d polls after an event", n)
		}
		if g := p.device("sw-floor-2").GetGear(); portOf(g).GetErrDisableCause() != "bpduGuard" || len(g.GetEvents()) != 2 || portOf(g).GetLastEvent() == nil {
			t.Errorf("after the poll: %v, %d events", portOf(g), len(g.GetEvents()))
		}
		p.turn(0)
		p.turn(0)

		// The same again within a minute is counted.
		for range 3 {
			on.run("logger", "-n", host, "-P", port, "-d", "--rfc5424", "-p", "local7.err", "%LINK-3-UPDOWN: Interface GigabitEthernet1/0/5, changed state to down")
		}
		on.until("the repetitions", func() bool {
			return len(on.events()) == 2 && slices.ContainsFunc(on.events(), func(e *constatv1.GearEvent) bool { return e.GetCount() == 4 })
		})

		// TCP, and TLS.
		streamHost, streamPort, _ := net.SplitHostPort(on.streams)
		on.run("logger", "-n", streamHost, "-P", streamPort, "-T", "--octet-count", "-p", "local7.notice", "%SYS-5-CONFIG_I: Configured from console by admin on vty0 (192.0.2.7)")
		on.until("a line over TCP", func() bool { return len(on.events()) == 3 })
		conn, err := tls.Dial("tcp", on.secure, &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12})
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprint(conn, "<188>3: %CDP-4-DUPLEX_MISMATCH: duplex mismatch discovered on GigabitEthernet1/0/7 (not half duplex)\n")
		on.until("a line over TLS", func() bool { return len(on.events()) == 4 })
		_ = conn.Close()

		// Traps of every version, and an inform that is answered.
		body := []string{on.traps, "", "1.3.6.1.4.1.9.9.548.0.1.1", fmt.Sprintf("1.3.6.1.4.1.9.9.548.1.3.1.1.2.%d.0", desk5), "i", "9"}
		on.run("snmptrap", append([]string{"-v2c", "-c", "floors"}, body...)...) // that was the password of before
		on.run("snmptrap", append([]string{"-v2c", "-c", "off"}, body...)...)
		on.until("the trap", func() bool {
			return portOf(p.device("sw-floor-2").GetGear()).GetErrDisableCause() == "portSecurityViolation"
		})
		on.run("snmpinform", "-v2c", "-c", "off", "-r", "0", on.traps, "", "1.3.6.1.4.1.9.9.13.3.0.9")
		if e := on.events()[0]; e.GetKind() != "powerSupply" || e.GetMnemonic() != "ciscoEnvMonSuppStatusChangeNotif" || e.GetSource() != "snmpTrap" {
			t.Errorf("an inform was answered that is not kept: %v", on.events())
		}
		if n := len(on.events()); n != 6 {
			t.Errorf("%d events, want 6: a trap with another community was kept", n)
		}

		// Who is no gear of ours is counted and not kept, over UDP and TCP; what makes no
		// sense too.
		strangers := counted("syslog", "unknownSender")
		other, err := (&net.Dialer{LocalAddr: &net.UDPAddr{IP: net.IPv4(127, 0, 0, 9)}}).Dial("udp", on.syslog)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprint(other, "<188>94: %PM-4-ERR_DISABLE: bpduguard error detected on Gi1/0/6, putting Gi1/0/6 in err-disable state")
		fromElsewhere, err := (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 9)}}).Dial("tcp", on.streams)
		if err != nil {
			t.Fatal(err)
		}
		if n, err := fromElsewhere.Read(make([]byte, 1)); err == nil {
			t.Errorf("a stranger's stream is answered by %d bytes", n)
		}
		on.until("the strangers", func() bool { return counted("syslog", "unknownSender") == strangers+2 })

		// One that tells without end is cut short, and the rest of the collector lives.
		limited, kept := counted("syslog", "limited"), len(on.events())
		flood, err := net.Dial("udp", on.syslog)
		if err != nil {
			t.Fatal(err)
		}
		on.until("the limit", func() bool {
			for range 50 {
				fmt.Fprint(flood, "<187>3: %SNMP-3-AUTHFAIL: Authentication failure for SNMP req from host 192.0.2.66")
			}
			return counted("syslog", "limited") > limited
		})
		on.until("the flood", func() bool { return len(on.events()) == kept+1 })
		// One that refuses us is not asked because it tells something.
		p.write(func(ctx context.Context, q *query.Queries) error {
			g, err := q.GearByAddress(ctx, played.Address)
			if err != nil || len(g) != 1 {
				return fmt.Errorf("%d devices (%w)", len(g), err)
			}
			if _, err := q.ClaimGear(ctx, query.ClaimGearParams{Owner: p.owner, Until: store.Millis(p.at.Add(time.Hour)), Now: store.Millis(p.at.Add(time.Hour)), MaxRows: 1}); err != nil {
				return err
			}
			_, err = q.FinishGear(ctx, query.FinishGearParams{
				ID: g[0].ID, LeaseOwner: p.owner, Name: g[0].Name, NameKey: g[0].NameKey, State: "authFailed", DueAt: store.Millis(p.at.Add(2 * time.Hour)), WholeDueAt: g[0].WholeDueAt,
			})
			return err
		})
		before := len(on.events())
		on.run("logger", "-n", host, "-P", port, "-d", "--rfc5424", "-p", "local7.err", "%LINK-3-UPDOWN: Interface GigabitEthernet1/0/8, changed state to down")
		p.at = p.at.Add(time.Minute) // the flood has left something to say
		on.until("one that refuses us", func() bool {
			fmt.Fprint(flood, "<187>3: %LINK-3-UPDOWN: Interface GigabitEthernet1/0/8, changed state to down")
			return len(on.events()) > before
		})
		if n := p.turn(rest); n != 0 {
			t.Errorf("%d polls of a device that refuses us", n)
		}
		for _, secret := range []string{"floors\"", "community=off"} {
			if strings.Contains(p.log.String(), secret) {
				t.Errorf("the log tells %q:\n%s", secret, p.log.String())
			}
		}
	})
}

// A device may tell something as soon as it is added, and no more once it is removed;
// so may one that another collector of the same database has just got.
func TestListenerKnowsAtOnce(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		p := newPlant(t, s)
		p.community("floors", "x")
		l, err := p.NewListener(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		l.every = time.Hour
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { l.Run(ctx); close(ended) }()
		defer func() { stop(); <-ended }()
		first, second, third := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2"), netip.MustParseAddr("192.0.2.3")
		if n := len(l.from(ctx, "snmpTrap", first)); n != 0 {
			t.Errorf("%d devices of which there is none", n)
		}
		p.add("192.0.2.1", "floors")
		if n := len(l.from(ctx, "snmpTrap", first)); n != 1 {
			t.Errorf("%d devices, just added", n)
		}
		gone := p.device("192.0.2.1").GetDevice().GetId()
		if err := p.Remove(ctx, gone); err != nil {
			t.Fatal(err)
		}
		if n := len(l.from(ctx, "snmpTrap", first)); n != 0 {
			t.Errorf("%d devices, just removed", n)
		}
		// It is known by an address of its own as soon as a poll has read that.
		played := lab.Play(t, lab.Recording{Community: "x", Text: switchOf(1).set("1.3.6.1.2.1.4.20.1.2.192.0.2.3", integerType, uplink).recording()})
		p.add(played.Address, "floors")
		if l.from(ctx, "snmpTrap", third); p.turn(0) != 1 {
			t.Fatal("it was not polled")
		}
		if n := len(l.from(ctx, "snmpTrap", third)); n != 1 {
			t.Errorf("%d devices at an address of its own", n)
		}
		other := NewWatch(s, p.key, p.catalog, p.Watch.log)
		if err := other.Add(ctx, "192.0.2.2", "floors", ""); err != nil {
			t.Fatal(err)
		}
		wait(t, "one that another collector has", func() bool { return len(l.from(ctx, "snmpTrap", second)) == 1 })
	})
}

// Traps of SNMPv3 are opened by the device's own credential.
func TestListenerSecure(t *testing.T) {
	_, err := exec.LookPath("snmptrap")
	lab.Need(t, "snmptrap", err == nil)
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		p := newPlant(t, s)
		err := p.PutCredential(t.Context(), &deskv1.PutCredentialRequest{
			Name: "core", User: "mon", Auth: "sha256", AuthPassword: "a long secret", Privacy: "aes", PrivacyPassword: "another secret",
		})
		if err != nil {
			t.Fatal(err)
		}
		p.community("v2", "floors")
		f := &fabric{}
		f.add("sw-floor-2", 8)
		p.polled(f)
		if err := p.Add(t.Context(), "127.0.0.1:16100", "core", ""); err != nil {
			t.Fatal(err)
		}
		on := p.listen()
		args := []string{"-v3", "-u", "mon", "-l", "authPriv", "-a", "SHA-256", "-A", "a long secret", "-x", "AES", "-X", "another secret"}
		on.run("snmptrap", append(slices.Clone(args), "-e", "0x8000000903005056aabbcc", on.traps, "", "1.3.6.1.6.3.1.1.5.1")...)
		told := func() []*constatv1.GearEvent { return p.device("127.0.0.1:16100").GetEvents() }
		on.until("a trap of SNMPv3", func() bool { return len(told()) == 1 })
		on.run("snmpinform", append(slices.Clone(args), "-r", "1", on.traps, "", "1.3.6.1.6.3.1.1.5.5")...)
		if e := told(); len(e) != 2 || e[0].GetKind() != "authenticationFailure" || e[1].GetKind() != "restarted" {
			t.Errorf("told %v", e)
		}
	})
}
