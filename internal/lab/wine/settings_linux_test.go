package wine

import (
	"testing"

	"constat/internal/lab"
)

// TestSettings: a network that works, and a computer whose own settings keep it
// from it.
func TestSettings(t *testing.T) {
	const nobody = "203.0.113.99" // no machine of the world has it
	for _, c := range []struct {
		name, fault string
		hurt        func(*lab.World, *Windows)
	}{
		{"the hosts file sends a name elsewhere", "net-hosts-override", func(_ *lab.World, w *Windows) {
			w.Write(`C:\windows\system32\drivers\etc\hosts`, []byte("127.0.0.1 localhost\n"+nobody+" site.example\n"))
		}},
		// Below Wine no server means this machine's own, 127.0.0.1 (resolv.conf(5)).
		{"no name server is set", "net-dns-unreachable", func(world *lab.World, _ *Windows) {
			world.WriteFile(lab.PC, "resolv.conf", "")
		}},
		{"the proxy is nowhere", "net-proxy-unreachable", func(_ *lab.World, w *Windows) {
			w.Registry(`Windows Registry Editor Version 5.00

[HKEY_CURRENT_USER\Software\Microsoft\Windows\CurrentVersion\Internet Settings]
"ProxyEnable"=dword:00000001
"ProxyServer"="` + nobody + `:3128"
`)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			world := healthyWorld(t)
			w := StartIn(t, world)
			install(w)
			w.Write(`C:\lab\agent.yaml`, []byte(targets))
			c.hurt(world, w)
			got := judged(w, "internet", "--config", `C:\lab\agent.yaml`)
			if len(got.RootCauses) == 0 || got.RootCauses[0].Fault != c.fault {
				t.Errorf("diagnosis %+v, want %q", got, c.fault)
			}
		})
	}
}
