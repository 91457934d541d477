package main

// entry is one line of the menu, by what it does and not by how a desktop
// draws it.
type entry struct {
	// view of the page that it opens; "" is its start.
	view string
	// quit ends the tray instead.
	quit  bool
	label string
}

type texts struct {
	start, quit, noBrowser string
	complaints             map[string]string
}

// offered are the complaints of the menu, in its order; the page has all.
var offered = []string{"internet", "printing", "slow", "full"}

var languages = map[string]texts{
	"en": {
		start: "Something is not working…", quit: "Close this menu",
		noBrowser: "The page could not be opened: ",
		complaints: map[string]string{
			"internet": "The Internet", "printing": "Printing", "slow": "The computer is slow", "full": "Check everything",
		},
	},
	"fr": {
		start: "Quelque chose ne marche pas…", quit: "Fermer ce menu",
		noBrowser: "La page n’a pas pu s’ouvrir : ",
		complaints: map[string]string{
			"internet": "Internet", "printing": "L’impression", "slow": "L’ordinateur est lent", "full": "Tout vérifier",
		},
	},
}

// entries is the menu.
func entries(language string) []entry {
	t := languages[language]
	list := []entry{{label: t.start}}
	for _, id := range offered {
		list = append(list, entry{view: id, label: t.complaints[id]})
	}
	return append(list, entry{quit: true, label: t.quit})
}
