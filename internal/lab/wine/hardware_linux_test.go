package wine

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"slices"
	"testing"

	"constat/internal/lab"
	constatv1 "constat/proto/constat/v1"
)

// TestHardware: what Wine tells of the machine below it arrives as facts.
func TestHardware(t *testing.T) {
	s := facts(shared(t), "hardware", "peripherals", "power", "readings", "storage", "usb", "wifi")
	for _, g := range s.GetManifest().GetGroups() {
		for _, gap := range g.GetObservation().GetGaps() {
			t.Logf("%s.%s is %s: %s", g.GetGroup(), gap.GetFact(), gap.GetStatus(), gap.GetReason())
		}
	}
	p := s.GetHardware().GetProcessor()
	if p.GetModel() == "" || p.GetThreads() < 1 || p.GetSockets() < 1 || s.GetHardware().GetMemoryBytes() < 1<<28 || s.GetHardware().GetFirmware().GetKind() == "" {
		t.Errorf("hardware %v", s.GetHardware())
	}
	if tpm := s.GetHardware().GetTpm(); tpm == nil || tpm.GetPresent() {
		t.Errorf("Wine has no TPM, and the agent sees %v", tpm)
	}
	if s.GetPower().GetMaxMhz() == 0 || s.GetPower().OnBattery == nil {
		t.Errorf("power %v", s.GetPower())
	}
	if m := s.GetStorage().GetMounts(); len(m) == 0 || m[0].GetMountPoint() != "C:" || m[0].GetType() != "NTFS" || m[0].GetReadOnly() {
		t.Errorf("mounts %v", m)
	}
	if d := s.GetStorage().GetDisks(); len(d) == 0 || d[0].GetSizeBytes() == 0 {
		t.Errorf("disks %v", d)
	}
	if s.GetWifi().GetServiceState() != "absent" || len(s.GetWifi().GetRadios()) != 0 {
		t.Errorf("Wi-Fi %v", s.GetWifi())
	}
}

// scanner is what Windows leaves of a scanner that it found no driver for, and
// of one that was switched off in the device manager (regstr.h: ConfigFlags 40h
// CONFIGFLAG_FAILEDINSTALL, 1 CONFIGFLAG_DISABLED), composed. Wine lists no device
// without a class; Windows has none for what it found no driver for.
const scanner = `Windows Registry Editor Version 5.00

[HKEY_LOCAL_MACHINE\System\CurrentControlSet\Enum\USB\VID_04B8&PID_0142\583147593033363465]
"DeviceDesc"="EPSON Scanner"
"ClassGUID"="{36fc9e60-c465-11cf-8056-444553540000}"
"ConfigFlags"=dword:00000040
`

const keyboard = `Windows Registry Editor Version 5.00

[HKEY_LOCAL_MACHINE\System\CurrentControlSet\Enum\USB\VID_046D&PID_C31C\5&2&0&3]
"DeviceDesc"="USB Keyboard"
"Service"="HidUsb"
"ClassGUID"="{36fc9e60-c465-11cf-8056-444553540000}"
"ConfigFlags"=dword:00000001
`

// TestUSBWithoutDriver: the code of a device that can't be used is seen, and
// names what is missing.
func TestUSBWithoutDriver(t *testing.T) {
	for _, c := range []struct {
		name, registry, id, fault string
		code                      int32
	}{
		{"no driver", scanner, "04b8:0142", "usb-driver-missing", 28},
		{"switched off", keyboard, "046d:c31c", "usb-device-disabled", 22},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := Start(t)
			install(w)
			w.Registry(c.registry)
			s := facts(w, "usb", "peripherals")
			i := slices.IndexFunc(s.GetUsb().GetDevices(), func(d *constatv1.UsbDevice) bool { return d.GetId() == c.id })
			if i < 0 || s.GetUsb().GetDevices()[i].GetProblemCode() != c.code {
				t.Fatalf("devices %v", s.GetUsb().GetDevices())
			}
			if got := judged(w, "peripheral"); got.Verdict != "fault" || len(got.RootCauses) == 0 || got.RootCauses[0].Fault != c.fault || got.RootCauses[0].Certainty != "confirmed" {
				t.Errorf("diagnosis %+v", got)
			}
		})
	}
}

// diagnosis is the part of the agent's answer that is looked at here.
type diagnosis struct {
	Verdict    string
	RootCauses []struct{ Fault, Certainty, Title string }
}

// judged is what the agent says of a procedure.
func judged(w *Windows, arguments ...string) diagnosis {
	w.t.Helper()
	r := w.Try(agent, append([]string{"diagnose", "--json"}, arguments...)...)
	var d diagnosis
	if err := json.Unmarshal([]byte(r.Stdout), &d); err != nil {
		w.t.Fatalf("diagnose: %v\n%s%s", err, r.Stdout, r.Stderr)
	}
	return d
}

// targets are what the agent asks in a world; it keeps nothing that lasts.
const targets = `data: C:\lab
probes:
  names: [{host: site.example, expect: ["198.51.100.0/24"]}]
  tcp: ["198.51.100.10:443", "192.0.2.10:443"]
  http: {url: "http://page.example/", status: 200, body: "success"}
`

// TestNetwork: the agent on Windows sees the network it is in, and names what is
// wrong with it. Each fault has a Windows of its own, which begins with it: Wine 10
// keeps what it saw of a link's signal, and tells no program of its network any
// more once an echo request was answered by an ICMP error.
func TestNetwork(t *testing.T) {
	for _, c := range []struct {
		name, fault string
		hurt        func(*lab.World)
	}{
		{"all is well", "", nil},
		{"the name server is silent", "net-dns-unreachable", func(w *lab.World) {
			w.Filter(lab.Gateway, "inet", "filter", "input", "udp dport 53 drop", "tcp dport 53 drop")
		}},
		{"nothing beyond the router", "net-upstream-outage", func(w *lab.World) { w.IP(lab.Gateway, "link set wan0 down") }},
		{"the cable is out", "net-link-no-carrier", func(w *lab.World) {
			w.IP(lab.Switch, "link set pc0 down")
			w.AwaitLink(lab.PC, lab.Plain.Adapter, "NO-CARRIER")
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			world := healthyWorld(t)
			if c.hurt != nil {
				c.hurt(world)
			}
			w := StartIn(t, world)
			install(w)
			w.Write(`C:\lab\agent.yaml`, []byte(targets))
			if c.hurt == nil {
				s := factsBy(w, "--group", "network,counters,probes", "--config", `C:\lab\agent.yaml`)
				seesNetwork(t, s)
				if dns := s.GetProbes().GetDns(); len(dns) == 0 || dns[0].GetResult() != "ok" || len(s.GetProbes().GetGateways()) == 0 {
					t.Errorf("probes %v", s.GetProbes())
				}
			}
			got := judged(w, "internet", "--config", `C:\lab\agent.yaml`)
			if c.fault == "" && got.Verdict != "healthy" || c.fault != "" && (len(got.RootCauses) == 0 || got.RootCauses[0].Fault != c.fault) {
				t.Errorf("diagnosis %+v, want %q", got, c.fault)
			}
		})
	}
}

// healthyWorld has what the targets name.
func healthyWorld(t *testing.T) *lab.World {
	t.Helper()
	world := lab.NewWorld(t)
	for _, address := range []string{"198.51.100.10:443", "192.0.2.10:443"} {
		go accept(world.Listen(lab.Internet, address))
	}
	lab.Serve(t, world.Listen(lab.Internet, "198.51.100.20:80"), lab.Page(http.StatusOK, "success"))
	world.ServeDNS(lab.Gateway, []string{lab.GatewayAddress}, "--address=/site.example/198.51.100.10", "--address=/page.example/198.51.100.20")
	return world
}

// seesNetwork looks for the plain world's links, ways and servers among the
// facts.
func seesNetwork(t *testing.T, s *constatv1.Snapshot) {
	t.Helper()
	n := s.GetNetwork()
	i := slices.IndexFunc(n.GetLinks(), func(l *constatv1.Link) bool { return l.GetName() == lab.Plain.Adapter })
	if i < 0 {
		t.Fatalf("links %v", n.GetLinks())
	}
	link := n.GetLinks()[i]
	if link.GetKind() != "ethernet" || !link.GetCarrier() || link.GetAdminStatus() != "up" || link.GetOperStatus() != "up" || link.GetMac() == "" ||
		!slices.ContainsFunc(link.GetAddresses(), func(a *constatv1.Address) bool { return a.GetCidr() == lab.PCAddress+"/24" }) {
		t.Errorf("link %v", link)
	}
	if r := n.GetRoutes(); len(r) == 0 || r[0].GetGateway() != lab.GatewayAddress || r[0].GetLink() != lab.Plain.Adapter {
		t.Errorf("routes %v", r)
	}
	if r := n.GetResolvers(); len(r) != 1 || r[0].GetAddress() != lab.GatewayAddress {
		t.Errorf("resolvers %v", r)
	}
	if !slices.ContainsFunc(s.GetCounters().GetLinks(), func(l *constatv1.LinkCounters) bool {
		return l.GetLink() == lab.Plain.Adapter && l.GetOutPackets() > 0
	}) {
		t.Errorf("counters %v", s.GetCounters())
	}
}

// accept takes connections, and ends them when the other end does.
func accept(l net.Listener) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer conn.Close()
			_, _ = io.Copy(io.Discard, conn)
		}()
	}
}
