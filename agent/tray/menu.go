package tray

import "constat/internal/version"

// entry is one line of the menu, by what it does and not by how a desktop
// draws it.
type entry struct {
	// view of the page that it opens; "" is its start.
	view string
	// about does nothing: it says what this is. quit ends the tray.
	about, quit bool
	// apart: a line is drawn above it.
	apart bool
	label string
}

type texts struct {
	start, tickets, sent, about, quit, noBrowser string
	// noTray and look are told where a desktop shows no icons.
	noTray, look string
	complaints   map[string]string
	// states are how things stand, for who points at the icon.
	states map[string]string
}

// offered are the complaints of the menu, in its order; the page has all.
var offered = []string{"internet", "printing", "slow", "full"}

// standings are how things may stand, as WatchResponse.state.
var standings = []string{"fine", "working", "found", "answered", "asked", "away"}

var languages = map[string]texts{
	"en": {
		start: "Something is not working…", tickets: "My tickets", sent: "What is sent about this computer", about: "Constat ", quit: "Close this menu",
		noBrowser: "The page could not be opened: ",
		noTray:    "Constat has no icon on this desktop", look: "Look for “Constat” among your programs when something does not work.",
		complaints: map[string]string{
			"internet": "The Internet", "printing": "Printing", "slow": "The computer is slow", "full": "Check everything",
		},
		states: map[string]string{
			"fine": "Constat: all is well", "working": "Constat is looking for the cause", "found": "Constat found something", "answered": "Your help desk answered",
			"asked": "Your technician asks you something", "away": "Constat’s service does not run",
		},
	},
	"fr": {
		start: "Quelque chose ne marche pas…", tickets: "Mes tickets", sent: "Ce qui est envoyé sur cet ordinateur", about: "Constat ", quit: "Fermer ce menu",
		noBrowser: "La page n’a pas pu s’ouvrir : ",
		noTray:    "Constat n’a pas d’icône sur ce bureau", look: "Cherchez « Constat » parmi vos applications quand quelque chose ne marche pas.",
		complaints: map[string]string{
			"internet": "Internet", "printing": "L’impression", "slow": "L’ordinateur est lent", "full": "Tout vérifier",
		},
		states: map[string]string{
			"fine": "Constat : tout va bien", "working": "Constat cherche la cause", "found": "Constat a trouvé quelque chose", "answered": "L’assistance vous a répondu",
			"asked": "Votre technicien vous demande quelque chose", "away": "Le service Constat ne tourne pas",
		},
	},
}

// entries is the menu.
func entries(language string) []entry {
	t := languages[language]
	list := []entry{{label: t.start}}
	for i, id := range offered {
		list = append(list, entry{view: id, label: t.complaints[id], apart: i == 0})
	}
	return append(list,
		entry{view: "tickets", label: t.tickets, apart: true},
		entry{view: "sent", label: t.sent},
		entry{about: true, label: t.about + version.Version, apart: true},
		entry{quit: true, label: t.quit})
}
