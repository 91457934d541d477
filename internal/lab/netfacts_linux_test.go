package lab

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"

	constatv1 "constat/proto/constat/v1"
)

// facts are what the agent sees on the pc.
func (w *World) facts(agent string, arguments ...string) *constatv1.Snapshot {
	w.t.Helper()
	cmd := w.Command(w.t.Context(), PC, agent, append([]string{"facts", "--json"}, arguments...)...)
	cmd.Stderr = w.t.Output()
	out, err := cmd.Output()
	s := &constatv1.Snapshot{}
	if err == nil {
		err = protojson.Unmarshal(out, s)
	}
	if err != nil {
		w.t.Fatalf("the agent's facts: %v\n%s", err, out)
	}
	return s
}

// TestLocalFirewall: the verdicts of real rules, by the agent that has no
// rights of its own.
func TestLocalFirewall(t *testing.T) {
	w := NewWorld(t)
	agent := buildAgent(t)
	verdicts := func() string {
		n := w.facts(agent, "--group", "network")
		f := n.Network.Firewall
		if f == nil {
			t.Fatalf("no firewall: %v", n.Manifest.Groups)
		}
		var list []string
		for _, v := range f.Verdicts {
			if v.GetVerdict() != "accept" && v.GetFamily() == 4 {
				list = append(list, fmt.Sprint(v.GetProtocol(), " ", v.GetPort(), " ", v.GetVerdict(), " ", v.GetDirection()))
			}
		}
		slices.Sort(list)
		return fmt.Sprint(f.GetKind(), " ", f.GetEnabled(), " ", f.GetOutgoingPolicy(), " ", f.GetOutgoingBlocks(), ": ", strings.Join(list, ", "))
	}
	if got := verdicts(); got != " false accept 0: " {
		t.Errorf("no rules: %s", got)
	}
	w.Filter(PC, "inet", "filter", "output", "oif lo accept", "meta l4proto tcp tcp dport != 53 drop")
	if got := verdicts(); got != "nftables true accept 1: tcp 443 drop out, tcp 80 drop out" {
		t.Errorf("all TCP but DNS: %s", got)
	}
	w.Filter(PC, "inet", "filter", "input", "iif lo accept", "ct state established tcp sport 53 accept", "meta l4proto udp drop")
	if got := verdicts(); got != "nftables true accept 1: tcp 443 drop out, tcp 80 drop out, udp 123 drop in, udp 443 drop in, udp 53 drop in" {
		t.Errorf("and all answers by UDP: %s", got)
	}
}
