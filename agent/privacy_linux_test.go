package main

import (
	"bytes"
	"context"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"constat/agent/history"
	"constat/agent/host"
	"constat/agent/local"
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
	anna := local.User{ID: "1000", Name: "anna"}
	for _, language := range []string{"en", "fr"} {
		preview := kept{anna, d, s}.preview(language).String()
		if !strings.Contains(preview, "office") {
			t.Error("the preview does not show the queue")
		}
		look(t, "the preview", []byte(preview))
	}
	asPNG, asJPEG := talkative(t)
	pictures, err := bare([][]byte{asPNG, asJPEG})
	if err != nil {
		t.Fatal(err)
	}

	dir := t.TempDir()
	spool, err := uplink.OpenSpool(dir, uplink.SpoolLimits{}, slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range []*constatv1.Report{
		{Content: &constatv1.Report_Snapshot{Snapshot: &constatv1.SnapshotReport{Payloads: snapshot.Payloads(s), Manifest: s.GetManifest()}}},
		{Content: &constatv1.Report_Diagnosis{Diagnosis: d}},
		{Content: &constatv1.Report_Ticket{Ticket: &constatv1.TicketDraft{Id: "01950000-0000-7000-8000-00000000000a", Complaint: "printing", Text: "Nothing comes out", Requester: &constatv1.Person{Id: anna.ID, Name: anna.Name}, Pictures: pictures}}},
	} {
		if err := spool.Put(r); err != nil {
			t.Fatal(err)
		}
	}
	waiting, _, err := spool.Said()
	if err != nil {
		t.Fatal(err)
	}
	mine := addSaid(nil, "waiting", waiting, anna, "en")
	if len(mine) != 1 {
		t.Errorf("of the tickets that wait anna reads %v", mine)
	}
	for _, ticket := range mine {
		look(t, "my tickets", []byte(ticket.String()))
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

// A machine in a folder with a secret wherever programs keep theirs beside what
// is looked at: keys of Wi-Fi and certificates, passwords of the directory, hashes
// of accounts, command lines in logs and reports, titles of documents, the names
// of people's folders. Every group is read, and none of it comes out.
func TestNothingPrivateIsRead(t *testing.T) {
	root := t.TempDir()
	now := time.Now()
	for name, content := range map[string]string{
		"etc/os-release":     "ID=debian\nNAME=Debian\n",
		"etc/passwd":         "ann:x:1000:1000:" + secret + ":/home/" + secret + ":/bin/sh\n",
		"etc/shadow":         "ann:$y$" + secret + ":20000:0:90:7:::\n",
		"etc/krb5.keytab":    secret,
		"etc/sssd/sssd.conf": "[sssd]\ndomains = corp.example\n[domain/corp.example]\nid_provider = ldap\nldap_default_bind_dn = cn=" + secret + "\nldap_default_authtok = " + secret + "\n",
		"etc/NetworkManager/system-connections/home.nmconnection": "[wifi-security]\npsk=" + secret + "\n",
		"etc/wpa_supplicant/wpa_supplicant.conf":                  "network={\n psk=\"" + secret + "\"\n}\n",
		"etc/wpa_supplicant/client-key.pem":                       "-----BEGIN PRIVATE KEY-----\n" + secret + "\n-----END PRIVATE KEY-----\n",
		"etc/wpa_supplicant/client.pem":                           "-----BEGIN PRIVATE KEY-----\n" + secret + "\n-----END PRIVATE KEY-----\n",
		"etc/fstab":                                               "//ann:" + secret + "@nas/" + secret + " /home/" + secret + "/nas cifs password=" + secret + " 0 0\n",
		"etc/xdg/autostart/a.desktop":                             "[Desktop Entry]\nName=Backup\nExec=backup --token=" + secret + "\n",
		"proc/self/mountinfo":                                     "29 25 0:40 / /home/" + secret + "/nas rw - cifs //ann:" + secret + "@nas/" + secret + " rw,password=" + secret + "\n",
		"proc/400/stat":                                           "400 (backup) R 1 1 1 0 -1 4194560 1 1 1 1 45000 45000 1 1 20 0 1 0 10000 0 0 1 1 1 0 0 0 0\n",
		"proc/400/cmdline":                                        "backup\x00--token=" + secret + "\x00",
		"proc/400/environ":                                        "TOKEN=" + secret + "\x00",
		"proc/400/comm":                                           "backup\n",
		"proc/stat":                                               "cpu  1 0 1 8 0 0 0 0 0 0\ncpu0 1 0 1 8 0 0 0 0 0 0\nbtime 1700000000\n",
		"dev/kmsg":                                                "6,1,1,-;EXT4-fs error (device sda1): comm " + secret + ": reading directory\n6,2,2,-;systemd[1]: started --token=" + secret + "\n",
		"var/crash/_usr_bin_editor.1000.crash": "ProblemType: Crash\nDate: " + now.Format(time.ANSIC) + "\nExecutablePath: /usr/bin/editor\nProcCmdline: editor /home/" + secret + "/x\nProcEnviron:\n TOKEN=" +
			secret + "\nProcCwd: /home/" + secret + "\n",
		"var/lib/dpkg/status":                             "Package: editor\nStatus: install ok installed\nVersion: 1\nArchitecture: amd64\nMaintainer: Someone <" + secret + "@example.org>\nDescription: " + secret + "\n\n",
		"var/log/apt/history.log":                         "Start-Date: 2026-01-02  03:04:05\nCommandline: apt install --key=" + secret + "\nRequested-By: " + secret + " (1000)\nInstall: editor:amd64 (1)\nEnd-Date: 2026-01-02  03:04:06\n",
		"sys/class/power_supply/keep":                     "",
		"home/" + secret + "/.config/pulse/-default-sink": "alsa_output.usb-" + secret + "\n",
	} {
		file := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	s := host.Observe(t.Context(), host.Config{Root: root}, slices.DeleteFunc(host.Groups(), func(g string) bool { return g == "probes" }))
	if len(s.GetSoftware().GetPrograms()) != 1 || len(s.GetCrashes().GetPrograms()) != 1 || len(s.GetStorage().GetMounts()) != 1 || s.GetHost().GetDomain() != "corp.example" {
		t.Fatalf("the secrets' places were not looked at: %v", s)
	}
	var printed bytes.Buffer
	if err := command.WriteMessage(&printed, s, command.EveryKey); err != nil {
		t.Fatal(err)
	}
	sheet.Write(&printed, s, "fr")
	look(t, "what is printed", bytes.ReplaceAll(printed.Bytes(), []byte(root), []byte("ROOT")))
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
