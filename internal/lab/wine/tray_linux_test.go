package wine

import (
	"bufio"
	"context"
	picture "image"
	"image/color"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"constat/internal/lab"
)

// The marks of the tray's icon, as agent/tray paints them, and what Wine paints
// balloons on.
var (
	balloon      = color.NRGBA{0xff, 0xff, 0xff, 0xff}
	answeredMark = color.NRGBA{0x1c, 0x8b, 0x4c, 0xff}
	foundMark    = color.NRGBA{0xd9, 0x8a, 0x00, 0xff}
)

// desktop is a Windows with a screen, a mouse and a taskbar.
type desktop struct {
	*Windows
}

// newDesktop gives a Windows a screen. Whatever it opens with the system's program
// for pages is written down, as a browser would be told.
func newDesktop(t *testing.T) *desktop {
	t.Helper()
	for _, program := range []string{"xdotool", "curl"} {
		_, err := exec.LookPath(program)
		lab.Need(t, program+" (Debian: "+program+")", err == nil)
	}
	from := image(t)
	s, err := start(from, "", func(s *session) error {
		ready, w, err := os.Pipe()
		if err != nil {
			return err
		}
		defer ready.Close()
		screen := s.outside(t.Context(), "Xvfb", ":7", "-displayfd", "1", "-screen", "0", "800x600x24", "-nolisten", "tcp", "-fbdir", "/tmp")
		screen.Stdout = w
		err = screen.Start() // it ends with its namespace
		w.Close()
		if err == nil {
			_, err = bufio.NewReader(ready).ReadString('\n')
		}
		s.env = append(s.env, "DISPLAY=:7")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.end)
	d := &desktop{&Windows{s, t}}
	if err := os.WriteFile(d.inside("/usr/bin/xdg-open"), []byte("#!/bin/sh\nprintf '%s\\n' \"$1\" >>/tmp/opened\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	return d
}

// until waits for something to become true.
func (d *desktop) until(what string, done func() bool) {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(d.t.Context(), time.Minute)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-ctx.Done():
			d.keep("tray-windows-failed", picture.Rect(0, 0, 800, 600))
			d.t.Fatalf("it never comes that %s", what)
		case <-tick.C:
		}
	}
}

func (d *desktop) screen() *picture.NRGBA {
	d.t.Helper()
	dump, err := os.ReadFile(d.inside("/tmp/Xvfb_screen0"))
	if err != nil {
		d.t.Fatal(err)
	}
	screen, err := lab.Screen(dump)
	if err != nil {
		d.t.Fatal(err)
	}
	return screen
}

// click is one of the mouse.
func (d *desktop) click(at picture.Point) {
	d.t.Helper()
	d.net("env", "DISPLAY=:7", "xdotool", "mousemove", strconv.Itoa(at.X), strconv.Itoa(at.Y), "click", "1")
}

// firstEntry is the first of a menu that opened above the icon.
func firstEntry(screen *picture.NRGBA, icon picture.Point) (picture.Point, bool) {
	const taskbar, line = 30, 10
	menu := color.NRGBA{0xff, 0xff, 0xff, 0xff}
	at := picture.Pt(icon.X-100, 0)
	for at.Y < screen.Bounds().Dy()-taskbar && screen.NRGBAAt(at.X, at.Y) != menu {
		at.Y++
	}
	return at.Add(picture.Pt(0, line)), at.Y < screen.Bounds().Dy()-taskbar
}

// keep writes a part of the screen where pictures are wanted.
func (d *desktop) keep(name string, part picture.Rectangle) {
	d.t.Helper()
	dirs := []string{os.Getenv("CONSTAT_SCREENSHOTS")}
	if os.Getenv("CONSTAT_PICTURES") == "write" && !strings.HasSuffix(name, "failed") {
		dirs = append(dirs, filepath.Join("..", "..", "..", "docs", "page"))
	}
	for _, dir := range dirs {
		if dir == "" {
			continue
		}
		if err := lab.WritePicture(filepath.Join(dir, name+".png"), d.screen().SubImage(part)); err != nil {
			d.t.Fatal(err)
		}
	}
}

// ways are the files that pages were opened by.
func (d *desktop) ways() []string {
	d.t.Helper()
	content, err := os.ReadFile(d.inside("/tmp/opened"))
	if err != nil && !os.IsNotExist(err) {
		d.t.Fatal(err)
	}
	return strings.Fields(string(content))
}

// TestTray: the icon shows in the taskbar how things stand, its menu opens the page
// when it is really clicked, for this user's programs and no others; and an answer is
// told by a balloon, which leads to the tickets.
func TestTray(t *testing.T) {
	d := newDesktop(t)
	tray, err := program("constat-tray.exe", "constat/agent/tray/program")
	if err != nil {
		t.Fatal(err)
	}
	const installed, dir, helper = `C:\Program Files\Constat\constat-tray.exe`, `C:\standing`, `C:\tests\tray.exe`
	d.Copy(tray, installed)
	install(d.Windows) // whose command it starts
	d.Copy(testsOf(t, "constat/agent/tray"), helper)

	say := d.agent(helper, dir)
	// The desktop that Wine calls shell has a taskbar, and shows no balloons.
	d.run("shell", installed, "--data", dir)
	stand := func(line string, mark color.NRGBA) (at picture.Point) {
		t.Helper()
		if _, err := io.WriteString(say, line+"\n"); err != nil {
			t.Fatal(err)
		}
		d.until("the icon shows "+line, func() (seen bool) { at, seen = lab.Find(d.screen(), mark, 2); return seen })
		return at
	}
	corner := picture.Rect(400, 300, 800, 600)
	stand(`{"state": "found"}`, foundMark)
	d.keep("tray-windows-found", corner)
	icon := stand(`{"state": "answered"}`, answeredMark)

	d.click(icon)
	var first picture.Point
	d.until("its menu is seen", func() (seen bool) { first, seen = firstEntry(d.screen(), icon); return seen })
	d.keep("tray-windows-menu", corner)
	d.click(first)
	d.until("its menu opens the page", func() bool { return len(d.ways()) > 0 })
	address, token := d.way(d.ways()[0], "")
	// Another program of this computer, which Windows does not know, is a stranger.
	if code := d.net("curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "http://"+address+"/"); code != strconv.Itoa(http.StatusForbidden) {
		t.Errorf("a program of nobody's gets %s", code)
	}
	if code := strings.TrimSpace(d.Run(helper, "enter", address, token)); code != strconv.Itoa(http.StatusOK) {
		t.Errorf("this user's own program gets %s", code)
	}

	d.click(icon)
	d.until("its menu is seen again", func() (seen bool) { _, seen = firstEntry(d.screen(), icon); return seen })
	d.click(icon.Sub(picture.Pt(100, 12))) // the last entry
	d.until("it is closed", func() bool { _, seen := lab.Find(d.screen(), answeredMark, 2); return !seen })

	say = d.agent(helper, dir+"2")
	d.run("lab", installed, "--data", dir+"2")
	stand(`{"state": "answered", "title": "Ada answered", "text": "Is there paper in the tray?", "view": "tickets"}`, answeredMark)
	d.until("the balloon is seen", func() bool { _, seen := lab.Find(d.screen(), balloon, 6000); return seen })
	d.keep("tray-windows-told", picture.Rect(0, 0, 400, 300))
	// Wine does not tell programs of a click there; Windows sends this.
	before := len(d.ways())
	d.run("lab", helper, "clicked")
	d.until("it leads to the tickets", func() bool { return len(d.ways()) > before })
	d.way(d.ways()[before], "/tickets")

	// A shortcut to the agent itself is Windows' desktop's to start: that is no double
	// click by somebody who should have opened a console.
	d.run("lab", agent, "diagnose", "software", "--data", dir+"3", "--snapshot", `C:\seen.json`)
	d.until("what a shortcut starts works", func() bool {
		_, err := os.Stat(filepath.Join(d.Path(`C:\windows`), "..", "seen.json"))
		return err == nil
	})
}

// agent starts one that says how things stand as it is told, a line each.
func (d *desktop) agent(helper, dir string) io.Writer {
	d.t.Helper()
	cmd := d.Command(d.t.Context(), helper, "agent", dir)
	say, err := cmd.StdinPipe()
	if err != nil {
		d.t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		d.t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		d.t.Fatalf("the agent says %q: %v", line, err)
	}
	return say
}

// run starts a program on one of Wine's desktops.
func (d *desktop) run(desktop, program string, arguments ...string) {
	d.t.Helper()
	cmd := d.Command(d.t.Context(), "explorer.exe", append([]string{"/desktop=" + desktop + ",800x600", program}, arguments...)...)
	if err := cmd.Start(); err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
}

// way reads the way in out of the file that a browser was told to open.
func (d *desktop) way(opened, view string) (address, token string) {
	d.t.Helper()
	path, local := strings.CutPrefix(opened, "file://")
	if !local {
		d.t.Fatalf("a browser is told to open %s", opened)
	}
	content, err := os.ReadFile(d.inside(path))
	if err != nil {
		d.t.Fatal(err)
	}
	found := regexp.MustCompile(`url=http://(127\.0\.0\.1:\d+)/#(\w+)` + view + `"`).FindSubmatch(content)
	if found == nil {
		d.t.Fatalf("the way leads elsewhere than %q: %s", view, content)
	}
	return string(found[1]), string(found[2])
}

// net runs a program of this system in Windows' network: Debian's X servers listen
// there too.
func (d *desktop) net(arguments ...string) string {
	d.t.Helper()
	out, err := exec.Command("nsenter", append([]string{"--target", strconv.Itoa(d.first.Process.Pid), "--net"}, arguments...)...).CombinedOutput()
	if err != nil {
		d.t.Fatalf("%v: %v: %s", arguments, err, out)
	}
	return string(out)
}
