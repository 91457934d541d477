package main

import (
	"bufio"
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"constat/agent/history"
	"constat/agent/host"
	"constat/agent/local"
	"constat/internal/fault"
	"constat/internal/lab"
	"constat/internal/procedure"
	constatv1 "constat/proto/constat/v1"
)

// hands answer one question after the other, and do something before the first
// answer.
type hands struct {
	do      func()
	answers []string
}

func (h *hands) Read(p []byte) (int, error) {
	if h.do != nil {
		h.do()
		h.do = nil
	}
	if len(h.answers) == 0 {
		return 0, io.EOF
	}
	n := copy(p, h.answers[0]+"\n")
	h.answers = h.answers[1:]
	return n, nil
}

// A real printer says that its cover is open. Whoever asks is led to the cover and
// nothing else, and what closing it changed is seen and not asked.
func TestWalkMendsARealPrinter(t *testing.T) {
	ipptool, err := exec.LookPath("ipptool")
	lab.Need(t, "ipptool (Debian: cups-ipp-utils)", err == nil)
	catalog, err := fault.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	for language, want := range map[string][]string{
		"en": {"The computer found this:", "A cover of the printer", "1. Close every flap of the printer", "I looked again: it is mended.", "Good. Nothing more needs to be done."},
		"fr": {"Voici ce que l’ordinateur a trouvé", "1. Fermez tous les capots", "J’ai vérifié", "Parfait. Il n’y a plus rien à faire."},
	} {
		t.Run(language, func(t *testing.T) {
			dir := t.TempDir()
			gate, page := filepath.Join(dir, "gate"), filepath.Join(dir, "page.pdf")
			for name, text := range map[string]string{gate: "", page: "%PDF-1.4 a document"} {
				if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			// The cover is open as long as the job lasts, and that until somebody
			// closes it.
			address := lab.StartPrinter(t, `echo "STATE: +cover-open" >&2
n=0; while [ -e `+gate+` ] && [ $n -lt 600 ]; do sleep 0.1; n=$((n+1)); done
echo "STATE: -cover-open" >&2`)
			t.Setenv("CUPS_SERVER", lab.StartCUPS(t, lab.PrintQueue{Name: "office", DeviceURI: "ipp://" + address + "/ipp/print", Default: true}).Address)
			if out, err := exec.Command(ipptool, "-q", "-f", page, "ipp://"+address+"/ipp/print", "print-job.test").CombinedOutput(); err != nil {
				t.Fatalf("printing: %v %s", err, out)
			}
			says := func() bool {
				out, _ := exec.Command(ipptool, "-tv", "ipp://"+address+"/ipp/print", "get-printer-attributes.test").Output()
				return strings.Contains(string(out), "cover-open")
			}
			await := func(open bool) {
				for end := time.Now().Add(30 * time.Second); says() != open; {
					if time.Now().After(end) {
						t.Fatalf("the printer does not say whether its cover is open (%v)", open)
					}
				}
			}
			await(true)
			closeCover := func() {
				if err := os.Remove(gate); err != nil {
					t.Error(err)
				}
				await(false)
			}
			quick := &constatv1.ProbePolicy{Names: []*constatv1.ProbeName{{Host: "localhost"}}}
			c := &counter{observer: &observer{catalog: catalog, config: host.Config{Probes: quick}, memory: history.Keep(t.TempDir())}}
			var out bytes.Buffer
			w := &walk{
				guide: c.guide(local.User{ID: "1", Name: "ann"}), ctx: t.Context(), language: language, words: walkWords[language],
				out: reportWriter{w: &out}, in: bufio.NewReader(&hands{do: closeCover, answers: []string{"1", "1"}}), end: func() {},
			}
			run, err := w.through("printing")
			if err != nil {
				t.Fatalf("%v\n%s", err, &out)
			}
			text := strings.ReplaceAll(out.String(), "\u00a0", " ")
			for _, sentence := range want {
				if !strings.Contains(text, sentence) {
					t.Errorf("it does not say %q", sentence)
				}
			}
			i := slices.IndexFunc(run.GetSteps(), func(s *constatv1.ProcedureRun_StepTaken) bool { return s.GetStep() == "cover" })
			if run.GetOutcome() != procedure.Solved || !run.GetHelped() || i < 0 || run.GetSteps()[i].GetAnswer() != procedure.Helped {
				t.Errorf("the run is %v", run)
			}
			t.Log(text)
		})
	}
}
