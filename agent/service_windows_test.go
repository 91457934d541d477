package main

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/svc"

	"constat/agent/host"
	"constat/agent/local"
	"constat/agent/sheet"
	"constat/internal/snapshot"
	constatv1 "constat/proto/constat/v1"
)

// TestManagedDirectory: nobody else gets into the agent's directory from when it
// is made. What is done with one that is there already can't be seen under Wine,
// whose SetNamedSecurityInfo brings in the rights of the parent all the same.
func TestManagedDirectory(t *testing.T) {
	if err := os.RemoveAll(local.SystemData); err != nil {
		t.Fatal(err)
	}
	if err := secureData(local.SystemData); err != nil {
		t.Fatal(err)
	}
	sd, err := windows.GetNamedSecurityInfo(local.SystemData, windows.SE_FILE_OBJECT, windows.DACL_SECURITY_INFORMATION)
	if err != nil {
		t.Fatal(err)
	}
	if text := sd.String(); strings.Contains(text, ";WD)") || strings.Contains(text, ";BU)") {
		t.Errorf("the directory's rights: %s", text)
	}
}

// TestServiceReads tells what the service's network half reads, asked over its pipe,
// and what this process does, which has all of its user's rights: a line for each
// group, and one for each fact of it. internal/lab/wine starts it beside the service,
// and compares.
func TestServiceReads(t *testing.T) {
	if os.Getenv("SERVICE_READS") == "" {
		t.Skip("started by internal/lab/wine only")
	}
	conn, err := local.Dial(t.Context(), local.Socket(local.SystemData))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	agent := constatv1.NewLocalServiceClient(conn)
	d, err := follow(t.Context(), agent, &constatv1.RunDiagnosisRequest{Procedure: "full", Language: "en"}, func(p *constatv1.Progress) {
		if p.GetGroup() != "" {
			fmt.Printf("service status %s %s\n", p.GetGroup(), p.GetStatus())
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	shown, err := agent.PreviewTicket(t.Context(), &constatv1.PreviewTicketRequest{DiagnosisId: d.GetId(), Language: "en"})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range shown.GetSections() {
		for _, f := range s.GetFacts() {
			if s.GetGroup() != "" {
				fmt.Printf("service fact %s %s\n", s.GetGroup(), f.GetName())
			}
		}
	}
	s := host.Observe(t.Context(), host.Config{}, slices.DeleteFunc(host.Groups(), func(g string) bool { return g == "probes" }))
	for _, g := range s.GetManifest().GetGroups() {
		fmt.Printf("here status %s %s\n", g.GetGroup(), g.GetObservation().GetStatus())
		if m := snapshot.Group(s, g.GetGroup()); m != nil {
			for _, f := range sheet.Facts(m.ProtoReflect(), "en") {
				fmt.Printf("here fact %s %s\n", g.GetGroup(), f.Name)
			}
		}
	}
}

// TestManagedEvents: which words of the service manager say that somebody is
// back. Wine sends none of them.
func TestManagedEvents(t *testing.T) {
	for _, c := range []struct {
		what  string
		cmd   svc.Cmd
		event uint32
		back  bool
	}{
		{"the computer goes to sleep", svc.PowerEvent, 0x04, false},
		{"it resumed", svc.PowerEvent, 0x12, true},
		{"it resumed for a person", svc.PowerEvent, 0x07, true},
		{"its battery changed", svc.PowerEvent, 0x0a, false},
		{"somebody signed in", svc.SessionChange, 0x05, true},
		{"somebody signed out", svc.SessionChange, 0x06, false},
		{"the screen was locked", svc.SessionChange, 0x07, false},
		{"it was unlocked", svc.SessionChange, 0x08, true},
		{"a device came", svc.DeviceEvent, 0x12, false},
	} {
		if got := back(svc.ChangeRequest{Cmd: c.cmd, EventType: c.event}); got != c.back {
			t.Errorf("%s: %v, want %v", c.what, got, c.back)
		}
	}
}
