package courier

import "constat/collector/desk"

// words are what mails say, in the languages of the team.
type words struct {
	// kinds are what happened, each as a subject begins.
	kinds map[string]string
	// Under what text a promise's clock stands in a notice.
	clocks                                                          map[string]string
	by, requester, machine, cause, priority, due, open, why, digest string
	priorities                                                      map[string]string
	// announced is what happened to planned work.
	announced      map[string]string
	test, testText string
	timeForm       string
}

var speech = map[string]words{
	"en": {
		kinds: map[string]string{
			desk.ToldAssigned: "Given to you", desk.ToldMessage: "New message", desk.ToldMention: "You are mentioned", desk.ToldReopened: "Opened again",
			desk.ToldUnassigned: "Nobody has it", desk.ToldReturned: "Back in the queue", desk.ToldWarned: "A promise is near its end",
			desk.ToldMissed: "A promise was missed", desk.ToldEscalated: "A promise was missed long ago", desk.ToldAnnounced: "Maintenance",
			desk.ToldUnclear: "Something was unclear",
		},
		clocks:     map[string]string{"firstResponse": "first answer", "nextResponse": "next answer", "solution": "solution"},
		announced:  map[string]string{"planned": "Planned", "changed": "Changed", "ended": "Ended", "cancelled": "Taken back"},
		priorities: map[string]string{"low": "low", "normal": "normal", "high": "high", "urgent": "urgent"},
		by:         "by %s", requester: "Requester: %s", machine: "Machine: %s", cause: "Found: %s", priority: "Priority: %s", due: "Due: %s", open: "Open the ticket: %s",
		why: "You get this because you work at the desk. Choose what comes by mail, and when: %s", digest: "%d notices",
		test: "Test of the help desk's mail", testText: "This mail went through the server that is set. Nothing else is to be done.",
		timeForm: "Mon 2 Jan 2006, 15:04 MST",
	},
	"fr": {
		kinds: map[string]string{
			desk.ToldAssigned: "Vous est confié", desk.ToldMessage: "Nouveau message", desk.ToldMention: "Vous êtes mentionné", desk.ToldReopened: "Rouvert",
			desk.ToldUnassigned: "Personne ne l'a pris", desk.ToldReturned: "Revenu dans la file", desk.ToldWarned: "Un délai arrive à son terme",
			desk.ToldMissed: "Un délai est dépassé", desk.ToldEscalated: "Un délai est dépassé depuis longtemps", desk.ToldAnnounced: "Maintenance",
			desk.ToldUnclear: "Quelque chose n’était pas clair",
		},
		clocks:     map[string]string{"firstResponse": "première réponse", "nextResponse": "réponse suivante", "solution": "résolution"},
		announced:  map[string]string{"planned": "Prévue", "changed": "Modifiée", "ended": "Terminée", "cancelled": "Annulée"},
		priorities: map[string]string{"low": "basse", "normal": "normale", "high": "haute", "urgent": "urgente"},
		by:         "par %s", requester: "Demandeur : %s", machine: "Poste : %s", cause: "Trouvé : %s", priority: "Priorité : %s", due: "Échéance : %s", open: "Ouvrir le ticket : %s",
		why: "Vous recevez ce courriel parce que vous travaillez au support. Choisissez ce qui vient par courriel, et quand : %s", digest: "%d notifications",
		test: "Essai du courriel du support", testText: "Ce courriel est passé par le serveur réglé. Il n'y a rien d'autre à faire.",
		timeForm: "02/01/2006 15:04 MST",
	},
}

// in are the words of a language; of one that we do not speak, English.
func in(language string) words {
	if len(language) >= 2 && language[:2] == "fr" {
		return speech["fr"]
	}
	return speech["en"]
}
