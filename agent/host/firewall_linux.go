package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync"

	constatv1 "constat/proto/constat/v1"
)

// onceFilter returns how the packet filter's rules are read: once.
func onceFilter(r *reader) func(context.Context) (*ruleset, error) {
	var once sync.Once
	var rules *ruleset
	var err error
	return func(ctx context.Context) (*ruleset, error) {
		once.Do(func() {
			if r.Root != "" {
				err = fmt.Errorf("the kernel can be asked about its own machine only: %w", errors.ErrUnsupported)
				return
			}
			if r.Privileged == nil {
				err = fmt.Errorf("reading the packet filter needs rights: %w", fs.ErrPermission)
				return
			}
			var content []byte
			if content, err = r.Privileged(ctx, "filter", ""); err == nil {
				rules, err = parseRuleset(content)
			}
		})
		return rules, err
	}
}

// filterManager is the program that is set up to keep the rules; "" is none.
func (r *reader) filterManager() string {
	if conf, err := r.file("/etc/ufw/ufw.conf"); err == nil && strings.EqualFold(parseAssignments(conf)["ENABLED"], "yes") {
		return "ufw"
	}
	if r.anyExists([]string{"/run/firewalld.pid", "/var/run/firewalld.pid"}) {
		return "firewalld"
	}
	return ""
}

// readFirewall asks the process with the rights for the packet filter's rules.
func readFirewall(ctx context.Context, r *reader, n *constatv1.Network, o *constatv1.Observation) {
	rules, err := r.filter(ctx)
	if err != nil {
		gap(o, "firewall", err)
		return
	}
	n.Firewall = firewallOf(rules, r.filterManager())
	addTraffic(n.Firewall, rules, n)
}
