package remedy

import (
	"fmt"
	"slices"
	"strings"

	"constat/internal/fault"
	constatv1 "constat/proto/constat/v1"
)

// scene is the machine as a verb finds it.
type scene struct {
	*constatv1.Snapshot
	// component is what the verb is to be done to, as the diagnosis names it.
	component string
	// person is who consented.
	person string
}

// target is what the privileged half is told.
type target struct {
	argument string
	// What takes it back; empty: nothing does.
	undoVerb, undoArgument string
}

// obstacle is why there is nothing to do it to, in both languages.
type obstacle fault.Text

func (o obstacle) Error() string { return o.EN }

// errNothing puts the same arguments into the sentence of each language.
func errNothing(en, fr string, arguments ...any) error {
	return obstacle(both(fmt.Sprintf(en, arguments...), fmt.Sprintf(fr, arguments...)))
}

func machine(*scene) (target, error) { return target{}, nil }

// fits tells whether a name is the component; without one, any is.
func (s *scene) fits(names ...string) bool {
	return s.component == "" || slices.Contains(names, s.component)
}

// leasedLink is the link that the component names, or that it has an address
// on, or else the first that has its address by DHCP or waits for one.
func leasedLink(s *scene) (target, error) {
	var chosen *constatv1.Link
	for _, l := range s.GetNetwork().GetLinks() {
		leased := l.Lease != nil || slices.ContainsFunc(l.GetAddresses(), func(a *constatv1.Address) bool { return a.GetFamily() == 4 && a.GetOrigin() == "dhcp" })
		byHand := slices.ContainsFunc(l.GetAddresses(), func(a *constatv1.Address) bool { return a.GetFamily() == 4 && a.GetOrigin() == "manual" })
		switch {
		case s.component != "" && l.GetName() == s.component && byHand && !leased:
			return target{}, errNothing("the address of %s was set by hand; it is not asked for", "l’adresse de %s a été saisie à la main ; elle n’est pas redemandée", l.GetName())
		case s.component != "" && l.GetName() == s.component:
			return target{argument: l.GetName()}, nil
		case l.GetKind() == "loopback" || l.GetAdminStatus() == "down" || l.GetUnmanaged() || byHand && !leased:
		case leased && chosen.GetLease() == nil, chosen == nil && l.GetCarrier() && slices.Contains([]string{"ethernet", "wifi", "veth"}, l.GetKind()):
			chosen = l
		}
	}
	if chosen == nil {
		return target{}, errNothing("no link of this machine gets its address by DHCP", "aucune carte de cet ordinateur ne reçoit son adresse par DHCP")
	}
	return target{argument: chosen.GetName()}, nil
}

func radioLink(s *scene) (target, error) {
	for _, r := range s.GetWifi().GetRadios() {
		if r.GetLink() != "" && s.fits(r.GetLink()) {
			return target{argument: r.GetLink()}, nil
		}
	}
	return target{}, errNothing("there is no Wi-Fi adapter %s", "il n’y a pas de carte Wi-Fi %s", s.component)
}

func (s *scene) queue() (*constatv1.Queue, error) {
	for _, q := range s.GetPrinting().GetQueues() {
		if s.fits(q.GetName()) {
			return q, nil
		}
	}
	return nil, errNothing("there is no queue %s", "il n’y a pas de file d’impression %s", s.component)
}

func pausedQueue(s *scene) (target, error) {
	q, err := s.queue()
	if err != nil {
		return target{}, err
	}
	var was []string
	if q.GetState() == "stopped" {
		was = append(was, "stopped")
	}
	if q.AcceptingJobs != nil && !q.GetAcceptingJobs() {
		was = append(was, "rejecting")
	}
	return target{q.GetName(), "pause-queue", q.GetName() + " " + strings.Join(was, ",")}, nil
}

// stuckJob is the oldest document that is being printed, or was stopped in the
// middle.
func stuckJob(s *scene) (target, error) {
	q, err := s.queue()
	if err != nil {
		return target{}, err
	}
	var stuck *constatv1.Job
	for _, j := range q.GetJobs() {
		if (j.GetState() == "processing" || j.GetState() == "processingStopped") && (stuck == nil || j.GetId() < stuck.GetId()) {
			stuck = j
		}
	}
	if stuck == nil {
		return target{}, errNothing("no document is stuck in %s", "aucun document n’est bloqué dans %s", q.GetName())
	}
	return target{argument: fmt.Sprintf("%s %d %s", q.GetName(), stuck.GetId(), s.person)}, nil
}

// device is the one that the component names: by its product, id or place.
func (s *scene) device(wanted func(*constatv1.UsbDevice) bool) (*constatv1.UsbDevice, error) {
	var found []*constatv1.UsbDevice
	for _, d := range s.GetUsb().GetDevices() {
		if s.component != "" && s.fits(d.GetProduct(), d.GetId(), d.GetPath()) && wanted(d) {
			found = append(found, d)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return nil, errNothing("no such device is plugged in: %q", "cet appareil n’est pas branché : %q", s.component)
	}
	return nil, errNothing("%d devices are called %s: name the place in the tree instead, %s", "%d appareils s’appellent %s : nommez plutôt l’emplacement, %s", len(found), s.component, found[0].GetPath())
}

func anyDevice(*constatv1.UsbDevice) bool { return true }

func switchedOff(s *scene) (target, error) {
	d, err := s.device(func(d *constatv1.UsbDevice) bool {
		return d.Authorized != nil && !d.GetAuthorized() || d.GetProblemCode() == 22
	})
	if err != nil {
		return target{}, err
	}
	if s.GetUsb().GetPolicyActive() {
		return target{}, errNothing("a policy decides here which devices may be used: ask who looks after it", "une règle de votre organisation décide ici des appareils permis : demandez à qui en a la charge")
	}
	return target{d.GetPath(), "disable-device", d.GetPath()}, nil
}

func plugged(s *scene) (target, error) {
	d, err := s.device(anyDevice)
	if err != nil {
		return target{}, err
	}
	return target{argument: d.GetPath()}, nil
}

func installed(s *scene) (target, error) {
	if s.component == "" {
		return target{}, errNothing("no package is named", "aucun paquet n’est nommé")
	}
	if slices.Contains(s.GetUpdates().GetBrokenPackages(), s.component) {
		return target{argument: s.component}, nil
	}
	for _, p := range s.GetSoftware().GetPrograms() {
		if p.GetName() == s.component && slices.Contains([]string{"dpkg", "rpm", "msi", "clickToRun"}, p.GetSource()) {
			return target{argument: s.component}, nil
		}
	}
	return target{}, errNothing("%s is no package that this system's package manager installed", "%s n’est pas un paquet installé par le gestionnaire de ce système", s.component)
}

// --- how it is, in a few words ---

func names(s *scene) fault.Text {
	best, asked := -1.0, false
	for _, l := range s.GetProbes().GetLookups() {
		if l.Expected != nil && !l.GetExpected() {
			return both("a name leads to an address that is not its own", "un nom mène à une adresse qui n’est pas la sienne")
		}
		asked = true
		if l.GetResult() == "ok" && l.Ms != nil && (best < 0 || l.GetMs() < best) {
			best = l.GetMs()
		}
	}
	for _, d := range s.GetProbes().GetDns() {
		asked = true
		if best < 0 && d.GetResult() == "ok" && d.GetRcode() == "noerror" && !d.GetNonexistentName() && d.Ms != nil {
			best = d.GetMs()
		}
	}
	switch {
	case best >= 0:
		best = max(best, 1) // nothing takes 0 ms
		return both(fmt.Sprintf("names are answered in %.0f ms", best), fmt.Sprintf("les noms sont trouvés en %.0f ms", best))
	case asked:
		return both("no name is answered", "aucun nom n’est trouvé")
	}
	return unseen
}

// unseen is what could not be looked at.
var unseen = both("it could not be seen", "cela n’a pas pu être observé")

func linkAddress(s *scene) fault.Text {
	at, err := leasedLink(s)
	for _, l := range s.GetNetwork().GetLinks() {
		if err != nil || l.GetName() != at.argument {
			continue
		}
		for _, a := range l.GetAddresses() {
			if a.GetFamily() == 4 && a.GetScope() == "global" {
				routed := slices.ContainsFunc(s.GetNetwork().GetRoutes(), func(r *constatv1.Route) bool { return r.GetLink() == l.GetName() && r.GetFamily() == 4 })
				if !routed {
					return both(l.GetName()+" has the address "+a.GetCidr()+" and no way out", l.GetName()+" a l’adresse "+a.GetCidr()+", sans accès au reste du réseau")
				}
				return both(l.GetName()+" has the address "+a.GetCidr(), l.GetName()+" a l’adresse "+a.GetCidr())
			}
		}
		return both(l.GetName()+" has no address", l.GetName()+" n’a pas d’adresse")
	}
	return unseen
}

func radioState(s *scene) fault.Text {
	for _, r := range s.GetWifi().GetRadios() {
		if !s.fits(r.GetLink()) {
			continue
		}
		name := r.GetLink()
		switch {
		case r.GetHardBlocked() || r.GetSoftBlocked():
			return both(name+" is switched off", name+" est coupé")
		case r.GetState() == "connected" && r.SignalDbm != nil:
			return both(fmt.Sprintf("%s is connected with %d dBm", name, r.GetSignalDbm()), fmt.Sprintf("%s est connecté à %d dBm", name, r.GetSignalDbm()))
		case r.GetState() == "connected":
			return both(name+" is connected", name+" est connecté")
		}
		return both(name+" is on, and not connected", name+" est actif, sans être connecté")
	}
	return unseen
}

func spooler(s *scene) fault.Text {
	switch s.GetPrinting().GetSpooler().GetState() {
	case "running":
		return both("the print service answers", "le service d’impression répond")
	case "stopped", "disabled":
		return both("the print service does not answer", "le service d’impression ne répond pas")
	}
	return unseen
}

func queueState(s *scene) fault.Text {
	q, err := s.queue()
	switch {
	case err != nil:
		return unseen
	case q.GetState() == "stopped":
		return both(q.GetName()+" is paused", q.GetName()+" est en pause")
	case q.AcceptingJobs != nil && !q.GetAcceptingJobs():
		return both(q.GetName()+" takes no documents", q.GetName()+" n’accepte aucun document")
	}
	return both(q.GetName()+" prints and takes documents", q.GetName()+" imprime et accepte les documents")
}

func waitingJobs(s *scene) fault.Text {
	q, err := s.queue()
	if err != nil || q.PendingJobs == nil {
		return unseen
	}
	if _, err := stuckJob(s); err != nil {
		return both(fmt.Sprintf("no document is stuck in %s, %d in line", q.GetName(), q.GetPendingJobs()), fmt.Sprintf("aucun document bloqué dans %s, %d en attente", q.GetName(), q.GetPendingJobs()))
	}
	return both(fmt.Sprintf("a document is stuck in %s, %d in line", q.GetName(), q.GetPendingJobs()), fmt.Sprintf("un document est bloqué dans %s, %d en attente", q.GetName(), q.GetPendingJobs()))
}

func deviceState(s *scene) fault.Text {
	d, err := s.device(anyDevice)
	if err != nil {
		return both(s.component+" is not there", s.component+" n’est pas là")
	}
	switch {
	case d.Authorized != nil && !d.GetAuthorized(), d.GetProblemCode() == 22:
		return both(s.component+" is switched off", s.component+" est désactivé")
	case d.GetProblemCode() != 0:
		return both(fmt.Sprintf("%s has the problem %d", s.component, d.GetProblemCode()), fmt.Sprintf("%s a le problème %d", s.component, d.GetProblemCode()))
	case slices.ContainsFunc(d.GetInterfaces(), func(i *constatv1.UsbInterface) bool { return i.Driver != nil && i.GetDriver() == "" }):
		return both(s.component+" is on, and a part of it has no driver", s.component+" est actif, mais une de ses fonctions n’a pas de pilote")
	}
	return both(s.component+" is on", s.component+" est actif")
}

func packageState(s *scene) fault.Text {
	broken := slices.Contains(s.GetUpdates().GetBrokenPackages(), s.component)
	compared := false
	for _, p := range s.GetSoftware().GetPrograms() {
		if p.GetName() == s.component && p.Damaged != nil {
			broken, compared = broken || p.GetDamaged(), true
		}
	}
	switch {
	case broken:
		return both(s.component+" is not whole", s.component+" n’est pas complet")
	case compared:
		return both(s.component+" is whole", s.component+" est complet")
	case s.Updates != nil: // its files can't be compared
		return both(s.component+" is set up", s.component+" est installé et configuré")
	}
	return unseen
}

func clock(s *scene) fault.Text {
	var off *float64
	if p := s.GetProbes().GetClock(); p != nil {
		off = p.OffsetSeconds
	}
	if p := s.GetProbes().GetHttp(); off == nil && p != nil {
		off = p.ClockOffsetSeconds
	}
	c := s.GetClock()
	state := both("no time service runs", "aucun service de temps n’est actif")
	switch {
	case c.GetServiceState() == "running" && c.GetSynchronized():
		state = both(c.GetService()+" runs and follows a time server", c.GetService()+" est actif et suit un serveur de temps")
	case c.GetServiceState() == "running":
		state = both(c.GetService()+" runs and follows nobody", c.GetService()+" est actif sans suivre de serveur")
	}
	if off == nil {
		return state
	}
	return both(fmt.Sprintf("the clock is off by %.1f s, %s", *off, state.EN), fmt.Sprintf("l’horloge a un écart de %s s, %s", strings.Replace(fmt.Sprintf("%.1f", *off), ".", ",", 1), state.FR))
}
