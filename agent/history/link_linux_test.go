package history

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"constat/agent/host"
	"constat/internal/lab"
	constatv1 "constat/proto/constat/v1"
)

// TestSampleChild is not a test: it is one minute of the agent, on a host of the
// lab's and at a time of TestFlappingLink's.
func TestSampleChild(t *testing.T) {
	dir, at := os.Getenv("VITALS_DIR"), os.Getenv("VITALS_AT")
	if at == "" {
		t.Skip("started by TestFlappingLink only")
	}
	when, err := time.Parse(time.RFC3339, at)
	if err != nil {
		t.Fatal(err)
	}
	v := open(t, dir)
	v.mustAdd(t, when, host.NewSampler(host.Config{}).Sample(t.Context(), true)...)
}

// A cable that is pulled twice on the switch's side is seen as two losses, in
// the minute in which it happened; the gateway and the resolver are asked.
func TestFlappingLink(t *testing.T) {
	w := lab.NewWorld(t)
	w.ServeDNS(lab.Gateway, []string{lab.GatewayAddress}, "--address=/#/"+lab.GatewayAddress)
	dir := t.TempDir()
	sample := func(at time.Time) {
		cmd := w.Command(t.Context(), lab.PC, os.Args[0], "-test.run", "^TestSampleChild$")
		cmd.Env = append(os.Environ(), "VITALS_DIR="+dir, "VITALS_AT="+at.Format(time.RFC3339))
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	sample(noon)
	sample(noon.Add(Period))
	for range 2 {
		w.IP(lab.Switch, "link set pc0 down")
		w.AwaitLink(lab.PC, "eth0", "NO-CARRIER")
		w.IP(lab.Switch, "link set pc0 up")
		w.AwaitLink(lab.PC, "eth0", "LOWER_UP")
	}
	sample(noon.Add(2 * Period))
	sample(noon.Add(3 * Period))

	now := noon.Add(3 * Period)
	m := Recall(dir, now)
	s := &constatv1.Snapshot{Manifest: &constatv1.Manifest{}}
	m.Complete(s, []string{"network", "vitals"}, now)
	if len(s.GetManifest().GetGroups()) != 1 || len(s.GetManifest().GetGroups()[0].GetPayloadHash()) == 0 {
		t.Fatalf("not sealed: %v", s.GetManifest())
	}
	losses := 0
	for _, e := range s.GetVitals().GetLinkEvents() {
		if e.GetLink() != "eth0" {
			continue
		}
		losses++
		if e.GetCarrierLosses() != 2 || !e.GetLastLossAt().AsTime().Equal(noon.Add(2*Period)) {
			t.Errorf("want 2 losses in the third minute: %v", e)
		}
	}
	if losses != len(windows) {
		t.Errorf("%d rows about the link: %v", losses, s.GetVitals().GetLinkEvents())
	}
	seen := map[string]bool{}
	for _, v := range s.GetVitals().GetVitals() {
		seen[fmt.Sprint(v.GetKind(), " ", v.GetOwner())] = v.GetMaximum() < 1000
	}
	for _, want := range []string{"gatewayMs eth0", "dnsMs " + lab.GatewayAddress, "memoryAvailablePercent "} {
		if !seen[want] {
			t.Errorf("%s is not there: %v", want, seen)
		}
	}
}

// A gateway that falls silent after it has answered is a loss; one that never
// answers an echo request is not.
func TestGatewayFallsSilent(t *testing.T) {
	w := lab.NewWorld(t)
	dir := t.TempDir()
	cmd := w.Command(t.Context(), lab.PC, os.Args[0], "-test.run", "^TestWatchChild$")
	cmd.Env = append(os.Environ(), "VITALS_DIR="+dir, "VITALS_WATCH=1")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		in.Close()
		_ = cmd.Wait()
	}()
	minute := func() (losses map[string]float64) {
		t.Helper()
		if _, err := in.Write([]byte("\n")); err != nil {
			t.Fatal(err)
		}
		losses = map[string]float64{}
		for {
			var kind string
			var value float64
			if _, err := fmt.Fscanln(out, &kind, &value); err != nil {
				t.Fatal(err)
			}
			if kind == "end" {
				return losses
			}
			losses[kind] = value
		}
	}
	if got := minute(); got["lossPercent"] == 100 || got["gatewayMs"] <= 0 {
		t.Errorf("healthy: %v", got)
	}
	w.Filter(lab.Gateway, "inet", "filter", "input", "icmp type echo-request drop", "icmpv6 type echo-request drop")
	if got := minute(); got["lossPercent"] != 100 {
		t.Errorf("fallen silent: %v", got)
	}
	fresh := lab.NewWorld(t)
	fresh.Filter(lab.Gateway, "inet", "filter", "input", "icmp type echo-request drop", "icmpv6 type echo-request drop")
	first := t.TempDir()
	child := fresh.Command(t.Context(), lab.PC, os.Args[0], "-test.run", "^TestSampleChild$")
	child.Env = append(os.Environ(), "VITALS_DIR="+first, "VITALS_AT="+noon.Format(time.RFC3339))
	if said, err := child.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	for n := range readAll(t, open(t, first), noon) {
		if n.kind == "lossPercent" || n.kind == "gatewayMs" {
			t.Errorf("a gateway that never answers gave %v", n)
		}
	}
}

// TestWatchChild is not a test: it takes a sample whenever a line comes.
func TestWatchChild(t *testing.T) {
	if os.Getenv("VITALS_WATCH") == "" {
		t.Skip("started by TestGatewayFallsSilent only")
	}
	s := host.NewSampler(host.Config{})
	for {
		if n, _ := os.Stdin.Read(make([]byte, 1)); n == 0 {
			return
		}
		for _, r := range s.Sample(context.Background(), true) {
			if r.Kind == "lossPercent" || r.Kind == "gatewayMs" {
				fmt.Println(r.Kind, r.Value)
			}
		}
		fmt.Println("end", 0)
	}
}
