package main

import (
	"testing"

	constatv1 "constat/proto/constat/v1"
)

func TestPolicyIsAdoptedAndGuarded(t *testing.T) {
	some := &constatv1.Policy{Probes: &constatv1.ProbePolicy{Tcp: []string{"198.51.100.1:443"}}}
	c := &counter{observer: &observer{}}
	for _, step := range []struct {
		policy  *constatv1.Policy
		targets int
		guarded bool
	}{{nil, 0, false}, {some, 1, true}, {nil, 1, true}, {&constatv1.Policy{}, 0, false}} {
		c.adopt(step.policy)
		if got := c.observer.config; len(got.Probes.GetTcp()) != step.targets || got.PolicyProbes != step.guarded {
			t.Errorf("after %v: %v, guarded %t", step.policy, got.Probes, got.PolicyProbes)
		}
	}
	own := &counter{observer: &observer{}, ownProbes: true}
	if own.adopt(some); own.observer.config.Probes != nil || own.observer.config.PolicyProbes {
		t.Error("a policy replaced what this machine's configuration names")
	}
}
