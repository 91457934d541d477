// Package remedy does what an agent may do to its machine: a fixed list of
// verbs, each only with the consent of a person at the machine, in words of this
// program. A run looks whether the fault is there, does the verb once, looks
// again, and takes back what did not help, where that can be taken back. What it
// found before and after is the proof, and stays in a journal on disk, as does
// a run under way: one that was cut short is ended at the next start.
//
// It needs no rights: what does is a verb of package privileged.
package remedy

import (
	"slices"

	"constat/internal/fault"
)

// Verb is something that the agent can do.
type Verb struct {
	// ID is its word in the catalog and on the command line: "flush-dns".
	ID string
	// Subject is what it is done to: "" (the machine), link, queue, device or
	// package.
	Subject string
	// Title names it, and Consent is what a person agrees to: what happens, what
	// it costs, and what is taken back. Both may name the subject.
	Title, Consent fault.Text
	// Failed is what the person is told where it could not be done: what that
	// means to them, and what comes next. Why is in the result, for technicians.
	Failed fault.Text
	// groups are what it needs to find its subject, and to tell before and after.
	groups []string
	// target finds what the privileged verb is told, and what would take it back.
	target func(*scene) (target, error)
	// measure says in a few words how it is now.
	measure func(*scene) fault.Text
}

// Verbs are all, sorted by id.
func Verbs() []*Verb { return verbs }

// Lookup finds a verb by its id.
func Lookup(id string) (*Verb, bool) {
	i := slices.IndexFunc(verbs, func(v *Verb) bool { return v.ID == id })
	if i < 0 {
		return nil, false
	}
	return verbs[i], true
}

// Everywhere for texts of both languages.
func both(en, fr string) fault.Text { return fault.Text{EN: en, FR: fr} }

var verbs = []*Verb{
	{
		ID: "clear-stuck-job", Subject: "queue", groups: []string{"printing"},
		Title: both("Remove the stuck document from {component|the queue}", "Retirer le document bloqué de {component|la file}"),
		Consent: both(
			"The document of yours that holds up {component|the queue} is removed and will not be printed; others go on. It can’t be taken back: print it again afterwards. Another person’s document is not touched.",
			"Votre document qui bloque {component|la file} est retiré et ne sera pas imprimé ; les autres continuent. C’est sans retour : relancez l’impression ensuite. Le document d’une autre personne n’est pas touché."),
		Failed: both(
			"The print service did not remove the document. Switch the printer off and on again; if it stays, support has to remove it.",
			"Le service d’impression n’a pas retiré le document. Éteignez puis rallumez l’imprimante ; s’il reste, l’assistance devra le retirer."),
		target: stuckJob, measure: waitingJobs,
	},
	{
		ID: "enable-device", Subject: "device", groups: []string{"usb"},
		Title: both("Switch on {component|the device}", "Activer {component|l’appareil}"),
		Consent: both(
			"{component|The device} is switched on, which somebody or some program had switched off. If it does not work then, it is switched off again. Where your organisation’s rules forbid it, nothing is done.",
			"{component|L’appareil}, que quelqu’un ou un logiciel avait désactivé, est activé. S’il ne fonctionne toujours pas, il est de nouveau désactivé. Si les règles de votre organisation l’interdisent, rien n’est fait."),
		Failed: both(
			"The device could not be switched on. Unplug it and plug it into another port; if that does not help, support has to look.",
			"L’appareil n’a pas pu être activé. Débranchez-le et rebranchez-le sur une autre prise ; si cela ne change rien, l’assistance doit l’examiner."),
		target: switchedOff, measure: deviceState,
	},
	{
		ID: "flush-dns", groups: []string{"network", "probes"},
		Title: both("Forget remembered names", "Oublier les noms mémorisés"),
		Consent: both(
			"The computer forgets the addresses of web sites that it remembers, and asks for them anew. Nothing is interrupted.",
			"L’ordinateur oublie les adresses de sites qu’il a retenues et les redemande. Rien n’est interrompu."),
		Failed: both(
			"The computer could not forget the names that it remembers. Starting it anew does the same.",
			"L’ordinateur n’a pas pu oublier les noms mémorisés. Le redémarrer a le même effet."),
		target: machine, measure: names,
	},
	{
		ID: "renew-dhcp", Subject: "link", groups: []string{"network"},
		Title: both("Ask for an address anew on {component|the network}", "Redemander une adresse pour {component|le réseau}"),
		Consent: both(
			"The computer asks the network for its address again on {component|the adapter}. Connections may stop for some seconds. Settings stay as they are; where an address was set by hand, nothing is done.",
			"L’ordinateur redemande son adresse au réseau pour {component|la carte réseau}. Les connexions peuvent s’interrompre quelques secondes. Les réglages ne changent pas ; si l’adresse a été saisie à la main, rien n’est fait."),
		Failed: both(
			"The network gave no address. Unplug the cable and plug it in again, or leave the Wi-Fi and join it again; if that does not help, the network has to be looked at.",
			"Le réseau n’a pas donné d’adresse. Débranchez puis rebranchez le câble, ou quittez le Wi-Fi et reconnectez-vous ; si cela ne change rien, c’est le réseau qu’il faut vérifier."),
		target: leasedLink, measure: linkAddress,
	},
	{
		ID: "repair-package", Subject: "package", groups: []string{"software", "updates"},
		Title: both("Repair the program {component|that is damaged}", "Réparer le logiciel {component|endommagé}"),
		Consent: both(
			"The system’s package manager installs {component|the package} once more, or ends an installation that stopped half-way. Close the program first. Your documents and its settings stay; nothing else is installed or removed. It may take some minutes.",
			"Le gestionnaire de paquets du système réinstalle {component|le paquet}, ou termine une installation restée à mi-chemin. Fermez d’abord le logiciel. Vos documents et ses réglages restent en place ; rien d’autre n’est installé ni supprimé. Cela peut prendre quelques minutes."),
		Failed: both(
			"The system could not install it once more: where it came from may be out of reach, or no longer have it. Support has to install it anew; why it failed is kept for them.",
			"Le système n’a pas pu le réinstaller : sa source est peut-être injoignable, ou ne le propose plus. L’assistance doit l’installer de nouveau ; la raison de l’échec est conservée pour elle."),
		target: installed, measure: packageState,
	},
	{
		ID: "reset-usb", Subject: "device", groups: []string{"usb"},
		Title: both("Reset {component|the USB device}", "Réinitialiser {component|l’appareil USB}"),
		Consent: both(
			"{component|The device} starts anew, as if you had unplugged it and plugged it in again. It is gone for a few seconds. Nothing that stores files is reset, nor the only keyboard or mouse.",
			"{component|L’appareil} redémarre, comme si vous l’aviez débranché puis rebranché. Il disparaît quelques secondes. Aucun support de fichiers n’est réinitialisé, ni le seul clavier ou la seule souris."),
		Failed: both(
			"The device did not start anew. Unplug it, wait ten seconds, and plug it into another port.",
			"L’appareil n’a pas redémarré. Débranchez-le, attendez dix secondes, puis branchez-le sur une autre prise."),
		target: plugged, measure: deviceState,
	},
	{
		ID: "restart-printing", groups: []string{"printing"},
		Title: both("Restart printing", "Relancer l’impression"),
		Consent: both(
			"The service that prints is started anew. A document that is being printed may come out once more; those in line stay. If the service ends again at once, it is left stopped.",
			"Le service d’impression est redémarré. Un document en cours d’impression peut sortir une seconde fois ; ceux qui attendent restent en file. Si le service s’arrête aussitôt, il reste arrêté."),
		Failed: both(
			"The print service does not start. Starting the computer anew may help; else support has to look at its settings.",
			"Le service d’impression ne démarre pas. Redémarrer l’ordinateur peut suffire ; sinon, l’assistance doit revoir ses réglages."),
		target: machine, measure: spooler,
	},
	{
		ID: "restart-wifi", Subject: "link", groups: []string{"network", "wifi"},
		Title: both("Restart Wi-Fi on {component|the adapter}", "Relancer le Wi-Fi de {component|la carte}"),
		Consent: both(
			"Wi-Fi is switched off for two seconds and on again. Calls and downloads over {component|Wi-Fi} are interrupted. Should anything go wrong meanwhile, the computer switches Wi-Fi on again by itself after 30 seconds.",
			"Le Wi-Fi est coupé deux secondes puis rétabli. Les appels et téléchargements par {component|Wi-Fi} sont interrompus. En cas de problème, l’ordinateur rétablit le Wi-Fi de lui-même au bout de 30 secondes."),
		Failed: both(
			"Wi-Fi could not be started anew. Switch it off and on in the settings, or with the key for it; if it stays off, start the computer anew.",
			"Le Wi-Fi n’a pas pu être relancé. Coupez-le puis rétablissez-le dans les réglages ou avec sa touche ; s’il reste coupé, redémarrez l’ordinateur."),
		target: radioLink, measure: radioState,
	},
	{
		ID: "resume-queue", Subject: "queue", groups: []string{"printing"},
		Title: both("Resume the queue {component|that is paused}", "Reprendre la file {component|en pause}"),
		Consent: both(
			"The queue {component|of the printer} takes documents and prints again, also those that wait in it, of other people too. If it does not help, the queue is as before.",
			"La file {component|de l’imprimante} accepte et imprime de nouveau les documents, y compris ceux qui attendent, même d’autres personnes. Si cela n’aide pas, la file redevient comme avant."),
		Failed: both(
			"The print service did not resume the queue. Support has to look at the printer’s settings.",
			"Le service d’impression n’a pas repris la file. L’assistance doit revoir les réglages de l’imprimante."),
		target: pausedQueue, measure: queueState,
	},
	{
		ID: "set-clock", groups: []string{"clock", "probes"},
		Title: both("Set the clock", "Mettre l’horloge à l’heure"),
		Consent: both(
			"The clock of the computer is set by the time server that is configured here. How far it was off is written down. Programs that are running see the time jump.",
			"L’horloge de l’ordinateur est réglée sur le serveur de temps configuré ici. Son écart est noté. Les logiciels ouverts verront l’heure changer d’un coup."),
		Failed: both(
			"The clock was not set: no time server answered, or the computer has no program that sets it. Set date and time in the settings, and the time zone too.",
			"L’horloge n’a pas été mise à l’heure : aucun serveur de temps n’a répondu, ou rien sur l’ordinateur ne sait la régler. Réglez la date, l’heure et le fuseau horaire dans les paramètres."),
		target: machine, measure: clock,
	},
}
