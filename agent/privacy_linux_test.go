package main

import (
	"bytes"
	"context"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"constat/agent/history"
	"constat/agent/host"
	"constat/agent/sheet"
	"constat/agent/uplink"
	"constat/internal/command"
	"constat/internal/diagnosis"
	"constat/internal/fault"
	"constat/internal/lab"
	"constat/internal/snapshot"
	constatv1 "constat/proto/constat/v1"
)

// secret stands in everything here that must not leave a machine: a document's
// title, passwords in the addresses of a printer and a proxy, the argument of a
// program, the name of a home folder, the environment, the hash of a password.
const secret = "canary7c1f"

// burner is a process that is seen at work under its program's name, with a
// secret on its command line, in its environment and in its working directory.
func burner(t *testing.T) {
	home := filepath.Join(t.TempDir(), "home", secret)
	if err := os.MkdirAll(home, 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("sh", "-c", "while :; do :; done", "--password="+secret)
	cmd.Dir = home
	cmd.Env = append(os.Environ(), "API_TOKEN="+secret)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
}

// No secret of the machine or of its people is in what facts and diagnose
// print, in what waits to be sent, or in the log.
func TestNothingPrivateLeavesTheMachine(t *testing.T) {
	cups := lab.StartCUPS(t, lab.PrintQueue{
		Name: "office", DeviceURI: "ipp://ann:" + secret + "@127.0.0.1:1/" + secret, Paused: true, Default: true,
	})
	cups.Hold(t, "office", "Redundancy list "+secret)
	burner(t)
	t.Setenv("CUPS_SERVER", cups.Address)
	for _, name := range []string{"http_proxy", "https_proxy", "all_proxy"} {
		t.Setenv(name, "http://ann:"+secret+"@127.0.0.1:1")
	}
	t.Setenv("API_TOKEN", secret)
	quick := &constatv1.ProbePolicy{Names: []*constatv1.ProbeName{{Host: "localhost"}}}
	catalog, err := fault.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	full, _ := diagnosis.Lookup("full")
	remembered := t.TempDir()
	o := &observer{catalog: catalog, config: host.Config{Probes: quick}, memory: history.Keep(remembered)}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	d, s := o.diagnose(ctx, full, "en", "user", nil)
	if q := s.GetPrinting().GetQueues(); len(q) != 1 || q[0].GetState() != "stopped" || len(q[0].GetJobs()) != 1 {
		t.Fatalf("the secrets' places were not looked at: %v", s.GetPrinting())
	}
	if s.GetNetwork().GetProxy().GetHttps() != "127.0.0.1:1" || len(s.GetLoad().GetProcesses()) == 0 {
		t.Fatalf("the secrets' places were not looked at: %v", s.GetNetwork().GetProxy())
	}

	var printed, log bytes.Buffer
	for _, m := range []proto.Message{s, d} {
		if err := command.WriteMessage(&printed, m, command.EveryKey); err != nil {
			t.Fatal(err)
		}
	}
	sheet.Write(&printed, s, "en")
	writeDiagnosis(&printed, d, catalog, "fr")
	look(t, "what is printed", printed.Bytes())

	dir := t.TempDir()
	spool, err := uplink.OpenSpool(dir, uplink.SpoolLimits{}, slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range []*constatv1.Report{
		{Content: &constatv1.Report_Snapshot{Snapshot: &constatv1.SnapshotReport{Payloads: snapshot.Payloads(s), Manifest: s.GetManifest()}}},
		{Content: &constatv1.Report_Diagnosis{Diagnosis: d}},
	} {
		if err := spool.Put(r); err != nil {
			t.Fatal(err)
		}
	}
	for what, dir := range map[string]string{"the spool": dir, "the memory": remembered} {
		files := 0
		err = fs.WalkDir(os.DirFS(dir), ".", func(name string, e fs.DirEntry, err error) error {
			if err != nil || e.IsDir() {
				return err
			}
			files++
			content, err := os.ReadFile(filepath.Join(dir, name))
			look(t, what+"'s "+name, append([]byte(name), content...))
			return err
		})
		if err != nil || files < 2 {
			t.Errorf("%s has %d files: %v", what, files, err)
		}
	}
	look(t, "the log", log.Bytes())
}

// A token that is refused is not repeated to the terminal.
func TestTokensAreNotPrinted(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte("constat-"+secret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var out, log bytes.Buffer
	t.Setenv("CONSTAT_ROOT", t.TempDir()) // no rights are given up inside a test
	code := command.Run(t.Context(), rootCommand(), []string{"enroll", "--collector", "127.0.0.1:1", "--token-file", file, "--data", t.TempDir()}, &out, &log)
	if code != int(command.Failure) || !strings.Contains(log.String(), "token") {
		t.Errorf("exit %d: %s", code, &log)
	}
	look(t, "the terminal", append(out.Bytes(), log.Bytes()...))
}

func look(t *testing.T, where string, content []byte) {
	t.Helper()
	if i := bytes.Index(content, []byte(secret)); i >= 0 {
		t.Errorf("a secret is in %s: …%s…", where, content[max(0, i-120):min(len(content), i+40)])
	}
}
