package lab

import (
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
)

// bothEnds is a fault of a cable, as the switch at its other end tells it and as
// the machine feels it.
type bothEnds struct {
	// fault is what the ticket must name first; the machine alone can't.
	fault, how string
	// before and after are rows of the switch's management.
	before, after func(c *cable, sw management)
	// feel is what happens to the machine's end.
	feel func(c *cable)
	// symptom is what the machine alone calls it; empty: as chance has it.
	symptom string
}

// Columns of the switch's tables, and the instances of the desk's port.
func atPort(column string) string   { return fmt.Sprintf("%s.%d", column, deskPort) }
func atUplink(column string) string { return fmt.Sprintf("%s.%d", column, deskUplink) }

const (
	ifOperStatus  = "1.3.6.1.2.1.2.2.1.8"
	ifAdminStatus = "1.3.6.1.2.1.2.2.1.7"
	fcsErrors     = "1.3.6.1.2.1.10.7.2.1.3"
	lateCollision = "1.3.6.1.2.1.10.7.2.1.8"
	duplexStatus  = "1.3.6.1.2.1.10.7.2.1.19"
	inPackets     = "1.3.6.1.2.1.31.1.1.1.7"
	outOctets     = "1.3.6.1.2.1.31.1.1.1.10"
	outDiscards   = "1.3.6.1.2.1.2.2.1.19"
	security      = "1.3.6.1.4.1.9.9.315.1.2.1.1"
	errDisable    = "1.3.6.1.4.1.9.9.548.1.3.1.1.2"
	powerState    = "1.3.6.1.2.1.105.1.1.1.6.1"
	powerStatus   = "1.3.6.1.4.1.9.9.402.1.2.1.5.1"
	trunkVLANs    = "1.3.6.1.4.1.9.9.46.1.6.1.1.4"
	session802    = "1.3.6.1.4.1.9.9.656.1.4.1.1"
)

// errDisabled switches the desk's port off for a cause of CErrDisableFeatureID.
func errDisabled(cause int) func(*cable, management) {
	return func(_ *cable, sw management) {
		sw.set(atPort(ifOperStatus), "2", 2).set(atPort(errDisable)+".0", "2", cause)
	}
}

var bothEndsRows = []bothEnds{
	{"cisco-errdisable-bpduguard", "BPDU guard", nil, errDisabled(2), (*cable).dies, "net-link-no-carrier"},
	{"cisco-errdisable-portsecurity", "port security switches the port off", nil, errDisabled(9), (*cable).dies, "net-link-no-carrier"},
	{"cisco-port-admin-down", "somebody shut the port", nil, func(_ *cable, sw management) {
		sw.set(atPort(ifOperStatus), "2", 2).set(atPort(ifAdminStatus), "2", 2)
	}, (*cable).dies, "net-link-no-carrier"},
	{"cisco-poe-denied", "the phone before the machine gets no power", nil, func(_ *cable, sw management) {
		sw.set(atPort(ifOperStatus), "2", 2).set(powerStatus+".5", "4x", "80") // deny
	}, (*cable).dies, "net-link-no-carrier"},
	{"cisco-uplink-down", "the switch lost its way up, and the neighbour there is no longer listed", nil, func(_ *cable, sw management) {
		sw.set(atUplink(ifOperStatus), "2", 2).set(atUplink("1.3.6.1.2.1.2.2.1.9"), "67", 864000000).without(cdpCache)
	}, func(c *cable) {
		c.IP(Switch, "link set gw0 down")
		c.t.Cleanup(func() { c.IP(Switch, "link set gw0 up") })
	}, "net-gateway-arp-unresolved"},
	{"cisco-portsecurity-restrict", "port security drops the machine's frames", func(c *cable, sw management) {
		c.secured(sw, 3)
	}, func(c *cable, sw management) { c.secured(sw, 57) }, (*cable).asksInVain, "net-dhcp-no-offer"},
	{"cisco-dhcp-snooping-block", "DHCP snooping does not trust the uplink", nil, func(_ *cable, sw management) {
		sw.set("1.3.6.1.4.1.9.9.380.1.2.1.1.2.10", "2", 1).set(atUplink("1.3.6.1.4.1.9.9.380.1.3.1.1.1"), "2", 2).set(atPort("1.3.6.1.4.1.9.9.380.1.3.1.1.1"), "2", 2)
	}, (*cable).asksInVain, "net-dhcp-no-offer"},
	{"cisco-trunk-vlan-not-allowed", "the uplink leaves the port's VLAN out", nil, func(_ *cable, sw management) {
		sw.set(atUplink(trunkVLANs), "4x", "4"+strings.Repeat("0", 255)) // VLAN 1 alone
	}, (*cable).asksInVain, "net-dhcp-no-offer"},
	// The machine knows why it was refused, so its own word stays the first.
	{"net-8021x-auth-failed", "the machine is refused at its sign-on, at both ends", nil, func(_ *cable, sw management) {
		sw.set(atPort(session802+".5")+".1", "2", 5)
	}, func(c *cable) {
		c.guardPort()
		c.lifts()
		c.unnumbered()
		c.signIn("bad", "EAP-FAILURE")
	}, "net-8021x-auth-failed"},
	{"cisco-port-duplex-mismatch", "the port is half duplex, the machine full", nil, func(_ *cable, sw management) {
		sw.set(atPort(duplexStatus), "2", 2).set(atPort(lateCollision), "65", 917).set(atPort(inPackets), "70", 52000)
	}, (*cable).loses, ""},
	{"cisco-port-crc-errors", "the port counts damaged frames, the machine none", nil, func(_ *cable, sw management) {
		sw.set(atPort(fcsErrors), "65", 1840).set(atPort(inPackets), "70", 52000)
	}, (*cable).loses, ""},
	{"cisco-uplink-saturated", "the uplink is full and drops", func(_ *cable, sw management) {
		sw.set(atUplink(outOctets), "70:numeric", "rate=118000000") // 944 Mbit/s
	}, func(_ *cable, sw management) {
		sw.set(atUplink(outDiscards), "65", 88_000)
	}, (*cable).loses, ""},
	{"net-dns-unreachable", "the machine's own fault, and the port is well", nil, nil, func(c *cable) {
		c.stopNames()
		c.t.Cleanup(c.serveNames)
	}, "net-dns-unreachable"},
	{"cisco-access-vlan-wrong", "the port is in another VLAN than those of the colleagues", nil, func(_ *cable, sw management) {
		sw.set(atPort("1.3.6.1.4.1.9.9.68.1.2.2.1.2"), "2", 99)
	}, func(c *cable) { c.colleagues(4); c.asksInVain() }, "net-dhcp-no-offer"},
}

// dies takes the signal away from the cable.
func (c *cable) dies() {
	c.IP(Switch, "link set pc0 down")
	c.AwaitLink(PC, c.Adapter, "NO-CARRIER")
	c.t.Cleanup(func() {
		c.IP(Switch, "link set pc0 up")
		c.AwaitLink(PC, c.Adapter, "LOWER_UP")
		c.unnumber()
		c.number()
	})
}

// unnumbered takes the machine's addresses, until the row ends.
func (c *cable) unnumbered() {
	c.unnumber()
	c.t.Cleanup(func() { c.unnumber(); c.number() })
}

// asksInVain has a DHCP client ask whom nobody answers.
func (c *cable) asksInVain() {
	c.unnumbered()
	c.lease()
}

// loses drops a fifth of the frames, both ways.
func (c *cable) loses() {
	c.Filter(Switch, "bridge", "filter", "forward", "numgen random mod 100 < 20 drop")
	c.lifts()
}

// lifts takes the switch's last filter away when the row ends.
func (c *cable) lifts() {
	table := fmt.Sprintf("filter%d", c.filters)
	c.t.Cleanup(func() { c.Run(Switch, "nft", "delete", "table", "bridge", table) })
}

// secured is port security that restricts, and last dropped what the machine sent.
func (c *cable) secured(sw management, violations int) {
	sw.set(atPort(security+".1"), "2", 1).set(atPort(security+".2"), "2", 1).set(atPort(security+".8"), "2", 3)
	sw.set(atPort(security+".9"), "65", violations).set(atPort(security+".10"), "4x", strings.ReplaceAll(c.mac, ":", ""))
}

// colleagues are machines at the switch's first ports, each with an agent.
func (c *cable) colleagues(n int) {
	for i := range n {
		name := fmt.Sprintf("desk%d", i+1)
		c.join(name, c.free(i+2).String()+"/24")
		c.WriteFile(name, "machine-id", fmt.Sprintf("%032x\n", i+1)) // a computer of its own
		c.t.Cleanup(func() { os.RemoveAll(c.etc(name)) })
		c.IP(name, "route add default via "+c.Router.Addr().String())
		l := c.Listen(name, collectorAddress)
		go func() { // the way to the collector, which is on another host's loopback
			for {
				in, err := l.Accept()
				if err != nil {
					return
				}
				out, err := c.Dial(PC, "tcp", collectorAddress)
				if err != nil {
					in.Close()
					continue
				}
				go func() { _, _ = io.Copy(out, in); out.Close() }()
				go func() { _, _ = io.Copy(in, out); in.Close() }()
			}
		}()
		c.says(name+"0", i+1)
		c.enrolled(name)
		c.hears(name)
		c.complains(name, "")
	}
}

// TestBothEnds: what neither end of a cable can name alone, the ticket names. The
// machine is a namespace with the real agent, a real lldpd the voice of the switch
// on the wire, snmpsim its management, and a real collector asks both. One switch
// after the other is put at the cable's end, each with a trouble of its own.
func TestBothEnds(t *testing.T) {
	t.Parallel()
	c := newCable(t)
	for i, row := range bothEndsRows {
		c.manages(i, row)
	}
	c.starts()
	c.turns(func() {
		c.enrolled(PC)
		c.hears(PC)
	})
	for i, row := range bothEndsRows {
		t.Run(row.fault+" "+row.how, func(t *testing.T) {
			defer c.during(t)()
			c.plugged(i)
			row.feel(c)
			got := c.complains(PC, row.fault)
			if port := voice + " Gi1/0/5"; got.cause() != row.fault || got.port != port || row.symptom != "" && got.own != row.symptom {
				t.Errorf("the ticket says %s at %q, the machine %s; want %s at %q, %s\n%v", got.cause(), got.port, got.own, row.fault, port, row.symptom, got.GetTicket())
			}
			t.Logf("ticket %d after %v: %s; the machine alone: %s", got.number, got.took, got.GetTicket().GetTitle(), got.own)
		})
	}
}
