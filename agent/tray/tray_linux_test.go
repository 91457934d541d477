package tray

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"image"
	"image/color"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"constat/agent/local"
	"constat/internal/lab"
	constatv1 "constat/proto/constat/v1"
)

// TestMain is the program itself, where a test starts it.
func TestMain(m *testing.M) {
	if os.Getenv("CONSTAT_TRAY_OF_A_TEST") != "" {
		if err := Main(os.Args[1:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(2)
		}
		return
	}
	os.Exit(m.Run())
}

// told is a desktop's notification service, on a real bus.
type told struct {
	mu   sync.Mutex
	said []string
}

func (d *told) Notify(_ string, _ uint32, _, title, text string, _ []string, _ map[string]dbus.Variant, _ int32) (uint32, *dbus.Error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.said = append(d.said, title+": "+text)
	return uint32(len(d.said)), nil
}

func (d *told) all() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return strings.Join(d.said, "\n")
}

// desktop is a session with a bus, on which notifications are taken, and an agent.
type desktop struct {
	testing.TB
	dir   string
	env   []string
	bus   *dbus.Conn
	told  *told
	agent standing
}

func newDesktop(t testing.TB, env ...string) *desktop {
	t.Helper()
	_, err := exec.LookPath("dbus-daemon")
	lab.Need(t, "dbus-daemon (Debian: dbus)", err == nil)
	dir, err := os.MkdirTemp("", "desktop")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		// What the bus started outlives it for a moment, and writes.
		for range 1000 {
			if os.RemoveAll(dir) == nil {
				break
			}
		}
	})
	d := &desktop{TB: t, dir: dir, told: &told{}, agent: standing{said: make(chan *constatv1.WatchResponse, 8)}}
	bin := filepath.Join(d.dir, "bin")
	if err := os.MkdirAll(bin, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(bin, "xdg-open"), []byte("#!/bin/sh\ncat \"$1\" >>\"$HOME/opened\"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	d.env = append([]string{
		"HOME=" + d.dir, "XDG_RUNTIME_DIR=" + d.dir, "XDG_CACHE_HOME=" + filepath.Join(d.dir, "cache"), "XDG_CONFIG_HOME=" + filepath.Join(d.dir, "config"),
		"PATH=" + bin + ":" + os.Getenv("PATH"), "LANG=en_GB.UTF-8", "NO_AT_BRIDGE=1", "CONSTAT_TRAY_OF_A_TEST=1",
	}, env...)
	out := d.starts("dbus-daemon", "--session", "--nofork", "--print-address")
	address, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	address = strings.TrimSpace(address)
	d.env = append(d.env, "DBUS_SESSION_BUS_ADDRESS="+address)
	if d.bus, err = dbus.Connect(address); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.bus.Close() })
	if err := d.bus.Export(d.told, "/org/freedesktop/Notifications", notifications); err != nil {
		t.Fatal(err)
	}
	if _, err := d.bus.RequestName(notifications, 0); err != nil {
		t.Fatal(err)
	}
	l, err := local.Listen(filepath.Join(d.dir, "agent.sock"))
	if err != nil {
		t.Fatal(err)
	}
	go local.Serve(t.Context(), l, d.agent)
	return d
}

// starts runs a program of the session until the test ends, and gives what it says.
func (d *desktop) starts(name string, args ...string) *os.File {
	d.Helper()
	cmd := exec.Command(name, args...)
	cmd.Env = d.env
	r, w, err := os.Pipe()
	if err != nil {
		d.Fatal(err)
	}
	cmd.Stdout = w
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		d.Fatal(err)
	}
	w.Close()
	d.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		_ = cmd.Wait()
		r.Close()
	})
	return r
}

func (d *desktop) tray(args ...string) *exec.Cmd {
	cmd := exec.Command(os.Args[0], append([]string{"--data", d.dir}, args...)...)
	cmd.Env = d.env
	cmd.Stderr = os.Stderr
	return cmd
}

// until waits for something to become true.
func (d *desktop) until(what string, done func() bool) {
	d.Helper()
	ctx, cancel := context.WithTimeout(d.Context(), 60*time.Second)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-ctx.Done():
			d.Fatalf("it never comes that %s; told: %s", what, d.told.all())
		case <-tick.C:
		}
	}
}

// opened are the ways that were opened in a browser.
func (d *desktop) opened() string {
	content, err := os.ReadFile(filepath.Join(d.dir, "opened"))
	if err != nil {
		return ""
	}
	return string(content)
}

// Where a desktop shows no icons, the person is told once how to get to the page;
// the launcher gets there; there is one tray in a session; and an answer is told,
// and leads to the tickets.
func TestTrayWithoutIcons(t *testing.T) {
	d := newDesktop(t, "DISPLAY=:77")
	first := d.tray("open", "printing")
	var log bytes.Buffer
	first.Stderr = &log
	if err := first.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = first.Process.Kill()
		_ = first.Wait()
	}()
	d.until("the page is opened", func() bool { return strings.Contains(d.opened(), "/printing\"") })
	d.until("it is told that there are no icons", func() bool { return strings.Contains(d.told.all(), "no icon on this desktop") })

	for view, want := range map[string]string{"tickets": "/tickets\"", "": "#"} {
		before := strings.Count(d.opened(), want)
		second := d.tray(append([]string{"open"}, strings.Fields(view)...)...)
		if out, err := second.Output(); err != nil || len(out) > 0 {
			t.Errorf("a second tray: %v %s", err, out)
		}
		d.until("the first one opens "+view, func() bool { return strings.Count(d.opened(), want) > before })
	}
	before := d.opened()
	if err := d.tray().Run(); err != nil {
		t.Errorf("a second tray without a wish: %v", err)
	}
	if d.opened() != before {
		t.Error("it opened something")
	}
	// On another screen the same user has another session, with a tray of its own.
	other := d.tray()
	other.Env = append(other.Env, "DISPLAY=:78")
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = other.Process.Kill()
		_ = other.Wait()
	}()
	d.until("the other session has a tray", func() bool { return ring(filepath.Join(d.dir, "constat", "tray-78.sock"), stay) })
	if info, err := os.Stat(filepath.Join(d.dir, "constat", "tray-77.sock")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the door is %v, %v", info, err)
	}

	d.agent.said <- &constatv1.WatchResponse{State: "answered", Title: "Ada answered", Text: "Is it on?", View: "tickets"}
	d.until("the answer is told", func() bool { return strings.Contains(d.told.all(), "Ada answered: Is it on?") })
	ways := strings.Count(d.opened(), "/tickets\"")
	if err := d.bus.Emit("/org/freedesktop/Notifications", notifications+".ActionInvoked", uint32(2), "default"); err != nil {
		t.Fatal(err)
	}
	d.until("it leads to the tickets", func() bool { return strings.Count(d.opened(), "/tickets\"") > ways })
	if n := strings.Count(d.told.all(), "no icon"); n != 1 {
		t.Errorf("told %d times that there are no icons", n)
	}
	// Its log has neither what was told nor a way in.
	_ = first.Process.Kill()
	_ = first.Wait()
	tokens := regexp.MustCompile(`#(\w+)`).FindAllStringSubmatch(d.opened(), -1)
	if len(tokens) == 0 {
		t.Fatalf("no way has a token: %s", d.opened())
	}
	secrets := []string{"Ada", "Is it on"}
	for _, token := range tokens {
		secrets = append(secrets, token[1])
	}
	for _, secret := range secrets {
		if strings.Contains(log.String(), secret) {
			t.Errorf("the log has %q: %s", secret, &log)
		}
	}
}

// The icon is seen in a real panel, shows how things stand, and its menu leads to
// the page when it is really clicked. CONSTAT_SCREENSHOTS keeps pictures of it.
func TestTrayInAPanel(t *testing.T) {
	for program, from := range map[string]string{"Xvfb": "xvfb", "xfce4-panel": "xfce4-panel", "openbox": "openbox", "xdotool": "xdotool", "xwd": "x11-apps", "xfconf-query": "xfconf"} {
		_, err := exec.LookPath(program)
		lab.Need(t, program+" (Debian: "+from+")", err == nil)
	}
	display, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	x := exec.Command("Xvfb", "-displayfd", "3", "-screen", "0", "800x600x24", "-nolisten", "tcp")
	x.ExtraFiles = []*os.File{w}
	if err := x.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	t.Cleanup(func() {
		_ = x.Process.Kill()
		_ = x.Wait()
	})
	number, err := bufio.NewReader(display).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	d := newDesktop(t, "DISPLAY=:"+strings.TrimSpace(number))
	panel := filepath.Join(d.dir, "config/xfce4/xfconf/xfce-perchannel-xml")
	if err := os.MkdirAll(panel, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(panel, "xfce4-panel.xml"), []byte(panelSettings), 0o644); err != nil {
		t.Fatal(err)
	}
	d.starts("openbox")
	d.starts("xfce4-panel", "--disable-wm-check")
	d.until("the panel shows icons", func() bool {
		var has bool
		return d.bus.BusObject().Call("org.freedesktop.DBus.NameHasOwner", 0, "org.kde.StatusNotifierWatcher").Store(&has) == nil && has
	})
	tray := d.tray()
	if err := tray.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = tray.Process.Kill()
		_ = tray.Wait()
	})
	for _, state := range []string{"found", "working", "asked", "answered"} {
		d.agent.said <- &constatv1.WatchResponse{State: state}
		d.until("the icon shows "+state, func() bool { _, seen := d.find(marks[state].colour); return seen })
		d.keep("tray-" + state)
	}
	at, _ := d.find(marks["answered"].colour)
	d.until("its menu opens the page", func() bool {
		d.x("mousemove", fmt.Sprint(at.X), fmt.Sprint(at.Y), "click", "1")
		d.keep("tray-menu")
		d.x("key", "Down")
		d.x("key", "Return")
		return strings.Contains(d.opened(), "http://127.0.0.1")
	})
	if strings.Contains(d.told.all(), "no icon") {
		t.Error("it is told that there are no icons, and there are")
	}
}

// x does something with the mouse or the keys.
func (d *desktop) x(args ...string) {
	d.Helper()
	cmd := exec.Command("xdotool", args...)
	cmd.Env = d.env
	if out, err := cmd.CombinedOutput(); err != nil {
		d.Fatalf("xdotool %v: %v %s", args, err, out)
	}
}

// screen is what is seen.
func (d *desktop) screen() *image.NRGBA {
	d.Helper()
	cmd := exec.Command("xwd", "-root", "-silent")
	cmd.Env = d.env
	dump, err := cmd.Output()
	if err != nil {
		d.Fatalf("xwd: %v", err)
	}
	picture, err := lab.Screen(dump)
	if err != nil {
		d.Fatal(err)
	}
	return picture
}

// find gives the middle of what has a colour on the screen.
func (d *desktop) find(c color.NRGBA) (image.Point, bool) {
	return lab.Find(d.screen(), c, 4)
}

func (d *desktop) keep(name string) {
	d.Helper()
	write := func(dir string, picture image.Image) {
		if err := lab.WritePicture(filepath.Join(dir, name+".png"), picture); err != nil {
			d.Fatal(err)
		}
	}
	if dir := os.Getenv("CONSTAT_SCREENSHOTS"); dir != "" {
		write(dir, d.screen())
	}
	if os.Getenv("CONSTAT_PICTURES") == "write" {
		write(filepath.Join("..", "..", "docs", "page"), d.screen().SubImage(image.Rect(0, 0, 300, 300)))
	}
}

// panelSettings is a panel with nothing but icons.
const panelSettings = `<?xml version="1.0" encoding="UTF-8"?>
<channel name="xfce4-panel" version="1.0">
  <property name="configver" type="int" value="2"/>
  <property name="panels" type="array">
    <value type="int" value="1"/>
    <property name="panel-1" type="empty">
      <property name="position" type="string" value="p=6;x=0;y=0"/>
      <property name="length" type="uint" value="100"/>
      <property name="position-locked" type="bool" value="true"/>
      <property name="size" type="uint" value="48"/>
      <property name="plugin-ids" type="array"><value type="int" value="1"/></property>
    </property>
  </property>
  <property name="plugins" type="empty">
    <property name="plugin-1" type="string" value="systray">
      <property name="square-icons" type="bool" value="true"/>
      <property name="icon-size" type="int" value="32"/>
    </property>
  </property>
</channel>
`
