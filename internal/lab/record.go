package lab

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	constatv1 "constat/proto/constat/v1"
)

// Run is what the agent saw and said in a world whose fault is known.
type Run struct {
	// Fault is the one that was injected; empty: the world is healthy.
	Fault string
	// Faults are both of a double fault; Fault is then the first of them.
	Faults []string
	// How the fault was injected, and into what, for people.
	How string
	// Procedure is the complaint that was diagnosed.
	Procedure string
	At        time.Time
	// Live: a world was made and looked at. Else a recorded snapshot was
	// changed or composed.
	Live      bool
	Snapshot  *constatv1.Snapshot
	Diagnosis *constatv1.Diagnosis
	// ElapsedMs from the question to the answer, milliseconds of the agent's
	// own clock.
	ElapsedMs int
}

// runJSON is the form of a Run in a file.
type runJSON struct {
	Fault     string          `json:"fault"`
	Faults    []string        `json:"faults,omitempty"`
	How       string          `json:"how"`
	Procedure string          `json:"procedure"`
	At        time.Time       `json:"at"`
	Live      bool            `json:"live"`
	Snapshot  json.RawMessage `json:"snapshot"`
	Diagnosis json.RawMessage `json:"diagnosis"`
	ElapsedMs int             `json:"elapsedMs"`
}

// MarshalJSON writes both messages as protojson.
func (r Run) MarshalJSON() ([]byte, error) {
	snapshot, err := protojson.Marshal(r.Snapshot)
	if err != nil {
		return nil, err
	}
	diagnosis, err := protojson.Marshal(r.Diagnosis)
	if err != nil {
		return nil, err
	}
	return json.Marshal(runJSON{r.Fault, r.Faults, r.How, r.Procedure, r.At, r.Live, snapshot, diagnosis, r.ElapsedMs})
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (r *Run) UnmarshalJSON(text []byte) error {
	var j runJSON
	if err := json.Unmarshal(text, &j); err != nil {
		return err
	}
	*r = Run{j.Fault, j.Faults, j.How, j.Procedure, j.At, j.Live, &constatv1.Snapshot{}, &constatv1.Diagnosis{}, j.ElapsedMs}
	// A recording may come from another version of the agent.
	lenient := protojson.UnmarshalOptions{DiscardUnknown: true}
	return errors.Join(unmarshal(lenient, j.Snapshot, r.Snapshot), unmarshal(lenient, j.Diagnosis, r.Diagnosis))
}

func unmarshal(o protojson.UnmarshalOptions, text []byte, into proto.Message) error {
	if len(text) == 0 || bytes.Equal(text, []byte("null")) {
		return nil
	}
	return o.Unmarshal(text, into)
}

// Record keeps a run for the statistics, in the directory that
// CONSTAT_LAB_RECORD names; without it, nothing is kept. part is who made the
// world, a word: "network", "printing".
func Record(t testing.TB, part string, r Run) {
	t.Helper()
	dir := os.Getenv("CONSTAT_LAB_RECORD")
	if dir == "" {
		return
	}
	text, err := json.Marshal(r)
	if err := errors.Join(err, os.MkdirAll(dir, 0o755)); err != nil {
		t.Fatal(err)
	}
	// Several tests may be writing; the first free number is this run's.
	for n := 1; ; n++ {
		name := filepath.Join(dir, fmt.Sprintf("%s-%s-%d.json", part, cmp.Or(r.Fault, "healthy"), n))
		f, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		_, err = f.Write(text)
		if err := errors.Join(err, f.Close()); err != nil {
			t.Fatal(err)
		}
		return
	}
}

// Recorded reads all runs of a directory, in the order of their files' names.
func Recorded(dir string) ([]Run, error) {
	names, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil {
		return nil, err
	}
	runs := make([]Run, len(names))
	for i, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		if err := json.Unmarshal(text, &runs[i]); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	return runs, nil
}

// Diagnose runs a prepared `constat-agent diagnose PROCEDURE …` and returns
// what it saw and said, to which the caller adds what was wrong. It adds the
// flags for that to the command.
func Diagnose(t testing.TB, cmd *exec.Cmd) Run {
	t.Helper()
	// The command may run as an ordinary user.
	dir := t.TempDir()
	if err := errors.Join(os.Chmod(dir, 0o777), os.Chmod(filepath.Dir(dir), 0o755)); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "snapshot.json")
	return diagnoseInto(t, cmd, file, file)
}

// diagnoseInto is Diagnose for an agent that sees other files than the test:
// file is where it puts its snapshot, and seen where the test finds that.
func diagnoseInto(t testing.TB, cmd *exec.Cmd, file, seen string) Run {
	t.Helper()
	cmd.Args = append(cmd.Args, "--json", "--snapshot", file)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	at := time.Now()
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && (!errors.As(err, &exit) || exit.ExitCode() != 1 && exit.ExitCode() != 3) {
		t.Fatalf("the agent: %v\n%s", err, &stderr)
	}
	r := Run{At: at.UTC().Truncate(time.Second), Live: true, Snapshot: &constatv1.Snapshot{}, Diagnosis: &constatv1.Diagnosis{}}
	if err := protojson.Unmarshal(stdout.Bytes(), r.Diagnosis); err != nil {
		t.Fatalf("the agent's answer: %v\n%s", err, &stdout)
	}
	text, err := os.ReadFile(seen)
	if err != nil {
		t.Fatal(err)
	}
	if err := protojson.Unmarshal(text, r.Snapshot); err != nil {
		t.Fatalf("the agent's facts: %v", err)
	}
	r.Procedure, r.ElapsedMs = r.Diagnosis.Procedure, int(r.Diagnosis.ElapsedMs)
	return r
}
