package wine

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"constat/internal/lab"
	constatv1 "constat/proto/constat/v1"
)

// ports make of CUPS' ports, which is all that Wine has, those of a printer that
// Windows knows by its address and of one that it found by itself. The printer's
// device is where the Web Services monitor notes it.
const ports = registryHeader + `[HKEY_LOCAL_MACHINE\SYSTEM\CurrentControlSet\Control\Print\Monitors\Standard TCP/IP Port\Ports\CUPS:Floor2]
"HostName"="198.51.100.10"
"Protocol"=dword:00000001
"PortNumber"=dword:000001bb

[HKEY_LOCAL_MACHINE\SYSTEM\CurrentControlSet\Control\Print\Monitors\Standard TCP/IP Port\Ports\CUPS:Floor4]
"HostName"="` + onFloor4 + `"
"Protocol"=dword:00000001
"PortNumber"=dword:00000277

[HKEY_LOCAL_MACHINE\SYSTEM\CurrentControlSet\Control\Print\Monitors\WSD Port\Ports\CUPS:Floor3]
"Printer UUID"="urn:uuid:01234567-89ab-cdef-0123-456789abcdef"

[HKEY_LOCAL_MACHINE\SYSTEM\CurrentControlSet\Enum\SWD\DAFWSDProvider\urn:uuid:01234567-89ab-cdef-0123-456789abcdef]
"LocationInformation"="http://198.51.100.77:5357/"
`

// onFloor4 is the address of a printer that tells of itself.
const onFloor4 = "10.77.0.131"

// TestPorts: where queues lead is read of the ports' own settings, and who is there
// is asked: one printer answers, another does not, and one says what it is.
func TestPorts(t *testing.T) {
	world := healthyWorld(t)
	// Silence, and no word of the router's: Wine tells no program of its network any
	// more once an echo request was answered by an ICMP error.
	world.Filter(lab.Gateway, "inet", "filter", "forward", "ip daddr 198.51.100.77 drop")
	lab.NewDevice(t, world, "pr0", onFloor4, "HP", "LaserJet Pro M404")
	c := lab.StartCUPS(t, lab.PrintQueue{Name: "Floor2", DeviceURI: "file:///dev/null"}, lab.PrintQueue{Name: "Floor3", DeviceURI: "file:///dev/null", Default: true},
		lab.PrintQueue{Name: "Floor4", DeviceURI: "file:///dev/null"})
	w := StartIn(t, world)
	install(w)
	w.Share(filepath.Dir(c.Address))
	w.Setenv("CUPS_SERVER", c.Address)
	w.Registry(ports)
	w.Run("net.exe", "start", "Spooler")
	printing := facts(w, "printing").GetPrinting()
	queues := printing.GetQueues()
	if len(queues) != 3 {
		t.Fatal(queues)
	}
	if q := queues[0]; q.GetConnection() != "socket" || q.GetDeviceUri() != "socket://198.51.100.10:443" || !q.GetDeviceReachable() || q.GetDeviceResult() != "ok" {
		t.Error(q)
	}
	if i := slices.IndexFunc(printing.GetPrinters(), func(p *constatv1.Printer) bool { return slices.Contains(p.GetSources(), "ipp") }); i < 0 ||
		!strings.HasPrefix(printing.GetPrinters()[i].GetAddress(), onFloor4) || !strings.Contains(printing.GetPrinters()[i].GetModel(), "LaserJet Pro M404") || len(printing.GetPrinters()[i].GetTrays()) == 0 {
		t.Errorf("printers %v", printing.GetPrinters())
	}
	// Nothing of the first look is still under way: the second one starts, and ends.
	w.Write(`C:\lab\agent.yaml`, []byte(targets))
	if d := judged(w, "printing", "--config", `C:\lab\agent.yaml`); d.Verdict == "" {
		t.Error(d)
	}
	if q := queues[1]; q.GetConnection() != "wsd" || q.GetDeviceUri() != "wsd://198.51.100.77:5357" || q.DeviceReachable == nil || q.GetDeviceReachable() || q.GetBrokenHop() != "path" {
		t.Error(q)
	}
}
