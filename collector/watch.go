package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"constat/internal/command"
	deskv1 "constat/proto/constat/desk/v1"
	constatv1 "constat/proto/constat/v1"
)

// remoteGear is remote for the gear's service.
func remoteGear(o *options, use, short string, args cobra.PositionalArgs,
	ask func(context.Context, deskv1.GearServiceClient, []string) (proto.Message, error),
	write func(io.Writer, proto.Message),
) *cobra.Command {
	return remoteTo(o, use, short, args, func(ctx context.Context, conn *grpc.ClientConn, args []string) (proto.Message, error) {
		return ask(ctx, deskv1.NewGearServiceClient(conn), args)
	}, write)
}

// watchCommands are those on the gear that a collector polls.
func watchCommands(o *options) []*cobra.Command {
	var credential, site string
	add := remoteGear(o, "add HOST[:PORT]", "Have the collector poll a device from now on", cobra.ExactArgs(1),
		func(ctx context.Context, gear deskv1.GearServiceClient, args []string) (proto.Message, error) {
			return gear.AddGear(ctx, &deskv1.AddGearRequest{Address: args[0], Credential: credential, Site: site})
		}, func(w io.Writer, m proto.Message) {
			fmt.Fprintf(w, "%s is polled from now on.\n", m.(*deskv1.AddGearResponse).GetDevice().GetAddress())
		})
	add.Flags().StringVar(&credential, "credential", "", "`NAME` of the credential that opens it")
	add.Flags().StringVar(&site, "site", "", "the place it stands at")
	_ = add.MarkFlagRequired("credential")
	remove := remoteGear(o, "remove NAME", "End the polling of a device and forget what it said", cobra.ExactArgs(1),
		func(ctx context.Context, gear deskv1.GearServiceClient, args []string) (proto.Message, error) {
			return gear.RemoveGear(ctx, &deskv1.RemoveGearRequest{Id: args[0]})
		}, func(w io.Writer, _ proto.Message) { fmt.Fprintln(w, "Forgotten.") })
	list := remoteGear(o, "list", "List the devices that are polled", cobra.NoArgs,
		func(ctx context.Context, gear deskv1.GearServiceClient, _ []string) (proto.Message, error) {
			return gear.ListGear(ctx, &deskv1.ListGearRequest{})
		}, writeDevices)
	show := remoteGear(o, "show NAME", "Show what a device said last, and what is wrong with it", cobra.ExactArgs(1),
		func(ctx context.Context, gear deskv1.GearServiceClient, args []string) (proto.Message, error) {
			return gear.GetGear(ctx, &deskv1.GetGearRequest{Id: args[0]})
		}, writeDevice)
	var known bool
	where := remoteGear(o, "where MAC|HOST|IP", "Say at which port a machine is", cobra.ExactArgs(1),
		func(ctx context.Context, gear deskv1.GearServiceClient, args []string) (proto.Message, error) {
			found, err := gear.FindStation(ctx, &deskv1.FindStationRequest{Query: args[0]})
			known = found.GetAttachment() != nil
			return found, err
		}, writeStation)
	where.Long = "where says at which port of which switch a machine is, by its MAC or IP address or\nits name, and how that is known: heard by the machine itself, signed on or seen at\nthe port, by wireless. A machine that is switched off has its last known port.\n\nExit codes: 0 it is known, 1 it is not."
	run := where.RunE
	where.RunE = func(cmd *cobra.Command, args []string) error {
		if err := run(cmd, args); err != nil || known {
			return err
		}
		return command.No
	}
	return []*cobra.Command{add, remove, list, show, discoverCommand(o), where}
}

func credentialCommand(o *options) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "credential",
		Short: "Keep what opens devices, sealed in the collector",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	list := remoteGear(o, "list", "List credentials, without what they hold", cobra.NoArgs,
		func(ctx context.Context, gear deskv1.GearServiceClient, _ []string) (proto.Message, error) {
			return gear.ListCredentials(ctx, &deskv1.ListCredentialsRequest{})
		}, func(w io.Writer, m proto.Message) {
			t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
			fmt.Fprintln(t, "NAME\tSNMP\tDEVICES\tCHANGED\tHOLDS")
			for _, c := range m.(*deskv1.ListCredentialsResponse).GetCredentials() {
				fmt.Fprintf(t, "%s\tv%s\t%d\t%s\t<secret>\n", c.GetName(), c.GetVersion(), c.GetDevices(), localTime(c.GetChangedAt()))
			}
			_ = t.Flush()
		})
	remove := remoteGear(o, "remove NAME", "Forget a credential that no device uses", cobra.ExactArgs(1),
		func(ctx context.Context, gear deskv1.GearServiceClient, args []string) (proto.Message, error) {
			return gear.RemoveCredential(ctx, &deskv1.RemoveCredentialRequest{Name: args[0]})
		}, func(w io.Writer, _ proto.Message) { fmt.Fprintln(w, "Forgotten.") })
	cmd.AddCommand(credentialSetCommand(o), list, remove)
	return cmd
}

// credentialSetCommand takes secrets from the environment or standard input, so
// that they stand in no list of processes and in no shell's history.
func credentialSetCommand(o *options) *cobra.Command {
	var a access
	cmd := &cobra.Command{
		Use:   "set NAME",
		Short: "Keep what opens devices; its secrets come from standard input",
		Long: `set reads what is secret from standard input: the community (SNMPv2c), or, with
--v3-user, the authentication password and on a second line the privacy password.
What the environment gives (CONSTAT_SNMP_COMMUNITY, CONSTAT_SNMP_V3_…) is not asked for.`,
		Example: `  constat-collector gear credential set floors < community.txt
  constat-collector gear credential set core --v3-user monitor --v3-auth sha256 --v3-privacy aes < passwords.txt`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := a.ask(cmd); err != nil {
				return err
			}
			return o.withCollector(cmd, func(ctx context.Context, conn *grpc.ClientConn) error {
				_, err := deskv1.NewGearServiceClient(conn).PutCredential(ctx, &deskv1.PutCredentialRequest{
					Name: args[0], Community: a.Community, User: a.User, Auth: a.Auth, AuthPassword: a.AuthPassword,
					Privacy: a.Privacy, PrivacyPassword: a.PrivacyPassword, Context: a.Context,
				})
				if err != nil {
					return plain(err)
				}
				fmt.Fprintf(cmd.OutOrStdout(), "The credential %s is kept.\n", args[0])
				return nil
			})
		},
	}
	a.flags(cmd)
	for _, secret := range []string{"community", "v3-auth-password", "v3-privacy-password", "timeout"} {
		_ = cmd.Flags().MarkHidden(secret)
	}
	remoteFlags(cmd)
	return cmd
}

// ask completes what opens a device from standard input.
func (a *access) ask(cmd *cobra.Command) error {
	for _, secret := range []string{"community", "v3-auth-password", "v3-privacy-password"} {
		if cmd.Flags().Changed(secret) {
			return fmt.Errorf("a secret on the command line is seen by everyone on this machine: give it on standard input or as %s", environmentName(secret))
		}
	}
	if err := a.complete(cmd); err == nil && (a.Community != "" || a.Auth != "" || a.AuthPassword != "") {
		return nil
	}
	lines := bufio.NewScanner(io.LimitReader(cmd.InOrStdin(), 4096))
	read := func(into *string) {
		if *into == "" && lines.Scan() {
			*into = strings.TrimRight(lines.Text(), "\r")
		}
	}
	if a.User == "" {
		read(&a.Community)
	} else {
		read(&a.AuthPassword)
		read(&a.PrivacyPassword)
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("standard input can't be read: %w", err)
	}
	if a.User != "" && a.AuthPassword == "" && a.Auth != "" {
		return errors.New("the authentication password is missing on standard input")
	}
	return a.complete(cmd)
}

func localTime(t *timestamppb.Timestamp) string {
	if t == nil {
		return "never"
	}
	return t.AsTime().Local().Format(time.DateTime)
}

func writeDevices(w io.Writer, m proto.Message) {
	devices := m.(*deskv1.ListGearResponse).GetDevices()
	if len(devices) == 0 {
		fmt.Fprintln(w, "No gear. Give the collector a credential with `gear credential set NAME`, then a device with `gear add HOST --credential NAME`.")
		return
	}
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	fmt.Fprintln(t, "NAME\tADDRESS\tSITE\tMODEL\tSTATE\tANSWERED\tFAULTS")
	for _, d := range devices {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s %s\t%s\t%s\t%s\n", cmp.Or(d.GetName(), "?"), d.GetAddress(), d.GetSite(), d.GetVendor(), d.GetModel(), d.GetState(),
			localTime(d.GetAnsweredAt()), strings.Join(d.GetFaults(), " "))
	}
	_ = t.Flush()
}

func writeDevice(w io.Writer, m proto.Message) {
	r := m.(*deskv1.GetGearResponse)
	d, g := r.GetDevice(), r.GetGear()
	fmt.Fprintf(w, "%s (%s)\n", cmp.Or(d.GetName(), d.GetAddress()), d.GetAddress())
	line := func(name, value string) {
		if value != "" {
			fmt.Fprintf(w, "  %-11s %s\n", name, value)
		}
	}
	line("is", strings.TrimSpace(strings.Join([]string{d.GetVendor(), d.GetModel(), d.GetOs(), d.GetVersion()}, " ")))
	line("serial", d.GetSerial())
	line("site", d.GetSite())
	line("state", d.GetState()+" since "+localTime(d.GetStateSince()))
	line("reason", d.GetReason())
	line("read", localTime(r.GetTakenAt()))
	for _, c := range r.GetDiagnosis().GetRootCauses() {
		fmt.Fprintf(w, "%s (%s, %s)\n  %s\n", c.GetTitle(), c.GetCertainty(), c.GetFault(), c.GetAdvice().GetTechnician())
	}
	writePrinter(line, g.GetPrinter())
	writeEvents(w, r.GetEvents())
	if len(g.GetInterfaces()) == 0 {
		return
	}
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	fmt.Fprintln(t, "\nPORT\tSTATE\tVLAN\tSPEED\tDUPLEX\tWHAT")
	for _, p := range g.GetInterfaces() {
		state := p.GetOperStatus()
		switch {
		case p.GetErrDisableCause() != "":
			state = "err-disabled: " + p.GetErrDisableCause()
		case p.GetAdminStatus() == "down":
			state = "shut"
		}
		vlan, speed := "", ""
		switch {
		case p.GetTrunk():
			vlan = "trunk"
		case p.Vlan != nil:
			vlan = fmt.Sprint(p.GetVlan())
		}
		if p.GetSpeedMbps() > 0 {
			speed = fmt.Sprintf("%d Mbit/s", p.GetSpeedMbps())
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\n", p.GetName(), state, vlan, speed, p.GetDuplex(), p.GetAlias())
	}
	_ = t.Flush()
}

// writePrinter tells how a printer is.
func writePrinter(line func(name, value string), p *constatv1.Printer) {
	line("printer", strings.TrimSpace(p.GetState()+" "+strings.Join(p.GetStateReasons(), ", ")))
	for _, s := range p.GetSupplies() {
		line("supply", s.GetName()+": "+level(s.Percent, s.GetState()))
	}
	for _, t := range p.GetTrays() {
		line("tray", t.GetName()+": "+level(t.Percent, t.GetState()))
	}
	for _, a := range p.GetAlerts() {
		line("alert", a.GetSeverity()+": "+a.GetDescription())
	}
}

// level is what a printer tells of a supply or a tray.
func level(percent *int32, state string) string {
	switch {
	case percent != nil && state != "":
		return fmt.Sprintf("%d %%, %s", *percent, state)
	case percent != nil:
		return fmt.Sprintf("%d %%", *percent)
	}
	return cmp.Or(state, "unknown")
}

// writeEvents lists what a device told by itself lately.
func writeEvents(w io.Writer, events []*constatv1.GearEvent) {
	const shown = 10
	if len(events) == 0 {
		return
	}
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	fmt.Fprintln(t, "\nTOLD\tPORT\tEVENT\tBY\tTIMES")
	for _, e := range events[:min(len(events), shown)] {
		what := e.GetKind()
		if e.GetCause() != "" {
			what += " (" + e.GetCause() + ")"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s %s\t%d\n", localTime(e.GetAt()), e.GetPort(), what, e.GetSource(), e.GetMnemonic(), e.GetCount())
	}
	_ = t.Flush()
}

// knownBy says how a port is known.
var knownBy = map[string]string{
	"lldp": "heard by the machine over LLDP", "cdp": "heard by the machine over CDP", "forwarding": "seen by the switch", "dot1x": "signed on there (802.1X)",
	"dhcpSnooping": "given an address there (DHCP)", "wireless": "by wireless",
}

func writeStation(w io.Writer, m proto.Message) {
	a := m.(*deskv1.FindStationResponse).GetAttachment()
	if a == nil {
		fmt.Fprintln(w, "Not known: no polled device sees it at a port to a desk, and it named none itself.")
		return
	}
	port := a.GetPort().GetName()
	if a.GetPort() == nil {
		port = "an unknown port"
	}
	fmt.Fprintf(w, "%s of %s, %s, %s\n", port, a.GetGearName(), cmp.Or(knownBy[a.GetEvidence()], a.GetEvidence()), localTime(a.GetSeenAt()))
	line := func(name, value string) {
		if value != "" {
			fmt.Fprintf(w, "  %-12s %s\n", name, value)
		}
	}
	if a.GetVia() != "" {
		line("by way of", map[string]string{"phone": "phone ", "accessPoint": "access point ", "hypervisor": "host "}[a.GetViaKind()]+a.GetVia())
	}
	line("MAC", a.GetMac())
	line("address", a.GetAddress())
	if a.Vlan != nil {
		line("VLAN", fmt.Sprint(a.GetVlan()))
	}
	if a.Since != nil {
		line("there since", localTime(a.GetSince()))
	}
	switch n := a.GetStations(); {
	case n > 2 && a.GetVia() == "":
		line("stations", fmt.Sprintf("%d at this port: behind it is a switch or hub that nobody manages, or virtual machines", n))
	case n > 1:
		line("stations", fmt.Sprintf("%d at this port", n))
	}
	if a.Current != nil && !a.GetCurrent() {
		line("now", "not seen any more; this is the last known port")
	}
	if p := a.GetPort(); p != nil {
		state := p.GetOperStatus()
		switch {
		case p.GetErrDisableCause() != "":
			state += ", err-disabled by " + p.GetErrDisableCause()
		case p.GetAdminStatus() == "down":
			state += ", shut by somebody"
		case p.GetDot1XState() == "failed":
			state += ", 802.1X refused"
		}
		line("port is", state)
		if p.GetAlias() != "" {
			line("described", p.GetAlias())
		}
	}
}
