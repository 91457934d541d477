package console

import (
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	constatv1 "constat/proto/constat/v1"
)

// A plausible morning: what two machines saw and what was concluded from it.

// dnsDiagnosis is of a machine whose DNS servers are silent.
func dnsDiagnosis(id, snapshot string, now time.Time) *constatv1.Diagnosis {
	at := timestamppb.New(now)
	return &constatv1.Diagnosis{
		Id: id, SnapshotId: snapshot, Procedure: "internet", Verdict: "fault", Trigger: "user", ElapsedMs: 942,
		StartedAt: at, Language: "en", CatalogVersion: "1",
		RootCauses: []*constatv1.RootCause{{
			Fault: "net-dns-unreachable", Certainty: "confirmed", Score: 0.97, Urgency: "high", Domain: "network",
			Title: "The DNS servers do not answer", Component: "192.0.2.53, 192.0.2.54", Since: timestamppb.New(now.Add(-34 * time.Minute)),
			SinceBy: "changes", PrecededBy: []*constatv1.Change{{
				At: timestamppb.New(now.Add(-37 * time.Minute)), Group: proto.String("network"), Fact: proto.String("network.resolvers"), Owner: proto.String("eth0"), Before: proto.String("192.0.2.1"), After: proto.String("192.0.2.53, 192.0.2.54"),
			}},
			Evidence: []*constatv1.Evidence{
				{Fact: "probes.dns[192.0.2.53].result", Value: "timeout", Source: "dns", At: at},
				{Fact: "probes.dns[192.0.2.54].result", Value: "timeout", Source: "dns", At: at},
				{Fact: "probes.gateways[192.0.2.1].neighbour", Value: "reachable", Source: "arp", At: at},
				{Fact: "probes.tcp[198.51.100.7:443].ms", Value: "11.4", Source: "tcp connect", At: at},
			},
			Explains: []string{"net-service-down"},
			Advice: &constatv1.Advice{
				Technician: "Check the DNS service on 192.0.2.53 and 192.0.2.54 and the path of port 53 to them; the gateway and the Internet beyond it answer.",
				User:       "The name servers of our network are not answering. Nothing is wrong with your computer, please leave it as it is; we are working on it.",
			},
		}},
		Symptoms: []string{"net-service-down"},
		Hypotheses: []*constatv1.Hypothesis{{
			Fault: "net-local-firewall-block", Certainty: "possible", Score: 0.2, InsteadOf: "net-dns-unreachable",
			Title: "This machine's own firewall blocks the traffic",
			Check: "Ask the same servers from another machine in the same network: if they answer there, it is the firewall here.",
		}},
		Undetermined: []*constatv1.Undetermined{
			{Fault: "net-mtu-blackhole", Missing: []string{"probes.mtu"}},
			{Fault: "wifi-weak-signal", Missing: []string{"wifi.radios"}},
		},
		Unobserved: []*constatv1.Unobserved{
			{Group: "hardware", Observation: &constatv1.Observation{Status: "denied", Reason: "reading /sys/firmware/dmi/tables/DMI needs the privileged helper, which does not run"}},
		},
		NextStep: "Look at the DNS service on 192.0.2.53 and 192.0.2.54.",
	}
}

// printerDiagnosis is of a machine on which somebody paused a print queue.
func printerDiagnosis(id, snapshot string, now time.Time) *constatv1.Diagnosis {
	at := timestamppb.New(now)
	return &constatv1.Diagnosis{
		Id: id, SnapshotId: snapshot, Procedure: "printing", Verdict: "fault", Trigger: "user", ElapsedMs: 318,
		StartedAt: at, Language: "en", CatalogVersion: "1",
		RootCauses: []*constatv1.RootCause{{
			Fault: "printer-queue-paused", Certainty: "confirmed", Score: 0.99, Urgency: "normal", Domain: "printer",
			Title: "The print queue is paused", Component: "Accounting-2", Brand: "HP",
			Evidence: []*constatv1.Evidence{
				{Fact: "printing.queues[Accounting-2].state", Value: "stopped", Source: "ipp://localhost", At: at},
				{Fact: "printing.queues[Accounting-2].state_reasons", Value: "paused", Source: "ipp://localhost", At: at},
				{Fact: "printing.queues[Accounting-2].pending_jobs", Value: "14", Source: "ipp://localhost", At: at},
				{Fact: "printing.queues[Accounting-2].device_reachable", Value: "true", Source: "ipp://localhost", At: at},
			},
			Remedies: []string{"queue-resume"},
			Advice: &constatv1.Advice{
				Technician: "Resume the queue Accounting-2; the printer behind it answers.",
				User:       "The waiting line for the printer was stopped. It can be started again; your documents are still in it.",
			},
		}},
		Unrelated: []*constatv1.RootCause{{
			Fault: "os-disk-full", Certainty: "probable", Urgency: "high", Domain: "os", Title: "A disk is almost full", Component: "/home",
			Evidence: []*constatv1.Evidence{{Fact: "space.filesystems[/home].used_percent", Value: "96", Source: "statvfs", At: at}},
		}},
	}
}

// machine is a snapshot with facts of most kinds: single values, tables,
// records, a group that was denied, one that is not offered, and a gap.
func machine(id string, now time.Time) *constatv1.Snapshot {
	at := timestamppb.New(now)
	seen := func(source string, ms int32, gaps ...*constatv1.Gap) *constatv1.Observation {
		return &constatv1.Observation{Status: "observed", Source: source, At: at, DurationMs: ms, Gaps: gaps}
	}
	return &constatv1.Snapshot{
		Manifest: &constatv1.Manifest{Id: id, TakenAt: at, AgentVersion: "0.1.0", Groups: []*constatv1.GroupEntry{
			{Group: "hardware", Observation: seen("/sys/firmware/dmi/tables/DMI", 2)},
			{Group: "host", Observation: seen("/etc/os-release", 1)},
			{Group: "load", Observation: seen("/proc", 250)},
			{Group: "network", Observation: seen("rtnetlink", 4)},
			{Group: "power", Observation: &constatv1.Observation{Status: "unsupported", Reason: "this machine has no battery", At: at}},
			{Group: "printing", Observation: seen("ipp://localhost", 31, &constatv1.Gap{Fact: "printers", Status: "denied", Reason: "the printer asks for a password"})},
			{Group: "probes", Observation: seen("dns, tcp, http", 905)},
			{Group: "space", Observation: seen("statvfs", 1)},
			{Group: "storage", Observation: &constatv1.Observation{Status: "denied", Reason: "SMART needs the privileged helper, which does not run", At: at}},
		}},
		Host: &constatv1.Host{
			Hostname: proto.String("compta-07"), OsFamily: proto.String("linux"), OsName: proto.String("Debian GNU/Linux"),
			OsVersion: proto.String("12.5"), Kernel: proto.String("6.1.0-18-amd64"), Architecture: proto.String("amd64"),
			BootTime: timestamppb.New(now.Add(-53 * time.Hour)), Timezone: proto.String("Europe/Paris"),
			Sessions: []*constatv1.Session{{User: proto.String("cmartin"), Kind: proto.String("local"), Active: proto.Bool(true)}},
		},
		Hardware: &constatv1.Hardware{
			System:      &constatv1.System{Manufacturer: proto.String("Dell Inc."), Brand: proto.String("Dell"), Model: proto.String("OptiPlex 7090"), Serial: proto.String("4XK2PL3")},
			Firmware:    &constatv1.Firmware{Vendor: proto.String("Dell Inc."), Version: proto.String("1.24.1"), Kind: proto.String("uefi"), SecureBoot: proto.Bool(true)},
			MemoryBytes: proto.Int64(16 << 30),
			MemoryModules: []*constatv1.MemoryModule{
				{Locator: proto.String("DIMM1"), SizeBytes: proto.Int64(16 << 30), Type: proto.String("DDR4"), SpeedMts: proto.Int32(3200)},
				{Locator: proto.String("DIMM2"), SizeBytes: proto.Int64(0)},
			},
		},
		Load: &constatv1.Load{
			Cpu:    &constatv1.Cpu{Threads: proto.Int32(8), BusyPercent: proto.Float64(7.25), Load1: proto.Float64(0.42)},
			Memory: &constatv1.Memory{TotalBytes: proto.Int64(16 << 30), AvailableBytes: proto.Int64(9 << 30), AvailablePercent: proto.Int32(56)},
			Processes: []*constatv1.Process{
				{Name: proto.String("firefox"), Pid: proto.Int32(4121), CpuPercent: proto.Float64(12.4), ResidentBytes: proto.Int64(1_400_000_000), AgeSeconds: proto.Int64(9_300)},
				{Name: proto.String("soffice.bin"), Pid: proto.Int32(5020), CpuPercent: proto.Float64(3.1), ResidentBytes: proto.Int64(420_000_000)},
			},
		},
		Network: &constatv1.Network{
			Links: []*constatv1.Link{{
				Index: proto.Int32(2), Name: proto.String("eno1"), Kind: proto.String("ethernet"), Mac: proto.String("00:00:5e:00:53:07"),
				AdminStatus: proto.String("up"), OperStatus: proto.String("up"), Carrier: proto.Bool(true), Mtu: proto.Int32(1500), SpeedMbps: proto.Int32(1000),
				Addresses: []*constatv1.Address{{Cidr: proto.String("192.0.2.37/24"), Family: proto.Int32(4), Origin: proto.String("dhcp")}},
				Lease:     &constatv1.Lease{Server: proto.String("192.0.2.1"), Resolvers: []string{"192.0.2.53", "192.0.2.54"}},
			}},
			Routes:    []*constatv1.Route{{Destination: proto.String("0.0.0.0/0"), Gateway: proto.String("192.0.2.1"), Link: proto.String("eno1"), Metric: proto.Int32(100)}},
			Resolvers: []*constatv1.Resolver{{Address: proto.String("192.0.2.53"), Origin: proto.String("dhcp")}, {Address: proto.String("192.0.2.54"), Origin: proto.String("dhcp")}},
		},
		Printing: &constatv1.Printing{
			Spooler: &constatv1.Spooler{Kind: proto.String("cups"), State: proto.String("running"), Version: proto.String("2.4.2")},
			Queues: []*constatv1.Queue{{
				Name: proto.String("Accounting-2"), DeviceUri: proto.String("ipp://192.0.2.80:631"), State: proto.String("stopped"), StateReasons: []string{"paused"},
				AcceptingJobs: proto.Bool(true), PendingJobs: proto.Int32(14), OldestJobSeconds: proto.Int32(2_460), DeviceReachable: proto.Bool(true),
				Jobs: []*constatv1.Job{{Id: proto.Int32(881), State: proto.String("pending"), CreatedAt: timestamppb.New(now.Add(-41 * time.Minute)), SizeKbytes: proto.Int32(2048)}},
			}},
		},
		Probes: &constatv1.Probes{
			Gateways: []*constatv1.GatewayProbe{{Address: proto.String("192.0.2.1"), Neighbour: proto.String("reachable"), PingMs: proto.Float64(0.412)}},
			Dns: []*constatv1.DnsProbe{
				{Server: proto.String("192.0.2.53"), Name: proto.String("intranet.example"), Type: proto.String("a"), Result: proto.String("timeout")},
				{Server: proto.String("192.0.2.54"), Name: proto.String("intranet.example"), Type: proto.String("a"), Result: proto.String("timeout")},
			},
			Tcp: []*constatv1.TcpProbe{{Address: proto.String("198.51.100.7:443"), Result: proto.String("ok"), Ms: proto.Float64(11.4)}},
		},
		Space: &constatv1.Space{Filesystems: []*constatv1.FileSystemUse{
			{MountPoint: proto.String("/"), TotalBytes: proto.Int64(240 << 30), FreeBytes: proto.Int64(88 << 30), UsedPercent: proto.Int32(63)},
			{MountPoint: proto.String("/home"), TotalBytes: proto.Int64(200 << 30), FreeBytes: proto.Int64(8 << 30), UsedPercent: proto.Int32(96)},
		}},
	}
}
