package sheet

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	constatv1 "constat/proto/constat/v1"
)

func (s *sheet) programs() {
	sw, u := s.snapshot.GetSoftware(), known(s.snapshot.GetUpdates())
	bySource := map[string]int{}
	var newer []*constatv1.Program
	for _, p := range sw.GetPrograms() {
		bySource[p.GetSource()]++
		if p.GetAvailableVersion() != "" {
			newer = append(newer, p)
		}
	}
	var sources []string
	for source, n := range bySource {
		sources = append(sources, fmt.Sprintf("%d\u00a0(%s)", n, source))
	}
	slices.Sort(sources)
	s.row("Installed", "Installés", sources...)
	some(s, "Newer ones exist", "Plus récents", newer, 6, func(p *constatv1.Program) []string {
		return []string{p.GetName() + " " + p.GetVersion() + " → " + p.GetAvailableVersion()}
	})
	s.row("Autostart", "Démarrent seuls", sw.GetStartupItems()...)
	pending := ""
	if u.Pending != nil {
		pending = fmt.Sprintf(s.say("%d waiting", "%d en attente"), *u.Pending)
	}
	s.row("Updates", "Mises à jour", u.GetKind(), pending, unless(u.SecurityPending == nil || u.GetPending() == 0, fmt.Sprintf(s.say("%d of them for security", "dont %d de sécurité"), u.GetSecurityPending())),
		named(s.say("looked for", "cherchées le"), when(u.LastCheckAt)), named(s.say("installed", "installées le"), when(u.LastSuccessAt)))
	for _, f := range u.GetFailures() {
		s.row("Failed updates", "Échecs", f.GetName(), f.GetCode(), when(f.At))
	}
	s.row("Half installed", "Mal installés", u.GetBrokenPackages()...)
	if u.GetRestartPending() {
		s.row("Restart needed", "À redémarrer", cmp.Or(strings.Join(u.GetRestartReasons(), " "), s.say("yes", "oui")), named(s.say("since", "depuis le"), when(u.RestartPendingSince)))
	}
	if u.GetLocked() {
		s.row("Right now", "En ce moment", s.say("a package manager is at work", "un gestionnaire de paquets est à l’œuvre"))
	}
}

func (s *sheet) services() {
	sv := s.snapshot.GetServices()
	s.row("All in all", "Ensemble", sv.GetManager(), s.word(sv.GetSystemState()))
	var fine []string
	for _, x := range sv.GetServices() {
		name := strings.TrimSuffix(x.GetName(), ".service")
		restarts := unless(x.GetRestarts() == 0, s.count(int(x.GetRestarts()), "restart", "restarts", "redémarrage", "redémarrages"))
		if x.GetState() == "running" && restarts == "" {
			fine = append(fine, name)
			continue
		}
		result := unless(x.GetResult() == "success", s.word(x.GetResult()))
		if x.GetResult() == "exitCode" {
			result = strings.TrimSpace(result + " " + plain(x.ExitCode))
		}
		state := capital(s.word(cmp.Or(x.GetState(), "unknown")))
		s.row(state, state, name, result, restarts, named(s.say("start", "démarrage"), s.word(x.GetStartType())))
	}
	s.row("Running", "En marche", fine...)
}

func (s *sheet) crashes() {
	c := s.snapshot.GetCrashes()
	some(s, "Programs", "Programmes", c.GetPrograms(), 8, func(x *constatv1.Crash) []string {
		return []string{when(x.At) + " " + x.GetProgram(), x.GetVersion(), named(s.say("in", "dans"), x.GetModule()), x.GetCode()}
	})
	some(s, "Out of memory", "Mémoire épuisée", c.GetOomKills(), 5, func(x *constatv1.OutOfMemoryKill) []string {
		return []string{when(x.At) + " " + x.GetProgram() + s.say(" was ended", " a été arrêté")}
	})
	some(s, "The computer", "L’ordinateur", c.GetSystem(), 5, func(x *constatv1.SystemCrash) []string {
		return []string{when(x.At) + " " + s.word(x.GetKind()), x.GetModule(), x.GetCode()}
	})
	some(s, "Refused", "Refusés", c.GetRefusals(), 5, func(x *constatv1.Refusal) []string {
		return []string{when(x.At) + " " + x.GetProgram(), named(s.say("by", "par"), s.word(x.GetBy()))}
	})
	some(s, "Did not start", "Non démarrés", c.GetLaunchFailures(), 5, func(x *constatv1.LaunchFailure) []string {
		return []string{when(x.At) + " " + x.GetProgram(), s.word(x.GetKind()), x.GetDetail()}
	})
	if c != nil && len(c.GetPrograms())+len(c.GetOomKills())+len(c.GetSystem())+len(c.GetRefusals())+len(c.GetLaunchFailures()) == 0 {
		s.row("Noted", "Relevés", s.say("none, as far as can be seen", "aucun, pour autant que l’on voie"))
	}
}

func (s *sheet) accounts() {
	in := s.snapshot.GetSignIn()
	for _, a := range in.GetAccounts() {
		s.row("Account", "Compte", a.GetUser(), s.word(a.GetKind()), s.is(a.Locked, "LOCKED", "VERROUILLÉ", "", ""), s.is(a.PasswordExpired, "PASSWORD EXPIRED", "MOT DE PASSE EXPIRÉ", "", ""),
			named(s.say("password until", "mot de passe jusqu’au"), day(a.PasswordExpiresAt)), s.is(a.TemporaryProfile, "home folder missing", "dossier personnel absent", "", ""),
			named(s.say("ticket until", "ticket jusqu’au"), when(a.TicketExpiresAt)), s.word(a.GetLastRefusal()))
	}
	if d := in.GetDirectory(); d != nil {
		s.row("Directory", "Annuaire", d.GetName(), d.GetKind(), s.word(d.GetState()), d.GetServer(), s.is(d.TrustOk, "", "", "refuses this computer", "refuse cet ordinateur"))
	}
}

func (s *sheet) protection() {
	p := known(s.snapshot.GetSecurity())
	for _, x := range p.GetProducts() {
		s.row("Product", "Produit", x.GetName(), s.word(x.GetKind()), s.is(x.Enabled, "running", "en marche", "NOT RUNNING", "À L’ARRÊT"), s.is(x.UpToDate, "up to date", "à jour", "OUT OF DATE", "PÉRIMÉ"))
	}
	s.row("Disk encryption", "Disque chiffré", s.is(p.DiskEncrypted, "yes", "oui", "no", "non"))
	some(s, "Certificates", "Certificats", p.GetCertificates(), 8, func(c *constatv1.MachineCertificate) []string {
		return []string{c.GetSubject(), s.word(c.GetPurpose()), named(s.say("from", "de"), c.GetIssuer()), named(s.say("until", "jusqu’au"), day(c.NotAfter))}
	})
	s.row("Roots added", "Racines ajoutées", p.GetAddedRoots()...)
}
