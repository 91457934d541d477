package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"constat/collector/gear"
	"constat/internal/command"
	"constat/internal/diagnosis"
	"constat/internal/fault"
	"constat/internal/snmp"
	constatv1 "constat/proto/constat/v1"
)

func gearCommand(o *options) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "gear",
		Short: "Ask switches, routers, access points and network printers",
		Long: "poll and walk ask a device at once and need no collector. The other commands ask a\n" +
			"running collector and need a token in CONSTAT_TOKEN:\n\n" +
			"  export CONSTAT_TOKEN=$(constat-collector user token NAME)",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(gearPollCommand(), gearWalkCommand(), credentialCommand(o))
	cmd.AddCommand(watchCommands(o)...)
	return cmd
}

// access is how a command gets into a device. What is secret may come by
// environment, so that it stands in no list of processes.
type access struct {
	snmp.Credentials
	snmp.Patience
}

func (a *access) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	for _, s := range []struct {
		into        *string
		name, usage string
	}{
		{&a.Community, "community", "`COMMUNITY` of SNMPv2c"},
		{&a.User, "v3-user", "`USER` of SNMPv3, instead of a community"},
		{&a.Auth, "v3-auth", "authentication `PROTOCOL`: md5, sha, sha224, sha256, sha384, sha512"},
		{&a.AuthPassword, "v3-auth-password", "its `PASSWORD`"},
		{&a.Privacy, "v3-privacy", "privacy `PROTOCOL`: des, aes, aes192, aes256, aes192c, aes256c (c: as Cisco extends keys)"},
		{&a.PrivacyPassword, "v3-privacy-password", "its `PASSWORD`"},
		{&a.Context, "v3-context", "`CONTEXT` of SNMPv3, where the device wants one"},
	} {
		f.StringVar(s.into, s.name, "", s.usage+" ("+environmentName(s.name)+")")
	}
	f.DurationVar(&a.Timeout, "timeout", 1500*time.Millisecond, "how long to wait for an answer, twice")
}

func environmentName(flag string) string {
	return "CONSTAT_SNMP_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// complete takes from the environment what no flag gave. Protocols have
// defaults, which every device of the last ten years knows.
func (a *access) complete(cmd *cobra.Command) error {
	for _, name := range []string{"community", "v3-user", "v3-auth", "v3-auth-password", "v3-privacy", "v3-privacy-password", "v3-context"} {
		if value, ok := os.LookupEnv(environmentName(name)); ok && !cmd.Flags().Changed(name) {
			if err := cmd.Flags().Set(name, value); err != nil {
				return err
			}
		}
	}
	if a.AuthPassword != "" {
		a.Auth = cmp.Or(a.Auth, "sha")
	}
	if a.PrivacyPassword != "" {
		a.Privacy = cmp.Or(a.Privacy, "aes")
	}
	return a.Check()
}

// maxPoll bounds one poll, of the slowest device too.
const maxPoll = 5 * time.Minute

func gearPollCommand() *cobra.Command {
	var a access
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "poll HOST[:PORT]",
		Short: "Read one device over SNMP, once, and judge it",
		Long: `poll reads everything that is of use of a switch, router, access point or
printer, and names the faults it shows. It needs no collector and no database,
and writes nothing to the device.

Exit codes: 0 no fault, 1 a fault was found, 2 the device could not be read.`,
		Example: `  constat-collector gear poll 192.0.2.10 --community public
  CONSTAT_SNMP_V3_AUTH_PASSWORD=… constat-collector gear poll sw1.example.org --v3-user monitor --v3-auth sha256`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := a.complete(cmd); err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), maxPoll)
			defer cancel()
			session, err := snmp.Open(ctx, args[0], a.Credentials, a.Patience)
			if err != nil {
				return err
			}
			defer session.Close()
			result, err := gear.Poll(ctx, session, time.Now())
			if err != nil {
				return err
			}
			if result.Partial != nil {
				fmt.Fprintln(cmd.ErrOrStderr(), "not all was read:", result.Partial)
			}
			found, err := judgeGear(result.Gear, time.Now())
			if err != nil {
				return err
			}
			if asJSON {
				err = command.WriteJSON(cmd.OutOrStdout(), newGearReport(result, found))
			} else {
				printGear(cmd.OutOrStdout(), result, found)
			}
			if err == nil && found.GetVerdict() == "fault" {
				err = command.No
			}
			return err
		},
	}
	a.flags(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "one JSON object on standard output")
	return cmd
}

func gearWalkCommand() *cobra.Command {
	var a access
	cmd := &cobra.Command{
		Use:   "walk HOST[:PORT]",
		Short: "Record a device for a bug report, without names and addresses",
		Long: `walk prints everything a device tells as a recording that snmpsim can play.
Names, descriptions, serial numbers and addresses are replaced, each always by
the same within one recording; tables of connections, routes and users are left
out. Read it before you send it.`,
		Example: `  constat-collector gear walk 192.0.2.10 --community public > switch.snmprec`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := a.complete(cmd); err != nil {
				return err
			}
			session, err := snmp.Open(cmd.Context(), args[0], a.Credentials, a.Patience)
			if err != nil {
				return err
			}
			defer session.Close()
			lines, err := gear.Record(cmd.Context(), session, cmd.OutOrStdout())
			fmt.Fprintf(cmd.ErrOrStderr(), "%d objects recorded\n", lines)
			return err
		},
	}
	a.flags(cmd)
	return cmd
}

// judgeGear names what is wrong with a device by its own poll.
func judgeGear(g *constatv1.Gear, now time.Time) (*constatv1.Diagnosis, error) {
	catalog, err := fault.Builtin()
	if err != nil {
		return nil, err
	}
	return diagnosis.Judge(catalog, diagnosis.Gear(), gear.Snapshot(g, "snmp", now), now, "en"), nil
}

// gearReport is what poll prints: the promised keys, absent where the device does
// not offer them.
type gearReport struct {
	Identity   gearIdentity    `json:"identity"`
	Interfaces []gearInterface `json:"interfaces"`
	Neighbours []gearNeighbour `json:"neighbours"`
	Forwarding []gearStation   `json:"forwarding"`
	Sensors    []gearSensor    `json:"sensors"`
	CPUPercent *float64        `json:"cpuPercent,omitempty"`
	Memory     []gearMemory    `json:"memory"`
	Supplies   []gearSupply    `json:"supplies"`
	Alerts     []gearAlert     `json:"alerts"`
	// Faults are the ids of the root causes that are at least probable, and of
	// what they explain, sorted.
	Faults    []string `json:"faults"`
	Partial   string   `json:"partial,omitempty"`
	ElapsedMs int64    `json:"elapsedMs"`
	PDUs      int      `json:"pdus"`
	Objects   int      `json:"objects"`
}

type gearIdentity struct {
	Vendor        *string `json:"vendor,omitempty"`
	Model         *string `json:"model,omitempty"`
	Serial        *string `json:"serial,omitempty"`
	OS            *string `json:"os,omitempty"`
	Version       *string `json:"version,omitempty"`
	UptimeSeconds *int64  `json:"uptimeSeconds,omitempty"`
	Name          *string `json:"name,omitempty"`
	Location      *string `json:"location,omitempty"`
}

type gearInterface struct {
	IfIndex         int32    `json:"ifIndex"`
	Name            *string  `json:"name,omitempty"`
	Alias           *string  `json:"alias,omitempty"`
	AdminStatus     *string  `json:"adminStatus,omitempty"`
	OperStatus      *string  `json:"operStatus,omitempty"`
	SpeedMbps       *int32   `json:"speedMbps,omitempty"`
	Duplex          *string  `json:"duplex,omitempty"`
	MAC             *string  `json:"mac,omitempty"`
	ErrDisableCause *string  `json:"errDisableCause,omitempty"`
	VLAN            *int32   `json:"vlan,omitempty"`
	Trunk           *bool    `json:"trunk,omitempty"`
	PoE             *gearPoE `json:"poe,omitempty"`
}

type gearPoE struct {
	State *string  `json:"state,omitempty"`
	Watts *float64 `json:"watts,omitempty"`
}

type gearNeighbour struct {
	LocalIfIndex *int32  `json:"localIfIndex,omitempty"`
	Protocol     *string `json:"protocol"`
	RemoteSystem *string `json:"remoteSystem,omitempty"`
	RemotePort   *string `json:"remotePort,omitempty"`
}

type gearStation struct {
	MAC     *string `json:"mac"`
	VLAN    *int32  `json:"vlan,omitempty"`
	IfIndex *int32  `json:"ifIndex,omitempty"`
}

type gearSensor struct {
	Name  *string  `json:"name"`
	Kind  *string  `json:"kind"`
	Value *float64 `json:"value,omitempty"`
	Unit  *string  `json:"unit,omitempty"`
	State *string  `json:"state,omitempty"`
}

type gearMemory struct {
	Pool      *string `json:"pool"`
	UsedBytes *int64  `json:"usedBytes,omitempty"`
	FreeBytes *int64  `json:"freeBytes,omitempty"`
}

type gearSupply struct {
	Name    *string `json:"name,omitempty"`
	Percent *int32  `json:"percent,omitempty"`
	State   *string `json:"state,omitempty"`
	Kind    *string `json:"kind,omitempty"`
	Colour  *string `json:"colour,omitempty"`
}

type gearAlert struct {
	Severity    *string `json:"severity,omitempty"`
	Code        *int32  `json:"code,omitempty"`
	Group       *string `json:"group,omitempty"`
	Location    *int32  `json:"location,omitempty"`
	Description *string `json:"description,omitempty"`
}

func newGearReport(r *gear.Result, found *constatv1.Diagnosis) *gearReport {
	g, id := r.Gear, r.Gear.GetIdentity()
	out := &gearReport{
		Identity:   gearIdentity{id.Vendor, id.Model, id.Serial, id.Os, id.Version, id.UptimeSeconds, id.Name, id.Location},
		Interfaces: []gearInterface{}, Neighbours: []gearNeighbour{}, Forwarding: []gearStation{}, Sensors: []gearSensor{},
		Memory: []gearMemory{}, Supplies: []gearSupply{}, Alerts: []gearAlert{}, Faults: []string{}, CPUPercent: g.CpuPercent,
		ElapsedMs: r.Elapsed.Milliseconds(), PDUs: r.Stats.PDUs, Objects: r.Stats.Objects,
	}
	if r.Partial != nil {
		out.Partial = r.Partial.Error()
	}
	for _, p := range g.GetInterfaces() {
		row := gearInterface{
			IfIndex: p.GetIfIndex(), Name: p.Name, Alias: p.Alias, AdminStatus: p.AdminStatus, OperStatus: p.OperStatus, SpeedMbps: p.SpeedMbps,
			Duplex: p.Duplex, MAC: p.Mac, ErrDisableCause: p.ErrDisableCause, VLAN: p.Vlan, Trunk: p.Trunk,
		}
		if p.Poe != nil {
			row.PoE = &gearPoE{p.Poe.State, p.Poe.Watts}
		}
		out.Interfaces = append(out.Interfaces, row)
	}
	for _, n := range g.GetNeighbours() {
		out.Neighbours = append(out.Neighbours, gearNeighbour{n.LocalIfIndex, n.Protocol, n.RemoteSystem, n.RemotePort})
	}
	for _, f := range g.GetForwarding() {
		out.Forwarding = append(out.Forwarding, gearStation{f.Mac, f.Vlan, f.IfIndex})
	}
	for _, s := range g.GetSensors() {
		out.Sensors = append(out.Sensors, gearSensor{s.Name, s.Kind, s.Value, s.Unit, s.State})
	}
	for _, m := range g.GetMemory() {
		out.Memory = append(out.Memory, gearMemory{m.Pool, m.UsedBytes, m.FreeBytes})
	}
	for _, s := range g.GetPrinter().GetSupplies() {
		out.Supplies = append(out.Supplies, gearSupply{s.Name, s.Percent, s.State, s.Kind, s.Colour})
	}
	for _, a := range g.GetPrinter().GetAlerts() {
		out.Alerts = append(out.Alerts, gearAlert{a.Severity, a.Code, a.Group, a.Location, a.Description})
	}
	for _, c := range found.GetRootCauses() {
		if c.GetCertainty() != "possible" { // a suspicion is no fault
			out.Faults = append(out.Faults, c.GetFault())
		}
	}
	out.Faults = append(out.Faults, found.GetSymptoms()...)
	slices.Sort(out.Faults)
	out.Faults = slices.Compact(out.Faults)
	return out
}

// printGear tells a technician what the device is, and what is wrong with it.
func printGear(w io.Writer, r *gear.Result, found *constatv1.Diagnosis) {
	id := r.Gear.GetIdentity()
	words := []string{id.GetVendor(), id.GetModel(), id.GetOs(), id.GetVersion()}
	fmt.Fprintln(w, strings.Join(slices.DeleteFunc(words, func(s string) bool { return s == "" }), " "))
	line := func(name, value string) {
		if value != "" {
			fmt.Fprintf(w, "  %-11s %s\n", name, value)
		}
	}
	line("name", id.GetName())
	line("serial", id.GetSerial())
	if id.UptimeSeconds != nil {
		line("up for", (time.Duration(id.GetUptimeSeconds()) * time.Second).String())
	}
	if len(r.Gear.GetInterfaces()) > 0 {
		up := 0
		for _, p := range r.Gear.GetInterfaces() {
			if p.GetOperStatus() == "up" {
				up++
			}
		}
		line("interfaces", fmt.Sprintf("%d, %d up", len(r.Gear.GetInterfaces()), up))
	}
	for _, n := range r.Gear.GetNeighbours() {
		line(n.GetProtocol(), fmt.Sprintf("%s %s at %s", n.GetRemoteSystem(), n.GetRemotePort(), portName(r.Gear, n.LocalIfIndex)))
	}
	if n := len(r.Gear.GetForwarding()); n > 0 {
		line("stations", fmt.Sprint(n))
	}
	if r.Gear.CpuPercent != nil {
		line("CPU", fmt.Sprintf("%.0f %%", r.Gear.GetCpuPercent()))
	}
	writePrinter(line, r.Gear.GetPrinter())
	for _, s := range r.Gear.GetSensors() {
		if s.GetState() != "normal" && s.GetState() != "notPresent" && s.GetState() != "unknown" && s.State != nil {
			line("sensor", s.GetName()+": "+s.GetState())
		}
	}
	fmt.Fprintln(w)
	if len(found.GetRootCauses()) == 0 {
		fmt.Fprintln(w, "No fault found.")
	}
	for _, c := range found.GetRootCauses() {
		fmt.Fprintf(w, "%s (%s, %s)\n", c.GetTitle(), c.GetCertainty(), c.GetFault())
		for _, e := range c.GetEvidence() {
			fmt.Fprintf(w, "  %s = %s\n", e.GetFact(), e.GetValue())
		}
		fmt.Fprintf(w, "  %s\n", c.GetAdvice().GetTechnician())
	}
	fmt.Fprintf(w, "\n%d objects in %d requests, %d ms.\n", r.Stats.Objects, r.Stats.PDUs, r.Elapsed.Milliseconds())
}

func portName(g *constatv1.Gear, ifIndex *int32) string {
	if ifIndex == nil {
		return "an unknown port"
	}
	for _, p := range g.GetInterfaces() {
		if p.GetIfIndex() == *ifIndex && p.Name != nil {
			return p.GetName()
		}
	}
	return fmt.Sprintf("port %d", *ifIndex)
}
