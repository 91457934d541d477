package vm

import (
	"fmt"
	"io"
	"net"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"constat/internal/lab"
	"constat/internal/lab/visitor"
)

// TestLabPage has a person look, on the page, into what an office of namespaces has
// not: a radio, a battery and USB, with their faults in a laptop. The browser is
// outside, and reaches the laptop's agent over a line that the laptop's own network
// does not see. The rest of the complaints are in internal/lab's TestLabPage.
func TestLabPage(t *testing.T) {
	if !whole() {
		t.Skip("runs with make lab")
	}
	outside := lab.FreeAddress(t, "tcp")
	m := newLaptop(t, "-netdev", "user,id=line,restrict=on,hostfwd=tcp:"+outside+"-:7401", "-device", "e1000,netdev=line")
	m.Run(`modprobe e1000; await ip link show eth0; ip netns add line; ip link set eth0 netns line
ip -n line link set eth0 up; ip -n line addr add 10.0.2.15/24 dev eth0
SSL_CERT_FILE=/etc/authority.pem constat-agent run --config /etc/agent.yaml >/tmp/agent.log 2>&1 &
await sh -c 'constat-agent status --config /etc/agent.yaml || test $? = 1'
ip netns exec line guest line :7401 /run/constat-agent/agent.sock >/tmp/line.log 2>&1 &`)
	v := visitor.At(t, socketTo(t, outside))
	v.Patience, v.Again = 5*time.Minute, 5
	for complaint, language := range map[string]string{"wifi": "en", "power": "fr", "peripheral": "en"} {
		t.Run("healthy, "+complaint, func(t *testing.T) {
			defer v.During(t)()
			v.Asks(complaint, language)
			if found := v.Found(); found != "" {
				t.Error(found)
			}
			v.Walks(complaint, "laptop-"+complaint)
		})
	}
	for _, asked := range []struct {
		complaint, language, fault string
		// yes agrees to what is offered, and fixed is what is said when that helped.
		yes, fixed string
	}{
		{"wifi", "fr", "wifi-radio-off", "Oui, allez-y", "Réparé."},
		{"wifi", "en", "wifi-weak-signal", "", ""},
		{"power", "en", "hw-battery-worn", "", ""},
		{"power", "fr", "hw-cpu-thermal-throttle", "", ""},
		{"peripheral", "en", "usb-device-disabled", "Yes, do it", "Fixed."},
		{"peripheral", "fr", "peripheral-battery-low", "", ""},
	} {
		t.Run(asked.complaint+", "+asked.fault, func(t *testing.T) {
			m.In(t)
			defer v.During(t)()
			at := slices.IndexFunc(laptopRows, func(r row) bool { return r.fault == asked.fault })
			if at < 0 {
				t.Fatalf("the laptop has no row for %s", asked.fault)
			}
			laptopRows[at].inject(m)
			defer func() { laptopRows[at].undo(m) }()
			v.Finds(asked.complaint, asked.language, asked.fault)
			if asked.yes != "" {
				v.Push(asked.yes)
				v.Says(asked.fixed)
			}
		})
	}
}

// socketTo is a socket here that leads to an address.
func socketTo(t *testing.T, address string) string {
	file := filepath.Join(t.TempDir(), "agent.sock")
	calls, err := net.Listen("unix", file)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { calls.Close() })
	go func() {
		for {
			caller, err := calls.Accept()
			if err != nil {
				return
			}
			called, err := net.Dial("tcp", address)
			if err != nil {
				fmt.Fprintln(t.Output(), err)
				caller.Close()
				continue
			}
			for _, way := range [][2]net.Conn{{caller, called}, {called, caller}} {
				go func() {
					_, _ = io.Copy(way[0], way[1])
					_ = way[0].Close()
				}()
			}
		}
	}()
	return file
}
