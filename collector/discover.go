package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/proto"

	deskv1 "constat/proto/constat/desk/v1"
)

// discoverCommand looks for gear from a running collector.
func discoverCommand(o *options) *cobra.Command {
	r := &deskv1.DiscoverGearRequest{}
	cmd := remoteGear(o, "discover", "Look for devices from a seed outward or in ranges, and list them", cobra.NoArgs,
		func(ctx context.Context, gear deskv1.GearServiceClient, _ []string) (proto.Message, error) {
			return gear.DiscoverGear(ctx, r)
		}, func(w io.Writer, m proto.Message) {
			writeDiscovered(w, m.(*deskv1.DiscoverGearResponse), r.GetAdd())
		})
	cmd.Long = `discover asks devices who they are and whom they hear over CDP and LLDP, and goes on
from there; or it asks every address of a range. It only lists what it found, unless
--add is given.

It sends few packets a second, asks only within --allow, and gives each device each
credential once: a wrong one is said, not tried again.`
	cmd.Example = `  constat-collector gear discover --seed core-1.example.org --credential floors
  constat-collector gear discover --range 192.0.2.0/24 --credential floors --credential core --add`
	f := cmd.Flags()
	f.StringSliceVar(&r.Seeds, "seed", nil, "a `HOST` to begin with; its neighbours are followed")
	f.StringSliceVar(&r.Ranges, "range", nil, "a network `ADDRESS/BITS` of which every address is asked, at most 4096")
	f.StringSliceVar(&r.Credentials, "credential", nil, "`NAME` of a credential to ask with")
	f.StringSliceVar(&r.Allow, "allow", nil, "a network `ADDRESS/BITS` in which devices may be asked (default: the ranges, and the private networks of a private seed)")
	f.Int32Var(&r.Depth, "depth", 4, "how many devices from a seed")
	f.Int32Var(&r.PacketsPerSecond, "pace", 50, "packets a second, in all")
	f.StringVar(&r.Site, "site", "", "the place that what is added stands at")
	f.BoolVar(&r.Add, "add", false, "have what is found polled from now on")
	_ = cmd.MarkFlagRequired("credential")
	return cmd
}

func writeDiscovered(w io.Writer, r *deskv1.DiscoverGearResponse, add bool) {
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	fmt.Fprintln(t, "ADDRESS\tNAME\tWHAT\tHEARD OF BY\tRESULT")
	found := 0
	for _, d := range r.GetDevices() {
		id := d.GetIdentity()
		result := d.GetResult()
		switch result {
		case "found":
			found++
			if result = "would be added with " + d.GetCredential(); d.GetAdded() {
				result = "added with " + d.GetCredential()
			}
		case "same":
			result = "is " + d.GetSameAs()
		case "refused":
			result = "refuses " + strings.Join(d.GetRefused(), ", ")
		case "notAllowed":
			result = "not asked: outside of what is allowed"
		case "silent":
			result = "no answer: is SNMP on, and the community right?"
		}
		if d.GetPartial() != "" {
			result += "; " + d.GetPartial()
		}
		what := strings.TrimSpace(strings.Join([]string{id.GetVendor(), id.GetModel(), id.GetOs()}, " "))
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", d.GetAddress(), cmp.Or(id.GetName(), "?"), what, d.GetBy(), result)
	}
	_ = t.Flush()
	fmt.Fprintf(w, "\n%d addresses asked, %d silent ones of ranges; %d devices found.\n", r.GetAsked(), r.GetSilent(), found)
	if r.GetBeyond() > 0 {
		fmt.Fprintf(w, "%d neighbours are farther away than --depth.\n", r.GetBeyond())
	}
	if r.GetStopped() != "" {
		fmt.Fprintf(w, "Stopped %s.\n", r.GetStopped())
	}
	if found > 0 && !add {
		fmt.Fprintln(w, "Nothing was added: give --add for that.")
	}
}
