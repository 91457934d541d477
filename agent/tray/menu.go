package main

import (
	"fmt"

	constatv1 "constat/proto/constat/v1"
)

// entry is one line of the menu, by what it does and not by how a desktop
// draws it.
type entry struct {
	// id of a procedure to run; empty for the entries below.
	procedure string
	// send hands the last diagnosis to support; quit ends the tray.
	send, quit bool
	label      string
	enabled    bool
}

// state is all the menu depends on.
type state struct {
	language string
	// problem says why the agent can't be asked; empty: it can.
	problem string
	running bool
	// last is the newest diagnosis, nil before the first.
	last *constatv1.Diagnosis
	// ticket is the number of the ticket made from it; 0: none, -1: it waits on
	// this machine.
	ticket int32
}

type texts struct {
	hint, running, healthy, undetermined, send, sent, waits, quit string
	complaints                                                    map[string]string
}

// offered are the complaints of the menu, in its order.
var offered = []string{"internet", "printing", "slow", "full"}

var languages = map[string]texts{
	"en": {
		hint: "Something is not working?", running: "Looking…", healthy: "Nothing is wrong here",
		undetermined: "No cause can be named yet", send: "Send to support",
		sent: "Ticket %d is open", waits: "The ticket will be sent later", quit: "Close this menu",
		complaints: map[string]string{
			"internet": "The Internet", "printing": "Printing", "slow": "The computer is slow", "full": "Check everything",
		},
	},
	"fr": {
		hint: "Quelque chose ne marche pas ?", running: "Recherche en cours…", healthy: "Tout va bien de ce côté",
		undetermined: "Aucune cause ne peut encore être nommée", send: "Envoyer au support",
		sent: "Le ticket %d est ouvert", waits: "Le ticket partira plus tard", quit: "Fermer ce menu",
		complaints: map[string]string{
			"internet": "Internet", "printing": "L'impression", "slow": "L'ordinateur est lent", "full": "Tout vérifier",
		},
	},
}

// title is the line at the top: what is known now, in one sentence.
func (s state) title() string {
	t := languages[s.language]
	switch {
	case s.problem != "":
		return s.problem
	case s.running:
		return t.running
	case s.ticket > 0:
		return fmt.Sprintf(t.sent, s.ticket)
	case s.ticket < 0:
		return t.waits
	case s.last == nil:
		return t.hint
	case len(s.last.RootCauses) > 0:
		return s.last.RootCauses[0].Title
	case s.last.Verdict == "undetermined":
		return t.undetermined
	}
	return t.healthy
}

// entries is the menu below the title.
func (s state) entries() []entry {
	t := languages[s.language]
	free := !s.running && s.problem == ""
	var list []entry
	for _, id := range offered {
		list = append(list, entry{procedure: id, label: t.complaints[id], enabled: free})
	}
	return append(list,
		entry{send: true, label: t.send, enabled: free && s.last != nil && s.ticket == 0},
		entry{quit: true, label: t.quit, enabled: true})
}
