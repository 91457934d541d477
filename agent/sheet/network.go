package sheet

import (
	"cmp"
	"strings"

	"google.golang.org/protobuf/types/known/timestamppb"

	constatv1 "constat/proto/constat/v1"
)

func (s *sheet) network() {
	n := known(s.snapshot.GetNetwork())
	counters := map[string]*constatv1.LinkCounters{}
	for _, c := range s.snapshot.GetCounters().GetLinks() {
		counters[c.GetLink()] = c
	}
	unused := 0
	for _, l := range n.GetLinks() {
		switch {
		case l.GetKind() == "loopback":
		case l.GetAdminStatus() == "down" && !l.GetPhysical():
			unused++
		default:
			s.link(l, known(counters[l.GetName()]))
		}
	}
	if unused > 0 {
		s.row("Links", "Liaisons", s.count(unused, "virtual link not in use", "virtual links not in use", "liaison virtuelle inutilisée", "liaisons virtuelles inutilisées"))
	}
	for _, r := range n.GetRoutes() {
		s.row("Way out", "Sortie", s.everywhere(r.GetDestination())+s.say(" by ", " par ")+cmp.Or(r.GetGateway(), s.say("the link itself", "la liaison même")), r.GetLink(),
			named(s.say("metric", "métrique"), plain(r.Metric)), s.word(r.GetOrigin()))
	}
	for _, r := range n.GetResolvers() {
		s.row("Name servers", "Serveurs de noms", r.GetAddress(), r.GetLink(), s.is(r.Stub, "this computer's own relay", "relais de cet ordinateur", "", ""),
			named(s.say("for", "pour"), strings.Join(r.GetDomains(), " ")))
	}
	s.row("Search domains", "Domaines", n.GetSearchDomains()...)
	if p := n.GetProxy(); p != nil {
		s.row("Proxy", "Mandataire", s.word(p.GetMode()), cmp.Or(p.GetHttps(), p.GetHttp()), p.GetPacUrl(), unless(p.GetMode() == "none", named(s.say("set by", "réglé par"), p.GetSource())))
	}
	for _, v := range n.GetVpns() {
		s.row("VPN", "VPN", v.GetName(), v.GetKind(), s.word(v.GetState()), v.GetGateway(), s.word(v.GetFailure()))
	}
	if f := n.GetFirewall(); f != nil {
		s.row("Firewall", "Pare-feu", f.GetKind(), s.is(f.Enabled, "on", "actif", "off", "inactif"), named(s.say("kept by", "tenu par"), f.GetManager()),
			unless(f.Enabled != nil && !*f.Enabled, named(s.say("outgoing packets", "paquets sortants"), s.word(f.GetOutgoingPolicy()))))
	}
	some(s, "Hosts file", "Fichier hosts", n.GetHostsOverrides(), 5, func(h *constatv1.HostsEntry) []string { return []string{h.GetName() + " → " + h.GetAddress()} })
	for _, x := range n.GetNeighbours() {
		s.row("Plugged into", "Branché sur", x.GetLink()+" → "+cmp.Or(x.GetSystemName(), x.GetChassisId()), named("port", cmp.Or(x.GetPortId(), x.GetPortDescription())),
			named("VLAN", plain(x.Vlan)), x.GetPlatform(), s.ago(x.HeardAt))
	}
	s.row("The system says", "Selon le système", s.word(n.GetOsConnectivity()), s.is(n.NetworkingEnabled, "", "", "networking is switched off", "le réseau est désactivé"))
}

func (s *sheet) link(l *constatv1.Link, c *constatv1.LinkCounters) {
	status := l.GetOperStatus()
	if status == "" || status == "unknown" {
		status = l.GetAdminStatus()
	}
	s.row("Link", "Liaison", l.GetName()+s.colon()+list(s.word(l.GetKind()), s.word(status), s.is(l.Carrier, "", "", "no cable or no partner", "pas de câble ou de partenaire"),
		unless(l.GetSpeedMbps() <= 0, unit(l.SpeedMbps, s.say("Mb/s", "Mbit/s"))), unless(l.GetDuplex() != "half", s.say("HALF DUPLEX", "SEMI-DUPLEX")),
		l.GetMac(), named("MTU", plain(l.Mtu)), l.GetDriver()))
	for _, a := range l.GetAddresses() {
		s.row("Link", "Liaison", "  "+a.GetCidr(), s.word(a.GetOrigin()), s.is(a.Duplicate, "TAKEN BY ANOTHER", "PRISE PAR UN AUTRE", "", ""))
	}
	if lease := l.GetLease(); lease != nil {
		s.row("Link", "Liaison", "  "+list(named(s.say("lease from", "bail de"), lease.GetServer()), named(s.say("until", "jusqu’à"), when(lease.ExpiresAt)),
			s.is(lease.Pending, "asks for an address in vain", "demande une adresse en vain", "", "")))
	}
	if d := l.GetDot1X(); d != nil {
		s.row("Link", "Liaison", "  802.1X "+s.word(d.GetState()), s.word(d.GetFailure()))
	}
	s.row("Link", "Liaison", unless(c.GetInErrors()+c.GetOutErrors()+c.GetCrcErrors()+c.GetCollisions() == 0, "  "+
		list(s.positive(c.InErrors, "receive errors", "erreurs en réception"), s.positive(c.OutErrors, "send errors", "erreurs en émission"),
			s.positive(c.CrcErrors, "CRC errors", "erreurs CRC"), s.positive(c.Collisions, "collisions", "collisions"))))
}

func (s *sheet) wifi() {
	w := s.snapshot.GetWifi()
	for _, r := range w.GetRadios() {
		s.row("Radio", "Radio", r.GetLink()+s.colon()+list(s.word(r.GetState()), r.GetDriver(), s.is(r.SoftBlocked, "switched off by setting", "coupée par réglage", "", ""),
			s.is(r.HardBlocked, "switched off by a key or the firmware", "coupée par un bouton ou le micrologiciel", "", "")))
		s.row("Radio", "Radio", "  "+list(named(s.say("network", "réseau"), r.GetSsid()), r.GetBssid(), r.GetSecurity()))
		s.row("Radio", "Radio", "  "+list(named("signal", unit(r.SignalDbm, "dBm")), s.measure(r.BandGhz, 1, "GHz"), named(s.say("channel", "canal"), plain(r.Channel)), unit(r.WidthMhz, "MHz"),
			and(s.measure(r.TxMbps, 0, s.say("Mb/s", "Mbit/s")), s.say("sending", "en émission")), named(s.say("retries", "réémissions"), s.measure(r.RetryPercent, 1, "%"))))
		s.row("Radio", "Radio", "  "+list(named(s.say("networks heard", "réseaux entendus"), plain(r.NetworksHeard)), named(s.say("on this channel", "sur ce canal"), plain(r.NetworksOnChannel)),
			named(s.say("channel busy", "canal occupé à"), s.measure(r.ChannelBusyPercent, 0, "%"))))
		s.row("Radio", "Radio", "  "+list(named(s.say("last failure:", "dernier échec\u00a0:"), s.word(r.GetLastFailure())), named(s.say("disconnected", "déconnectée le"), when(r.LastDisconnectAt)),
			named(s.say("reason", "raison"), plain(r.LastReason))))
	}
	s.row("Service", "Service", s.word(w.GetServiceState()))
}

func (s *sheet) probes() {
	p := s.snapshot.GetProbes()
	took := func(ms *float64, result string) string { return unless(result != "ok", s.measure(ms, 1, "ms")) }
	for _, g := range p.GetGateways() {
		s.row("Gateway", "Passerelle", g.GetAddress()+s.colon()+s.word(g.GetNeighbour()), named("ping", cmp.Or(s.measure(g.PingMs, 1, "ms"), s.instead(g.GetPing(), "denied", "not allowed to this account", "non permis à ce compte"))))
	}
	for _, d := range p.GetDns() {
		if d.GetNonexistentName() {
			if d.GetRcode() == "noerror" {
				s.row("Name servers", "Serveurs de noms", d.GetServer()+s.colon()+s.say("answers for names that do not exist", "répond pour des noms qui n’existent pas"))
			}
			continue
		}
		answer := s.word(d.GetResult())
		if d.GetResult() == "ok" {
			answer = unless(d.GetRcode() == "noerror", s.word(d.GetRcode()))
		}
		s.row("Name servers", "Serveurs de noms", strings.TrimSpace(d.GetServer()+s.colon()+d.GetName()+" "+answer), took(d.Ms, d.GetResult()),
			s.is(d.Expected, "", "", "not the expected address", "pas l’adresse attendue"))
	}
	for _, t := range p.GetTcp() {
		s.row("By address", "Par adresse", t.GetAddress()+s.colon()+s.word(t.GetResult()), took(t.Ms, t.GetResult()), t.GetLink())
	}
	if h := p.GetHttp(); h != nil {
		s.row("Web page", "Page web", h.GetUrl()+s.colon()+s.word(h.GetResult()), plain(h.Status), named("→", h.GetRedirectHost()), took(h.Ms, h.GetResult()))
	}
	for _, t := range p.GetTls() {
		s.row("TLS", "TLS", t.GetAddress()+s.colon()+s.word(t.GetResult()), named(s.say("issued by", "émis par"), t.GetIssuer()), named(s.say("until", "jusqu’au"), day(t.NotAfter)),
			took(t.HandshakeMs, t.GetResult()))
	}
	if x := p.GetProxy(); x != nil {
		s.row("Proxy", "Mandataire", x.GetAddress()+s.colon()+s.word(x.GetResult()), took(x.Ms, x.GetResult()))
	}
	for _, x := range p.GetServices() {
		s.row("Services", "Services", x.GetName()+s.colon()+s.word(x.GetResult()), plain(x.Status), took(x.Ms, x.GetResult()))
	}
	for _, m := range p.GetMtu() {
		s.row("Packet size", "Taille des paquets", m.GetTarget()+s.colon()+cmp.Or(named(s.say("up to", "jusqu’à"), unit(m.LargestOkBytes, s.say("bytes", "octets"))), "?"))
	}
	if d := p.GetDhcp(); d != nil {
		var servers []string
		for _, o := range d.GetOffers() {
			servers = append(servers, o.GetServer()+" ("+o.GetCidr()+")")
		}
		s.row("DHCP", "DHCP", d.GetLink()+s.colon()+s.word(d.GetResult()), strings.Join(servers, ", "))
	}
	for _, c := range p.GetConflicts() {
		s.row("Own address", "Adresse propre", c.GetAddress()+s.colon()+s.instead(c.GetResult(), "free", "nobody else has it", "personne d’autre ne l’a"), c.GetOtherMac())
	}
}

func (s *sheet) clock() {
	c := known(s.snapshot.GetClock())
	s.row("Kept by", "Tenue par", c.GetService(), s.word(c.GetServiceState()), c.GetSource())
	s.row("Synchronised", "Synchronisée", s.is(c.Synchronized, "yes", "oui", "no", "non"), s.is(c.Enabled, "", "", "not wanted", "non demandé"))
	s.row("Hardware clock", "Horloge interne", s.is(c.RtcLost, "lost the time at the last start", "a perdu l’heure au dernier démarrage", "", ""))
	if p := s.snapshot.GetProbes().GetClock(); p != nil {
		s.row("Compared with", "Comparée à", p.GetServer(), s.word(p.GetResult()), s.measure(p.OffsetSeconds, 2, "s"))
	}
}

// everywhere words the destination of a default route.
func (s *sheet) everywhere(destination string) string {
	switch destination {
	case "0.0.0.0/0":
		return s.say("IPv4, everything,", "IPv4, tout,")
	case "::/0":
		return s.say("IPv6, everything,", "IPv6, tout,")
	}
	return destination
}

// ago tells that a switch announced itself last at a time, and that the cable or
// the link is another's now, or dead.
func (s *sheet) ago(t *timestamppb.Timestamp) string {
	if t == nil {
		return ""
	}
	past := s.snapshot.GetManifest().GetTakenAt().AsTime().Sub(t.AsTime())
	return s.say("last heard ", "entendu la dernière fois ") + when(t) + s.say(", "+s.span(max(past, 0))+" ago", ", il y a "+s.span(max(past, 0)))
}
