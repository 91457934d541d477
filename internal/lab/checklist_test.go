package lab

import (
	"slices"

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
	for _, c := range checklist {
		if c.fails(run.Snapshot) {
			r.sure, r.well, r.roots = true, false, []rootNamed{{c.fault, "probable"}}
			break
		}
	}
	return r
}
