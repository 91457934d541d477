package tray

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	constatv1 "constat/proto/constat/v1"
)

// TestTrayGivesWay: after an upgrade the tray is the new program once the agent
// answers, as the same process and with the door that others ring at; but not while a
// person has the page.
func TestTrayGivesWay(t *testing.T) {
	for name, arguments := range map[string][]string{"at rest": nil, "with the page open": {"open"}} {
		t.Run(name, func(t *testing.T) {
			d := newDesktop(t, "DISPLAY=:79")
			installed := filepath.Join(d.dir, "constat-tray")
			// What follows a program's end is not part of it.
			install := func(more string) {
				t.Helper()
				content, err := os.ReadFile(os.Args[0])
				if err == nil {
					err = os.WriteFile(installed+".new", append(content, more...), 0o755)
				}
				if err == nil {
					err = os.Rename(installed+".new", installed)
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			install("")
			tray := exec.Command(installed, append([]string{"--data", d.dir}, arguments...)...)
			var log bytes.Buffer
			tray.Env, tray.Stderr = d.env, &log
			if err := tray.Start(); err != nil {
				t.Fatal(err)
			}
			defer func() {
				_ = tray.Process.Kill()
				_ = tray.Wait()
				if t.Failed() {
					t.Log(log.String())
				}
			}()
			door := filepath.Join(d.dir, "constat", "tray-79.sock")
			d.until("it hears who rings", func() bool { return ring(door, stay) })
			if arguments != nil {
				d.until("the page is open", func() bool { return d.opened() != "" })
			}
			install("another version")
			d.agent.said <- &constatv1.WatchResponse{State: "restarts"}
			d.agent.said <- &constatv1.WatchResponse{State: "fine"}
			current := func() bool {
				runs, err := os.Stat(fmt.Sprintf("/proc/%d/exe", tray.Process.Pid))
				lies, err2 := os.Stat(installed)
				return err == nil && err2 == nil && os.SameFile(runs, lies)
			}
			if arguments == nil {
				d.until("it is the new program", current)
				d.until("it hears who rings again", func() bool { return ring(door, stay) })
			}
			d.agent.said <- &constatv1.WatchResponse{State: "answered", Title: "Ada answered"}
			d.until("it tells what is new", func() bool { return strings.Contains(d.told.all(), "Ada answered") })
			if current() != (arguments == nil) {
				t.Errorf("it is the new program: %v", current())
			}
		})
	}
}
