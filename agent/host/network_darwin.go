package host

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"syscall"
	"time"

	"golang.org/x/net/route"
	"google.golang.org/protobuf/proto"

	constatv1 "constat/proto/constat/v1"
)

const hostsFile = "/etc/hosts"

const stackSource = "ifconfig, networksetup, scutil, ipconfig, the routing socket"

// maxMacLeases is how many links' leases are asked for.
const maxMacLeases = 8

// readNetwork fills the network group without sending a packet.
func readNetwork(ctx context.Context, r *reader) (proto.Message, *constatv1.Observation) {
	o := observed(stackSource)
	n := &constatv1.Network{}
	paths, err := readStack(ctx, r, n, o)
	if err != nil {
		return nil, failed(stackSource, err)
	}
	// Each of these has its own gaps, and none waits for another.
	var steps sync.WaitGroup
	gaps := make([]*constatv1.Observation, 5)
	step := func(i int, do func(o *constatv1.Observation)) {
		gaps[i] = &constatv1.Observation{}
		steps.Go(func() { do(gaps[i]) })
	}
	step(0, func(o *constatv1.Observation) {
		content, err := r.run(ctx, networkStep, scutilProgram, "--dns")
		if err != nil {
			readResolvers(ctx, r, n, o)
			return
		}
		n.Resolvers, n.SearchDomains = macResolvers(content)
	})
	step(1, func(o *constatv1.Observation) {
		content, err := r.run(ctx, networkStep, scutilProgram, "--proxy")
		if n.Proxy = readProxy(r); n.Proxy.GetMode() != "none" {
			return // this program's environment
		}
		if err != nil {
			n.Proxy = nil
			gap(o, "proxy", err)
			return
		}
		n.Proxy = macProxy(content)
	})
	step(2, func(o *constatv1.Observation) {
		content, err := r.run(ctx, networkStep, scutilProgram, "--nwi")
		if err != nil {
			gap(o, "os_connectivity", err)
			return
		}
		if n.OsConnectivity = macReach(content); n.OsConnectivity == nil {
			gap(o, "os_connectivity", errMacReach)
		}
	})
	step(3, func(o *constatv1.Observation) {
		content, err := r.run(ctx, networkStep, scutilProgram, "--nc", "list")
		if err != nil {
			gap(o, "vpns", err)
			return
		}
		var byService map[string]*constatv1.Vpn
		n.Vpns, byService = macVPNs(content)
		for id, v := range byService {
			if v.GetState() != "connected" {
				continue
			}
			if status, err := r.run(ctx, networkStep, scutilProgram, "--nc", "status", id); err != nil {
				gap(o, "vpns.link", err)
			} else {
				macTunnel(v, status, n, paths)
			}
		}
	})
	step(4, func(o *constatv1.Observation) {
		state, err := r.run(ctx, networkStep, firewallProgram, "--getglobalstate")
		if err != nil {
			gap(o, "firewall", err)
			return
		}
		blockAll, _ := r.run(ctx, networkStep, firewallProgram, "--getblockall")
		n.Firewall = macFirewall(state, blockAll)
		if info, err := r.run(ctx, networkStep, pfctlProgram, "-s", "info"); err != nil { // root's
			gap(o, "firewall.outgoing_policy", err)
		} else {
			macPacketFilter(n.Firewall, info)
		}
	})
	readHosts(r, n, o)
	steps.Wait()
	for _, g := range gaps {
		o.Gaps = append(o.Gaps, g.Gaps...)
	}
	readNeighbours(r, n, o)
	macGaps(o, "network")
	return n, o
}

// networkStep is how long one question of the network group may take: the group
// has networkLimit for three in a row.
const networkStep = networkLimit / 3

// readStack lists links, addresses, leases and default routes, and returns where all
// routes lead.
func readStack(ctx context.Context, r *reader, n *constatv1.Network, o *constatv1.Observation) ([]linkPath, error) {
	ports := map[string]string{}
	asked := make(chan error, 1)
	go func() {
		content, err := r.run(ctx, networkStep, networksetup, "-listallhardwareports")
		ports = macPorts(content)
		asked <- err
	}()
	content, err := r.run(ctx, networkStep, ifconfigProgram, "-a", "-m")
	if portErr := <-asked; portErr != nil {
		gap(o, "links.physical", portErr)
	}
	if err != nil {
		return nil, err
	}
	n.Links = macLinks(content, ports)
	names := map[int]string{}
	for _, l := range n.Links {
		if i, err := net.InterfaceByName(l.GetName()); err == nil {
			l.Index = set(int32(i.Index))
			names[i.Index] = l.GetName()
		}
	}
	slices.SortFunc(n.Links, func(a, b *constatv1.Link) int { return int(a.GetIndex()) - int(b.GetIndex()) })
	r.leases(ctx, n.Links)
	routes, err := routingTable()
	if err != nil {
		gap(o, "routes", err)
		return nil, nil
	}
	n.Routes = macDefaultRoutes(routes, names)
	return macPaths(routes, names), nil
}

// leases asks for what servers gave to the links that have an
// address, or could.
func (r *reader) leases(ctx context.Context, links []*constatv1.Link) {
	var asking sync.WaitGroup
	asked := 0
	for _, l := range links {
		addressed := slices.ContainsFunc(l.Addresses, func(a *constatv1.Address) bool { return a.GetFamily() == 4 })
		if !macLink(l.GetName()) || l.GetAdminStatus() != "up" || !addressed && !l.GetCarrier() || asked == maxMacLeases {
			continue
		}
		asked++
		asking.Go(func() {
			content, err := r.run(ctx, networkStep, ipconfigProgram, "getpacket", l.GetName())
			if err != nil {
				content = nil // it has none: its address was written by hand
			}
			lease, given := macLease(content)
			summary, err := r.run(ctx, networkStep, ipconfigProgram, "getsummary", l.GetName())
			if err != nil {
				summary = nil // older systems have no such word
			}
			l.Lease = macLeaseTerm(lease, summary, time.Local)
			for _, a := range l.Addresses {
				p, err := netip.ParsePrefix(a.GetCidr())
				switch {
				case err != nil || !p.Addr().Is4() || a.Origin != nil:
				case p.Addr() == given:
					a.Origin = set("dhcp")
				default:
					a.Origin = set("manual")
				}
			}
		})
	}
	asking.Wait()
}

// routingTable reads routes and neighbours.
func routingTable() ([]macRoute, error) {
	dump, err := route.FetchRIB(syscall.AF_UNSPEC, route.RIBType(syscall.NET_RT_DUMP), 0)
	if err != nil {
		return nil, fmt.Errorf("routing table: %w", err)
	}
	routes := parseMacRoutes(dump)
	if dump, err = route.FetchRIB(syscall.AF_UNSPEC, route.RIBType(syscall.NET_RT_FLAGS), syscall.RTF_LLINFO); err == nil {
		routes = append(routes, parseMacRoutes(dump)...)
	}
	return routes, nil
}

const counterSource = "the routing socket"

func linkNames() map[int]string {
	names := map[int]string{}
	links, _ := net.Interfaces()
	for _, i := range links {
		names[i.Index] = i.Name
	}
	return names
}

// linkCounters reads the kernel's 64-bit counters, sorted by link.
func linkCounters(context.Context) (*constatv1.Counters, error) {
	const ifList2 = 6 // NET_RT_IFLIST2
	dump, err := route.FetchRIB(syscall.AF_UNSPEC, route.RIBType(ifList2), 0)
	if err != nil {
		return nil, fmt.Errorf("links: %w", err)
	}
	return &constatv1.Counters{Links: parseMacCounters(dump, linkNames())}, nil
}

// gatewayStates reads what the table of neighbours has of the gateways.
func gatewayStates(context.Context) ([]*constatv1.GatewayState, error) {
	routes, err := routingTable()
	if err != nil {
		return nil, err
	}
	return macGatewayStates(macDefaultRoutes(routes, linkNames())), nil
}

// onceFilter: the rules of the packet filter are root's, and nearly always empty.
func onceFilter(*reader) func(context.Context) (*ruleset, error) {
	return func(context.Context) (*ruleset, error) { return nil, errNotRead }
}

func askResolved(context.Context, *reader, *constatv1.Network) []*constatv1.Resolver { return nil }
