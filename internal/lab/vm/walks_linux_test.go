package vm

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var writeWalks = flag.Bool("walks", false, "write the walks of testdata/walks anew, to be read")

// wifiWalk is a fault of the radio, and a person who is led through the procedure
// because of it.
type wifiWalk struct {
	fault, how string
	inject     func(*Machine)
	// answers are given one after the other, by their ids. Before one that begins
	// with + the person does what do says.
	answers []string
	do      func(*Machine)
	undo    func(*Machine)
}

var wifiWalks = []wifiWalk{
	{"wifi-radio-off", "Wi-Fi is switched off in software", sh("for f in /sys/class/net/wlan1/phy80211/rfkill*/soft; do echo 1 >$f; done"),
		[]string{"skipped", "yes", "yes"}, nil, sh("for f in /sys/class/net/wlan1/phy80211/rfkill*/soft; do echo 0 >$f; done; leave; enter")},
	{"wifi-wrong-password", "the key was changed, and is typed anew", sh("leave; station CorpNet wrong-horse; await rests"),
		[]string{"+done", "yes"}, sh("leave; enter"), nothing},
	{"wifi-ssid-not-found", "the access point is off, and switched on again", sh("ap disable; await state_is SCANNING; await hears_no CorpNet; ip addr flush dev wlan1"),
		[]string{"no", "no", "odd", "+helped"}, sh("ap enable; leave; enter; signal -50"), nothing},
}

// TestLabWifiWalks leads through the procedure for Wi-Fi at the terminal, in both
// languages, on faults that a real radio has, by the real program and its service.
// What was said is kept to be read, in testdata/walks.
func TestLabWifiWalks(t *testing.T) {
	if !whole() {
		t.Skip("runs with make lab")
	}
	m := newLaptop(t)
	m.Run(`SSL_CERT_FILE=/etc/authority.pem constat-agent run --config /etc/agent.yaml >/tmp/agent.log 2>&1 &
await sh -c 'constat-agent status --config /etc/agent.yaml || test $? = 1'`)
	for _, language := range []string{"en", "fr"} {
		t.Run(language, func(t *testing.T) { walkWifi(t, m, language) })
	}
}

func walkWifi(t *testing.T, m *Machine, language string) {
	var all strings.Builder
	for _, w := range wifiWalks {
		if only := os.Getenv("FAULT"); only != "" && only != w.fault {
			continue
		}
		t.Run(w.how, func(t *testing.T) {
			m.In(t)
			w.inject(m)
			defer func() { w.undo(m) }()
			fmt.Fprintf(&all, "=== %s\n%s\n", w.how, w.walk(m, "wifi", language))
		})
	}
	if t.Failed() || os.Getenv("FAULT") != "" {
		t.Log(all.String())
		return
	}
	file := filepath.Join("testdata", "walks", "wifi."+language+".txt")
	if *writeWalks {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(all.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if want, err := os.ReadFile(file); err != nil || string(want) != all.String() {
		t.Errorf("it is not said as it was read (%v); to read it: go test ./internal/lab/vm -run TestLabWifiWalks -walks\n%s", err, &all)
	}
}

// measured are the parts of what is said that are another's in each run.
var measured = regexp.MustCompile(`\b[0-9]+(?:[.,][0-9]+)? m?s\b`)

// walk runs the program as somebody at the terminal does, and returns what stands
// on the screen.
func (w wifiWalk) walk(m *Machine, procedure, language string) string {
	m.t.Helper()
	m.Run(fmt.Sprintf(`rm -f /tmp/keys /tmp/ended; mkfifo /tmp/keys; sleep 900 >/tmp/keys & echo $! >/tmp/keys.pid
{ SSL_CERT_FILE=/etc/authority.pem constat-agent procedure run %s --lang %s --config /etc/agent.yaml </tmp/keys >/tmp/screen 2>/tmp/said; echo $? >/tmp/ended; } &`, procedure, language))
	defer m.Run("kill $(cat /tmp/keys.pid)")
	for i, answer := range w.answers {
		// It looks at the machine once more in between, which takes its time here.
		m.Run(fmt.Sprintf(`asked() { [ "$(grep -c '^   > ' /tmp/screen)" -ge %d ]; }
for n in 1 2 3; do asked || [ -e /tmp/ended ] || await asked || true; done; asked || { cat /tmp/screen /tmp/said; exit 1; }`, i+1))
		id, acts := strings.CutPrefix(answer, "+")
		if acts {
			w.do(m)
		}
		m.Run("echo " + id + " >/tmp/keys")
	}
	screen := m.Run(`for n in 1 2 3; do await test -e /tmp/ended && break; done; cat /tmp/screen; [ "$(cat /tmp/ended)" = 0 ] || { cat /tmp/said; exit 1; }`)
	for _, answer := range w.answers {
		screen = strings.Replace(screen, "\n   > ", "\n   >\x00"+strings.TrimPrefix(answer, "+")+"\n", 1)
	}
	screen = strings.ReplaceAll(screen, ">\x00", "> ")
	return "$ constat-agent procedure run " + procedure + " --lang " + language + "\n" + measured.ReplaceAllString(screen, "… ms")
}
