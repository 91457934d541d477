package lab

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

var writeWalks = flag.Bool("walks", false, "write the walks of testdata/walks anew, to be read")

// walkRow is a fault, and somebody who is led through a procedure because of it by
// the real program and its installed service.
type walkRow struct {
	procedure, fault, how string
	inject                func(*premises)
	// answers are given one after the other, by their ids. Before one that begins
	// with + the person does what do says.
	answers []string
	do      func(*premises)
	// exit is the program's: 0 solved, 1 not.
	exit int
}

var walkRows = []walkRow{
	{"printing", "printer-spooler-stopped", "the print service was stopped", func(o *premises) { o.stopPrintService() }, []string{"yes", "yes"}, nil, 0},
	{"printing", "printer-queue-paused", "the queue is paused, and nobody may touch it", func(o *premises) { o.pause(o.queue) }, []string{"no"}, nil, 1},
	{"printing", "printer-queue-paused", "the queue is paused", func(o *premises) { o.pause(o.queue) }, []string{"yes", "yes"}, nil, 0},
	{"internet", "net-no-default-route", "the way that DHCP gave is gone", func(o *premises) {
		o.leaseByClient()
		o.flushDefaults("-4")
		o.flushDefaults("-6")
	}, []string{"yes", "yes"}, nil, 0},
	{"internet", "net-link-no-carrier", "the cable is out, and put back", func(o *premises) {
		o.IP(Switch, "link set pc0 down")
		o.AwaitLink(PC, o.Adapter, "NO-CARRIER")
	}, []string{"+done", "yes"}, func(o *premises) {
		o.IP(Switch, "link set pc0 up")
		o.AwaitLink(PC, o.Adapter, "LOWER_UP")
	}, 0},
	{"software", "sw-install-damaged", "a file of a program was cut short", func(o *premises) {
		o.installProgram()
		o.sh("truncate -s 3 /usr/lib/lab-tool/engine")
	}, []string{"yes", "yes"}, nil, 0},
	{"software", "sw-install-damaged", "a file of a program is gone, and its source too", func(o *premises) {
		o.installProgram()
		o.sh("rm /usr/lib/lab-tool/engine /var/tmp/source/lab-tool.deb")
	}, []string{"yes", "skipped"}, nil, 1},
}

// TestLabWalks leads through the procedures for the Internet, for printing and for
// programs at the terminal, in both languages, on faults that are there. What was
// said is kept to be read, in testdata/walks.
func TestLabWalks(t *testing.T) {
	t.Parallel()
	Need(t, "root, to make a machine of namespaces", os.Geteuid() == 0)
	o := newOffice(t, buildAgent(t), rand.New(rand.NewPCG(3, 6)))
	o.sh("mkdir -p /etc/constat-agent; sed '/^data:/d' /etc/constat.yaml >/etc/constat-agent/agent.yaml; constat-agent service install --config /etc/constat-agent/agent.yaml; constat-agent service start")
	o.undo("constat-agent service stop; constat-agent service uninstall")
	o.await("constat-agent status || test $? = 1")
	languages := []string{"en", "fr"}
	if os.Getenv("CONSTAT_LAB") != "whole" && !*writeWalks {
		languages = languages[1:] // the steps are the same, and take minutes
	}
	for _, language := range languages {
		var all bytes.Buffer
		for i, row := range walkRows {
			if only := os.Getenv("FAULT"); only != "" && only != row.fault {
				continue
			}
			t.Run(fmt.Sprintf("%s/%s/%d %s", language, row.fault, i, row.how), func(t *testing.T) {
				end := o.during(t)
				defer func() { end() }()
				row.inject(o)
				fmt.Fprintf(&all, "=== %s\n%s\n", row.how, o.walk(row, language))
			})
		}
		if t.Failed() || os.Getenv("FAULT") != "" {
			t.Log(all.String())
			continue
		}
		file := filepath.Join("testdata", "walks", language+".txt")
		if *writeWalks {
			if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, all.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if want, err := os.ReadFile(file); err != nil || !bytes.Equal(want, all.Bytes()) {
			t.Errorf("it is not said as it was read (%v); to read it: go test ./internal/lab -run TestLabWalks -walks\n%s", err, &all)
		}
	}
}

// measured are the parts of what is said that are another's in each run.
var measured = regexp.MustCompile(`\b[0-9]+(?:[.,][0-9]+)? m?s\b`)

// walk runs the real program as somebody at the terminal does, and returns what
// stands on the screen.
func (o *premises) walk(row walkRow, language string) string {
	o.t.Helper()
	ctx, cancel := context.WithTimeout(o.t.Context(), 3*time.Minute)
	defer cancel()
	cmd := o.machine.Command(ctx, "env", "-i", "PATH="+os.Getenv("PATH"), "LANG=C.UTF-8", "constat-agent", "procedure", "run", row.procedure, "--lang", language)
	keyboard, err := cmd.StdinPipe()
	if err != nil {
		o.t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		o.t.Fatal(err)
	}
	var said bytes.Buffer
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		o.t.Fatal(err)
	}
	screen := []byte("$ constat-agent procedure run " + row.procedure + " --lang " + language + "\n")
	answers := row.answers
	part := make([]byte, 4096)
	for {
		n, err := out.Read(part)
		screen = append(screen, part[:n]...)
		if bytes.HasSuffix(screen, []byte("> ")) {
			answer := "q"
			if len(answers) > 0 {
				answer, answers = answers[0], answers[1:]
			}
			if act, yes := strings.CutPrefix(answer, "+"); yes {
				answer = act
				row.do(o)
			}
			screen = append(screen, answer+"\n"...)
			if _, err := keyboard.Write([]byte(answer + "\n")); err != nil {
				o.t.Fatal(err)
			}
		}
		if err != nil {
			break
		}
	}
	err = cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != row.exit || len(answers) > 0 {
		o.t.Errorf("it ends with %d, want %d (%v), and %v was not asked for: %s%s", code, row.exit, err, answers, screen, &said)
	}
	return measured.ReplaceAllString(string(screen), "… ms")
}
