package vm

import (
	"bytes"
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protojson"

	"constat/internal/lab"
	constatv1 "constat/proto/constat/v1"
)

// row is one scenario in a machine: what is done to it, the complaint, the root
// cause that must be named first (none: healthy; abstain: none can be proved),
// and how all is put right again (nil: by another machine).
type row struct {
	fault, procedure, how string
	inject, undo          func(*Machine)
	// quick ones run in every test, the others in the whole lab.
	quick bool
}

const abstain = "undetermined"

// sh is a step of shell.
func sh(script string) func(*Machine) {
	return func(m *Machine) {
		m.t.Helper()
		m.Run(script)
	}
}

// dials is a step that turns the laptop's dials.
func dials(d map[Dial]int) func(*Machine) {
	return func(m *Machine) {
		m.t.Helper()
		m.Turn(d)
	}
}

func nothing(*Machine) {}

// whole tells whether the whole lab is to run, as make lab asks for.
func whole() bool { return os.Getenv("CONSTAT_LAB") != "" }

const policy = `
data: /var/lib/constat-agent
probes:
  names:
    - {host: www.alpha.example, expect: [198.51.100.0/24]}
    - {host: www.beta.example, expect: [192.0.2.0/24]}
  tcp: ["198.51.100.10:443", "192.0.2.10:443", "203.0.113.130:443"]
  http: {url: "http://page.example/success.txt", status: 200, body: success}
  tls: ["www.alpha.example:443", "www.beta.example:443", "www.gamma.example:443"]
`

// guestFiles builds what goes into the machines: the agent that users run, and
// what plays the world around it, with certificates of an authority of the
// test's own.
func guestFiles(t testing.TB) map[string]string {
	authority := lab.NewAuthority(t, "Lab Root")
	site := authority.Issue(time.Now().Add(-time.Hour), time.Now().Add(60*24*time.Hour), "www.alpha.example", "www.beta.example", "www.gamma.example")
	certificate, key := pemOf(t, site)
	files := map[string]string{
		"/usr/bin/constat-agent": Build(t, "constat/agent"), "/usr/bin/guest": Build(t, "constat/internal/lab/vm/guest"), "/etc/authority.pem": authority.File,
	}
	for name, content := range map[string][]byte{"/etc/site.pem": certificate, "/etc/site.key": key, "/etc/agent.yaml": []byte(policy)} {
		file := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(file, content, 0o644); err != nil {
			t.Fatal(err)
		}
		files[name] = file
	}
	return files
}

func pemOf(t testing.TB, c tls.Certificate) (certificate, key []byte) {
	der, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Certificate[0]}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

// patient repeats a look that the machine was too slow for: where its host is
// busy, it is no measure of the agent.
func patient(t testing.TB, look func() *constatv1.Snapshot) {
	t.Helper()
	for range 10 {
		late := ""
		for _, g := range look().GetManifest().GetGroups() {
			if o := g.GetObservation(); o.GetStatus() == "failed" && strings.Contains(o.GetReason(), "timed out") {
				late += " " + g.GetGroup()
			}
		}
		if late == "" {
			return
		}
		t.Logf("this machine was too slow for%s: once more", late)
	}
}

// mark stands between what the agent said and what it saw.
const mark = "\n--- 8< ---\n"

// diagnose runs the real agent in the machine, as root.
func diagnose(m *Machine, procedure string) lab.Run {
	m.t.Helper()
	var r lab.Run
	patient(m.t, func() *constatv1.Snapshot {
		out := m.Run(fmt.Sprintf(`status=0
SSL_CERT_FILE=/etc/authority.pem constat-agent diagnose %s --config /etc/agent.yaml --json --snapshot /tmp/snapshot >/tmp/diagnosis 2>/tmp/error || status=$?
case $status in 0|1|3) ;; *) cat /tmp/error; exit 2;; esac
cat /tmp/diagnosis; printf '%s'; cat /tmp/snapshot`, procedure, strings.ReplaceAll(mark, "\n", `\n`)))
		diagnosis, snapshot, _ := strings.Cut(out, mark)
		r = lab.Run{Procedure: procedure, At: time.Now().UTC().Truncate(time.Second), Live: true, Snapshot: &constatv1.Snapshot{}, Diagnosis: &constatv1.Diagnosis{}}
		if err := protojson.Unmarshal([]byte(diagnosis), r.Diagnosis); err != nil {
			m.t.Fatalf("the agent's answer: %v\n%s", err, diagnosis)
		}
		if err := protojson.Unmarshal([]byte(snapshot), r.Snapshot); err != nil {
			m.t.Fatalf("the agent's facts: %v", err)
		}
		r.ElapsedMs = int(r.Diagnosis.ElapsedMs)
		return r.Snapshot
	})
	return r
}

// facts runs `constat-agent facts --json` as root or as nobody.
func facts(t testing.TB, m *Machine, as string) *constatv1.Snapshot {
	t.Helper()
	return factsOf(t, m, "vm", as)
}

// factsOf does, and keeps them as evidence of a part of the lab.
func factsOf(t testing.TB, m *Machine, part, as string) *constatv1.Snapshot {
	t.Helper()
	var s *constatv1.Snapshot
	patient(t, func() *constatv1.Snapshot {
		out := m.Run("cd / && su -s /bin/sh " + as + " -c 'constat-agent facts --json --config /etc/agent.yaml' 2>/tmp/error || cat /tmp/error")
		s = &constatv1.Snapshot{}
		if err := protojson.Unmarshal([]byte(out), s); err != nil {
			t.Fatalf("the agent's facts: %v\n%s", err, out)
		}
		return s
	})
	lab.RecordFacts(t, part+"-"+as, s)
	return s
}

// runs tells whether a row is among those to run: FAULT=id picks the rows of one
// fault, FAULT=healthy those without.
func (r row) runs() bool {
	if only := os.Getenv("FAULT"); only != "" {
		return only == cmp.Or(r.fault, "healthy")
	}
	return r.quick || whole()
}

// picked tells whether any row is to run.
func picked(rows []row) bool { return slices.ContainsFunc(rows, row.runs) }

var errUsedUp = errors.New("the machine is used up")

// play runs rows one after the other in one machine. A world that could not be made, or not
// be put right again, costs itself: a machine started anew goes on.
func play(t *testing.T, boot func(*testing.T) *Machine, rows []row) {
	var table bytes.Buffer
	var m *Machine
	for _, r := range rows {
		id := cmp.Or(r.fault, "healthy")
		if !r.runs() {
			continue
		}
		for again := range 2 {
			if m == nil {
				m = boot(t)
			}
			var failed, stays error
			t.Run(id+"/"+r.how, func(t *testing.T) {
				var run lab.Run
				failed = m.Try(t, func() {
					r.inject(m)
					run = diagnose(m, r.procedure)
				})
				stays = failed
				switch {
				case r.undo == nil:
					stays = cmp.Or(failed, errUsedUp)
				case failed == nil:
					stays = m.Try(t, func() { r.undo(m) })
				}
				if failed == nil && again == 0 && !whole() {
					// A busy host takes time from the machine, and with it handshakes: a
					// miss is looked at again. What is published is said at the first look.
					if wrong := judge(r.fault, run.Diagnosis); wrong != "" {
						failed = fmt.Errorf("%s\n%s", wrong, protojson.Format(run.Diagnosis))
						stays = failed
					}
				}
				switch {
				case failed != nil && again == 0:
					t.Logf("%v\nonce more, in a machine started anew", failed)
					return
				case failed != nil:
					t.Fatal(failed)
				case stays != nil && r.undo != nil:
					t.Logf("not put right again, so the machine is started anew: %v", stays)
				}
				run.Fault, run.How = r.fault, r.how
				if r.fault != abstain {
					lab.Record(t, "vm", run)
				}
				var named []string
				for _, c := range run.Diagnosis.RootCauses {
					named = append(named, c.Fault+" ("+c.Certainty+")")
				}
				fmt.Fprintf(&table, "| %s | %s | %s | %s | %s | %d ms |\n", id, r.how, r.procedure, run.Diagnosis.Verdict, strings.Join(named, ", "), run.ElapsedMs)
				switch wrong := judge(r.fault, run.Diagnosis); {
				case wrong != "" && whole() && os.Getenv("FAULT") == "":
					t.Logf("MISS, %s\n%s", wrong, protojson.Format(run.Diagnosis)) // the report counts them
				case wrong != "" && whole():
					t.Logf("MISS, %s\n%s\n%s", wrong, protojson.Format(run.Diagnosis), protojson.Format(run.Snapshot))
				case wrong != "":
					t.Errorf("%s\n%s\n%s", wrong, protojson.Format(run.Diagnosis), protojson.Format(run.Snapshot))
				}
			})
			if stays != nil {
				m.Stop()
				m = nil
			}
			if failed == nil {
				break
			}
		}
	}
	t.Logf("\n| fault | how | procedure | verdict | named | time |\n|---|---|---|---|---|---|\n%s", &table)
}

// judge says what is wrong with a diagnosis; empty: nothing.
func judge(fault string, d *constatv1.Diagnosis) string {
	var named []string
	for _, c := range d.RootCauses {
		named = append(named, c.Fault)
	}
	said := fmt.Sprintf("verdict %s, root causes %v", d.Verdict, named)
	switch {
	case fault == "" && (d.Verdict != "healthy" || len(named) > 0):
		return said + " in a healthy machine"
	case fault == abstain && d.Verdict != abstain:
		return said + " where none can be proved"
	case fault != "" && fault != abstain && slices.Index(named, fault) != 0:
		return said + ", want " + fault + " first"
	}
	return ""
}
