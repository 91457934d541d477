package lab

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
)

// premises are a healthy network with a machine on it and a printer, into which
// rows inject their faults one after the other.
type premises struct {
	*scene
	machine *Machine
	// t is the row's: what it injects is undone when it ends.
	t *testing.T
	// device is the printer that the machine's queue leads to.
	device *Device
	queue  string
}

// newPremises builds a network and a machine on it, with further files in its
// /etc.
func newPremises(t *testing.T, agent string, draw *rand.Rand, files map[string]string) *premises {
	o := &premises{scene: newScene(t, plain(), draw), t: t}
	o.machine = StartMachine(t, o.World, PC, agent, files)
	authority, err := os.ReadFile(o.authority.File)
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{
		"/etc/constat.yaml": o.policy("/var/lib/constat"), "/etc/authority.pem": string(authority), "/etc/letter.pdf": testPage,
	} {
		o.machine.WriteFile(name, content)
	}
	return o
}

// newOffice builds one. Its names, its brand and its addresses are drawn.
func newOffice(t *testing.T, agent string, draw *rand.Rand) *premises {
	o := newPremises(t, agent, draw, nil)
	model := pick(draw, [2]string{"HP", "LaserJet M404"}, [2]string{"Brother", "HL-L5200DW"}, [2]string{"Epson", "WF-C5790"}, [2]string{"Canon", "LBP226"})
	o.device = NewDevice(t, o.World, "pr0", lanAddress(31+draw.IntN(20)), model[0], model[1])
	o.queue = pick(draw, "front-desk", "floor2", "HP_Office", "accounting", "Drucker-3")
	o.addQueue(o.queue, o.device)
	o.sh(`lpadmin -d "$1"`, o.queue)
	return o
}

// lanAddress is one in the network of the pc.
func lanAddress(host int) string { return "10.77.0." + strconv.Itoa(host) }

// sh runs a script on the machine; its failure ends the row.
func (o *premises) sh(script string, args ...string) {
	o.t.Helper()
	if out, err := o.machine.Try(script, args...); err != nil {
		o.t.Fatalf("on the machine: %s %v: %v\n%s", script, args, err, out)
	}
}

// undo runs a script on the machine when the row ends.
func (o *premises) undo(script string, args ...string) {
	t := o.t
	t.Cleanup(func() {
		if out, err := o.machine.Try(script, args...); err != nil {
			t.Errorf("undoing: %s %v: %v\n%s", script, args, err, out)
		}
	})
}

// await waits until a script succeeds on the machine.
func (o *premises) await(script string, args ...string) {
	o.t.Helper()
	o.Await(script, func() error {
		out, err := o.machine.Try(script, args...)
		if err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
		return nil
	})
}

// addDevice puts another printer on the network, until the row ends.
func (o *premises) addDevice(name string, address int, options ...string) *Device {
	o.t.Helper()
	return NewDevice(o.t, o.World, name, lanAddress(address), "Ricoh", "IM C300", options...)
}

// addQueue adds a queue for a printer. It has no driver, and takes PDF as it is.
func (o *premises) addQueue(name string, d *Device) {
	o.t.Helper()
	o.addQueueTo(name, "ipp://"+d.Address+"/ipp/print")
}

func (o *premises) addQueueTo(name, uri string, options ...string) {
	o.t.Helper()
	o.sh(`lpadmin -p "$@" -E 2>/dev/null`, append([]string{name, "-v", uri}, options...)...)
	o.undo(`lpadmin -x "$1"`, name)
}

// print hands a document to a queue, with options of lp(1) beside.
func (o *premises) print(queue string, options ...string) {
	o.t.Helper()
	o.sh(`q=$1; shift; lp -d "$q" -t letter "$@" /etc/letter.pdf`, append([]string{queue}, options...)...)
	o.undo(`cancel -a -x "$1"`, queue)
}

// diagnose runs the real agent on the machine.
func (o *premises) diagnose(procedure string) Run {
	o.t.Helper()
	ctx, cancel := context.WithTimeout(o.t.Context(), time.Minute)
	defer cancel()
	cmd := o.machine.Command(ctx, "env", "-i", "PATH="+os.Getenv("PATH"), "LANG=C.UTF-8", "SSL_CERT_FILE=/etc/authority.pem",
		"constat-agent", "diagnose", procedure, "--config", "/etc/constat.yaml")
	const file = "/run/snapshot.json"
	return diagnoseInto(o.t, cmd, file, o.machine.Path(file))
}

// machineRow is a fault of a machine or of its printers. An empty fault is a
// trap: a healthy office that may look faulty.
type machineRow struct {
	// fault is one id, or both of a double fault with a "+" between them.
	fault     string
	how       string
	procedure string
	inject    func(*premises)
	// beyond says why the agent can't name it yet, for a fault that is injected
	// all the same: it counts as a miss, and is no failure of the test.
	beyond string
	// replayed: not the fault itself, but the traces that it leaves are put there.
	replayed bool
	// long rows take minutes.
	long bool
}

func (r machineRow) faults() []string {
	if r.fault == "" {
		return nil
	}
	return strings.Split(r.fault, "+")
}

// TestLabOffice puts faults of printers, of the system, its programs and its
// accounts into an office, one after the other, and wants each named first, both
// of a double fault named, and none in a healthy office.
//
// It takes one way to each fault, and every third trap and double fault.
// FAULT=id takes all of that fault, FAULT=healthy all traps, CONSTAT_LAB=whole
// all there is; SEED=words draws other names and numbers.
func TestLabOffice(t *testing.T) {
	Need(t, "root, to make a machine of namespaces", os.Geteuid() == 0)
	only, whole := os.Getenv("FAULT"), os.Getenv("CONSTAT_LAB") == "whole"
	rows := selectRows(slices.Concat(printingRows, hostRows, programRows, replayedRows, doubleRows), only, whole)
	if len(rows) == 0 && only != "os-startup-bloat" {
		t.Skipf("FAULT=%s has no row in this part of the lab", only)
	}
	agent := buildAgent(t)
	var starting []*slowStart
	if only == "os-startup-bloat" || only == "" && whole {
		starting = startSlowly(t, agent)
	}
	o := newOffice(t, agent, drawing(cmp.Or(os.Getenv("SEED"), "constat"), "office"))
	var runs []Run
	for i, row := range rows {
		t.Run(fmt.Sprintf("%s/%d %s", cmp.Or(row.fault, "healthy"), i, row.how), func(t *testing.T) {
			end := o.during(t)
			defer func() { end() }()
			row.inject(o)
			look := func() Run {
				run := o.diagnose(row.procedure)
				run.How, run.Live = row.how, !row.replayed
				if ids := row.faults(); len(ids) > 0 {
					run.Fault = ids[0]
					if len(ids) > 1 {
						run.Faults = ids
					}
				}
				return run
			}
			run := look()
			// As in TestLab: what is published is said at the first look.
			for again := 0; !whole && row.fails(run) && again < 2; again++ {
				t.Logf("%s, %s: once more", run.wrong(), run.said())
				run = look()
			}
			Record(t, row.part(), run)
			runs = append(runs, run)
			switch wrong := run.wrong(); {
			case wrong == "":
				t.Logf("right, %s, %d ms", run.said(), run.ElapsedMs)
			case whole || !row.fails(run):
				t.Logf("MISS, %s, %s; %s", wrong, run.said(), row.beyond)
			default:
				text, _ := protojson.Marshal(run.Diagnosis)
				t.Errorf("%s, %s\n%s", wrong, run.said(), text)
			}
		})
	}
	for _, s := range starting {
		t.Run("os-startup-bloat/"+s.how, func(t *testing.T) {
			run := s.diagnose(t)
			Record(t, "host", run)
			runs = append(runs, run)
			t.Logf("%s, %s", cmp.Or(run.wrong(), "right"), run.said())
		})
	}
	t.Logf("%s", count(ownWords(runs)))
}

// fails tells whether a run fails the test. A suspicion in a healthy office is a
// miss, and no alarm.
func (r machineRow) fails(run Run) bool {
	wrong := run.wrong()
	return wrong != "" && r.beyond == "" && (r.fault != "" || wrong == "false alarm")
}

// selectRows are those of one fault, all, or some of each kind.
func selectRows(all []machineRow, only string, whole bool) (rows []machineRow) {
	seen := map[string]int{}
	for _, r := range all {
		kind := cmp.Or(r.fault, "healthy")
		if len(r.faults()) > 1 {
			kind = "double"
		}
		n := seen[kind]
		seen[kind]++
		some := !r.long && (n == 0 || n%3 == 0 && (kind == "double" || kind == "healthy"))
		if only != "" && slices.Contains(append(r.faults(), kind), only) || only == "" && (whole || some) {
			rows = append(rows, r)
		}
	}
	return rows
}

// part is where a row's runs are counted.
func (r machineRow) part() string {
	switch {
	case len(r.faults()) > 1:
		return "double"
	case r.procedure == "printing":
		return "printing"
	}
	return "host"
}

// during has all that the office does fail a row, and be undone after it; the
// function it returns ends that, before anything is undone.
func (o *premises) during(t *testing.T) (end func()) {
	outer, world, machine, device := o.t, o.World.t, o.machine.t, o.device.t
	o.t, o.World.t, o.machine.t, o.device.t = t, t, t, t
	return func() { o.t, o.World.t, o.machine.t, o.device.t = outer, world, machine, device }
}
