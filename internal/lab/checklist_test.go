package lab

import (
	"slices"
	"time"

	constatv1 "constat/proto/constat/v1"
)

// check is one line of a checklist: what it names when it fails. A check that
// can't be made passes: nobody stops a checklist for what they can't see.
type check struct {
	fault string
	fails func(*constatv1.Snapshot) bool
}

// checklist is what a first-line technician walks from the cable to the
// service, and then round the computer, with the same facts as the agent: each
// check looks at one thing, and the first that fails is the answer. It is the
// order of textbooks (adapter, cable, address, route, router, names, outside,
// portal, proxy, clock, certificates, service; queue, printer, supplies; disk,
// memory, processor), not of our catalog.
var checklist = []check{
	{"net-adapter-disabled", func(s *constatv1.Snapshot) bool {
		return allLinks(s, func(l *constatv1.Link) bool { return l.AdminStatus != nil && l.GetAdminStatus() == "down" })
	}},
	{"net-link-no-carrier", func(s *constatv1.Snapshot) bool {
		return allLinks(s, func(l *constatv1.Link) bool {
			return l.AdminStatus != nil && l.GetAdminStatus() == "down" || l.Carrier != nil && !l.GetCarrier()
		})
	}},
	{"net-8021x-auth-failed", func(s *constatv1.Snapshot) bool {
		return slices.ContainsFunc(s.GetNetwork().GetLinks(), func(l *constatv1.Link) bool {
			return slices.Contains([]string{"failed", "held"}, l.GetDot1X().GetState())
		})
	}},
	{"net-ip-conflict", func(s *constatv1.Snapshot) bool {
		return slices.ContainsFunc(s.GetProbes().GetConflicts(), func(c *constatv1.ConflictProbe) bool { return c.GetResult() == "taken" })
	}},
	{"net-dhcp-no-offer", func(s *constatv1.Snapshot) bool {
		return s.GetNetwork() != nil && allLinks(s, func(l *constatv1.Link) bool {
			return !slices.ContainsFunc(l.GetAddresses(), func(a *constatv1.Address) bool { return a.GetScope() == "global" })
		})
	}},
	{"net-no-default-route", func(s *constatv1.Snapshot) bool { return s.GetNetwork() != nil && len(s.GetNetwork().GetRoutes()) == 0 }},
	{"net-gateway-arp-unresolved", func(s *constatv1.Snapshot) bool {
		return all(s.GetProbes().GetGateways(), func(g *constatv1.GatewayProbe) bool {
			return g.GetPing() == "timeout" && slices.Contains([]string{"failed", "incomplete"}, g.GetNeighbour())
		})
	}},
	{"net-packet-loss", func(s *constatv1.Snapshot) bool {
		return slices.ContainsFunc(s.GetProbes().GetGateways(), func(g *constatv1.GatewayProbe) bool { return g.GetLossPercent() >= 5 })
	}},
	{"net-local-firewall-block", func(s *constatv1.Snapshot) bool {
		return all(s.GetProbes().GetTcp(), func(t *constatv1.TcpProbe) bool { return t.GetResult() == "blocked" })
	}},
	{"net-dns-no-server", func(s *constatv1.Snapshot) bool {
		return s.GetNetwork() != nil && len(s.GetNetwork().GetResolvers()) == 0
	}},
	{"net-dns-unreachable", func(s *constatv1.Snapshot) bool {
		return all(s.GetProbes().GetLookups(), func(l *constatv1.LookupProbe) bool { return l.GetResult() != "ok" })
	}},
	{"net-dns-wrong-answers", func(s *constatv1.Snapshot) bool {
		return slices.ContainsFunc(s.GetProbes().GetLookups(), func(l *constatv1.LookupProbe) bool { return l.Expected != nil && !l.GetExpected() })
	}},
	{"net-upstream-outage", func(s *constatv1.Snapshot) bool {
		return s.GetProbes().GetProxy() == nil && all(s.GetProbes().GetTcp(), func(t *constatv1.TcpProbe) bool { return t.GetResult() != "ok" })
	}},
	{"net-captive-portal", func(s *constatv1.Snapshot) bool {
		return slices.Contains([]string{"redirect", "rewritten"}, s.GetProbes().GetHttp().GetResult())
	}},
	{"net-proxy-auth-required", func(s *constatv1.Snapshot) bool { return s.GetProbes().GetProxy().GetResult() == "authRequired" }},
	{"net-proxy-unreachable", func(s *constatv1.Snapshot) bool {
		return s.GetProbes().GetProxy() != nil && s.GetProbes().GetProxy().GetResult() != "ok"
	}},
	{"net-clock-skew-tls", func(s *constatv1.Snapshot) bool {
		offset := s.GetProbes().GetHttp().GetClockOffsetSeconds()
		return offset > 300 || offset < -300
	}},
	{"net-tls-interception-untrusted", func(s *constatv1.Snapshot) bool {
		return all(s.GetProbes().GetTls(), func(t *constatv1.TlsProbe) bool { return t.GetResult() == "unknownAuthority" })
	}},
	{"net-service-cert-invalid", func(s *constatv1.Snapshot) bool {
		bad := []string{"expired", "notYetValid", "nameMismatch", "unknownAuthority", "revoked"}
		return slices.ContainsFunc(s.GetProbes().GetTls(), func(t *constatv1.TlsProbe) bool { return slices.Contains(bad, t.GetResult()) }) ||
			slices.ContainsFunc(s.GetProbes().GetServices(), func(t *constatv1.ServiceProbe) bool { return slices.Contains(bad, t.GetResult()) })
	}},
	{"net-vpn-gateway-unreachable", func(s *constatv1.Snapshot) bool {
		return slices.ContainsFunc(s.GetProbes().GetServices(), func(t *constatv1.ServiceProbe) bool { return t.GetKind() == "vpn" && t.GetResult() != "ok" })
	}},
	{"net-service-down", func(s *constatv1.Snapshot) bool {
		return slices.ContainsFunc(s.GetProbes().GetServices(), func(t *constatv1.ServiceProbe) bool { return t.Result != nil && t.GetResult() != "ok" })
	}},
	{"net-ipv6-broken", func(s *constatv1.Snapshot) bool {
		six := slices.DeleteFunc(slices.Clone(s.GetProbes().GetTcp()), func(t *constatv1.TcpProbe) bool { return t.GetFamily() != 6 })
		routed := slices.ContainsFunc(s.GetNetwork().GetRoutes(), func(r *constatv1.Route) bool { return r.GetFamily() == 6 })
		return routed && all(six, func(t *constatv1.TcpProbe) bool { return t.GetResult() != "ok" })
	}},
	{"printer-spooler-stopped", func(s *constatv1.Snapshot) bool {
		state := s.GetPrinting().GetSpooler().GetState()
		return state != "" && state != "running"
	}},
	{"printer-queue-paused", func(s *constatv1.Snapshot) bool {
		return slices.ContainsFunc(s.GetPrinting().GetQueues(), func(q *constatv1.Queue) bool { return q.GetState() == "stopped" })
	}},
	{"printer-unreachable-off", func(s *constatv1.Snapshot) bool {
		return slices.ContainsFunc(s.GetPrinting().GetPrinters(), func(p *constatv1.Printer) bool { return p.Reachable != nil && !p.GetReachable() })
	}},
	{"printer-paper-jam", reason("media-jam")},
	{"printer-cover-open", reason("cover-open", "door-open", "interlock-open")},
	{"printer-paper-out", reason("media-empty", "media-needed")},
	{"printer-supply-empty", reason("toner-empty", "marker-supply-empty", "developer-empty")},
	{"os-filesystem-readonly", func(s *constatv1.Snapshot) bool {
		return slices.ContainsFunc(s.GetStorage().GetMounts(), func(m *constatv1.Mount) bool { return m.GetMountPoint() == "/" && m.GetReadOnly() })
	}},
	{"os-disk-full", func(s *constatv1.Snapshot) bool {
		return slices.ContainsFunc(s.GetSpace().GetFilesystems(), func(f *constatv1.FileSystemUse) bool { return f.GetUsedPercent() >= 95 })
	}},
	{"os-memory-pressure", func(s *constatv1.Snapshot) bool {
		m := s.GetLoad().GetMemory()
		return m != nil && m.AvailablePercent != nil && m.GetAvailablePercent() < 5
	}},
	{"os-runaway-process", func(s *constatv1.Snapshot) bool { return s.GetLoad().GetCpu().GetBusyPercent() >= 95 }},
	{"os-service-failed", func(s *constatv1.Snapshot) bool {
		return slices.ContainsFunc(s.GetServices().GetServices(), func(u *constatv1.Service) bool { return u.GetState() == "failed" })
	}},
	{"os-pending-reboot", func(s *constatv1.Snapshot) bool { return s.GetUpdates().GetRestartPending() }},
}

// gearChecklist is what a technician walks at a network device, with the same
// facts as the collector: does it answer, since when does it run, the hardware, the
// load, the uplinks, then port by port what can be wrong with one, the VLANs and
// the tree, and at last who changed something.
var gearChecklist = []check{
	{"cisco-snmp-auth-failed", func(s *constatv1.Snapshot) bool { return s.GetGear().GetPollResult() == "authFailed" }},
	{"cisco-device-unreachable", func(s *constatv1.Snapshot) bool { return s.GetGear().GetPollResult() == "timeout" }},
	{"cisco-device-rebooted", func(s *constatv1.Snapshot) bool {
		id := s.GetGear().GetIdentity()
		return id != nil && id.UptimeSeconds != nil && id.GetUptimeSeconds() < 3600
	}},
	{"cisco-psu-failed", sensor("powerSupply")},
	{"cisco-fan-or-overtemp", sensor("fan", "temperature")},
	{"cisco-stack-member-lost", func(s *constatv1.Snapshot) bool {
		return slices.ContainsFunc(s.GetGear().GetStackMembers(), func(m *constatv1.StackMember) bool {
			return !slices.Contains([]string{"", "ready", "provisioned"}, m.GetState())
		})
	}},
	{"cisco-high-cpu", func(s *constatv1.Snapshot) bool { return s.GetGear().GetCpuPercent() >= 80 }},
	{"cisco-low-memory", func(s *constatv1.Snapshot) bool {
		return slices.ContainsFunc(s.GetGear().GetMemory(), func(m *constatv1.MemoryPool) bool {
			return m.FreeBytes != nil && m.UsedBytes != nil && m.GetFreeBytes()*20 < m.GetFreeBytes()+m.GetUsedBytes()
		})
	}},
	{"cisco-uplink-down", port(func(p *constatv1.GearInterface) bool {
		return p.GetTrunk() && p.GetAdminStatus() == "up" && p.OperStatus != nil && p.GetOperStatus() != "up"
	})},
	{"cisco-errdisable-bpduguard", disabledBy("bpduGuard")},
	{"cisco-errdisable-portsecurity", disabledBy("portSecurityViolation")},
	{"cisco-errdisable-linkflap", disabledBy("linkFlap")},
	{"cisco-errdisable-udld", disabledBy("udld")},
	{"cisco-errdisable-storm", disabledBy("stormControl")},
	{"cisco-errdisable-dhcp-arp", disabledBy("dhcpRateLimit", "arpInspection")},
	{"cisco-errdisable-inlinepower", disabledBy("inlinePower")},
	{"cisco-errdisable-other", port(func(p *constatv1.GearInterface) bool {
		return p.ErrDisableCause != nil || p.GetOperStatusCause() == "errorDisabled"
	})},
	{"cisco-ap-down", func(s *constatv1.Snapshot) bool {
		return slices.ContainsFunc(s.GetGear().GetAccessPoints(), func(a *constatv1.AccessPoint) bool { return a.GetState() == "absent" })
	}},
	{"cisco-poe-denied", port(func(p *constatv1.GearInterface) bool { return p.GetPoe().GetDenied() })},
	{"cisco-poe-fault", port(func(p *constatv1.GearInterface) bool {
		return slices.Contains([]string{"fault", "otherFault"}, p.GetPoe().GetState())
	})},
	{"cisco-port-duplex-mismatch", port(func(p *constatv1.GearInterface) bool { return p.GetDuplex() == "half" })},
	{"cisco-port-crc-errors", port(func(p *constatv1.GearInterface) bool { return p.GetCrcErrors() > 0 })},
	{"cisco-port-flapping", port(func(p *constatv1.GearInterface) bool { return p.GetCarrierTransitions() > 1 })},
	{"cisco-port-output-drops", port(func(p *constatv1.GearInterface) bool { return !p.GetTrunk() && p.GetOutDiscards() > 0 })},
	{"cisco-uplink-saturated", port(func(p *constatv1.GearInterface) bool { return p.GetTrunk() && p.GetOutDiscards() > 0 })},
	{"cisco-portsecurity-restrict", port(func(p *constatv1.GearInterface) bool { return p.GetPortSecurity().GetViolationsDelta() > 0 })},
	{"cisco-dot1x-unauthorized", port(func(p *constatv1.GearInterface) bool {
		return slices.Contains([]string{"failed", "unauthorized"}, p.GetDot1XState())
	})},
	{"cisco-vlan-missing", port(func(p *constatv1.GearInterface) bool {
		return p.GetOperStatus() == "up" && p.GetVlanStatus() == "inactive"
	})},
	{"cisco-trunk-native-mismatch", func(s *constatv1.Snapshot) bool {
		return slices.ContainsFunc(s.GetGear().GetNeighbours(), func(n *constatv1.GearNeighbour) bool {
			return slices.ContainsFunc(s.GetGear().GetInterfaces(), func(p *constatv1.GearInterface) bool {
				return p.GetIfIndex() == n.GetLocalIfIndex() && p.GetTrunk() && n.NativeVlan != nil && n.GetNativeVlan() != p.GetNativeVlan()
			})
		})
	}},
	{"cisco-stp-blocking-or-inconsistent", port(func(p *constatv1.GearInterface) bool {
		return p.StpInconsistency != nil || slices.Contains([]string{"blocking", "broken"}, p.GetStpState())
	})},
	{"cisco-stp-topology-churn", func(s *constatv1.Snapshot) bool { return s.GetGear().GetSpanningTree().GetTopologyChangesDelta() > 0 }},
	{"cisco-table-full", func(s *constatv1.Snapshot) bool { return s.GetGear().GetTableUsedPercent() >= 95 }},
	{"cisco-port-admin-down", port(func(p *constatv1.GearInterface) bool { return p.GetAdminStatus() == "down" && p.LastEvent != nil })},
	{"printer-paper-jam", alert(8)},
	{"printer-cover-open", alert(3, 501)},
	{"printer-paper-out", alert(808)},
	{"printer-supply-empty", alert(1101)},
	{"cisco-config-change-suspect", func(s *constatv1.Snapshot) bool {
		changed := s.GetGear().GetConfigChangedAt()
		return changed != nil && s.GetManifest().GetTakenAt().AsTime().Sub(changed.AsTime()) < time.Hour
	}},
}

func sensor(kinds ...string) func(*constatv1.Snapshot) bool {
	return func(s *constatv1.Snapshot) bool {
		return slices.ContainsFunc(s.GetGear().GetSensors(), func(one *constatv1.Sensor) bool {
			return slices.Contains(kinds, one.GetKind()) && !slices.Contains([]string{"", "normal", "notPresent", "unknown"}, one.GetState())
		})
	}
}

func port(is func(*constatv1.GearInterface) bool) func(*constatv1.Snapshot) bool {
	return func(s *constatv1.Snapshot) bool {
		return slices.ContainsFunc(s.GetGear().GetInterfaces(), is) || s.GetAttachment().GetPort() != nil && is(s.GetAttachment().GetPort())
	}
}

func disabledBy(causes ...string) func(*constatv1.Snapshot) bool {
	return port(func(p *constatv1.GearInterface) bool { return slices.Contains(causes, p.GetErrDisableCause()) })
}

func alert(codes ...int32) func(*constatv1.Snapshot) bool {
	return func(s *constatv1.Snapshot) bool {
		return slices.ContainsFunc(s.GetGear().GetPrinter().GetAlerts(), func(a *constatv1.PrinterAlert) bool { return slices.Contains(codes, a.GetCode()) })
	}
}

// all is for lists that are not empty.
func all[T any](list []T, is func(T) bool) bool {
	return len(list) > 0 && !slices.ContainsFunc(list, func(e T) bool { return !is(e) })
}

// allLinks asks of all that have a cable or a radio.
func allLinks(s *constatv1.Snapshot, is func(*constatv1.Link) bool) bool {
	links := slices.DeleteFunc(slices.Clone(s.GetNetwork().GetLinks()), func(l *constatv1.Link) bool {
		return !slices.Contains([]string{"ethernet", "wifi", "veth", "cellular"}, l.GetKind())
	})
	return all(links, is)
}

func reason(words ...string) func(*constatv1.Snapshot) bool {
	return func(s *constatv1.Snapshot) bool {
		has := func(list []string) bool {
			return slices.ContainsFunc(list, func(r string) bool { return slices.Contains(words, r) })
		}
		return slices.ContainsFunc(s.GetPrinting().GetQueues(), func(q *constatv1.Queue) bool { return has(q.GetStateReasons()) }) ||
			slices.ContainsFunc(s.GetPrinting().GetPrinters(), func(p *constatv1.Printer) bool { return has(p.GetStateReasons()) })
	}
}

// byChecklist is what the first failed check names.
func byChecklist(run Run) reading {
	r := reading{Run: run, well: true}
	list := checklist
	if r.ofGear() {
		list = gearChecklist
	}
	for _, c := range list {
		if c.fails(run.Snapshot) {
			r.sure, r.well, r.roots = true, false, []rootNamed{{c.fault, "probable"}}
			break
		}
	}
	return r
}
