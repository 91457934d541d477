package sheet

import (
	_ "embed"
	"strings"
	"sync"
)

//go:embed reasons.tsv
var reasonTable string

// reasons are why something was not seen, in plain words: words of the reason
// that a reader gave, English, French.
var reasons = sync.OnceValue(func() (rows [][3]string) {
	for line := range strings.Lines(reasonTable) {
		columns := strings.Split(strings.TrimSpace(line), "\t")
		if len(columns) == 3 && !strings.HasPrefix(line, "#") {
			rows = append(rows, [3]string(columns))
		}
	}
	return rows
})

// reason words why something was not seen. Of a reason without words for it the
// status is told; the reason itself, with its paths and errors, is in the JSON.
func (s *sheet) reason(status, reason string) string {
	for _, row := range reasons() {
		if strings.Contains(reason, row[0]) {
			return s.say(row[1], row[2])
		}
	}
	switch status {
	case "denied":
		return s.say("this account may not read it", "ce compte n’a pas le droit de le lire")
	case "withheld":
		return s.say("the system withholds it on purpose", "le système le retient exprès")
	case "unsupported":
		return s.say("this system does not have it", "ce système n’en a pas")
	}
	return s.say("it could not be read; --json tells the error", "lecture impossible ; --json donne l’erreur")
}

// groupNames are the groups of facts as titles of the sheet call them.
var groupNames = map[string][2]string{
	"changes": {"Changes", "Changements"}, "clock": {"Clock", "Horloge"}, "counters": {"Network counters", "Compteurs réseau"},
	"crashes": {"Crashes", "Plantages"}, "hardware": {"Hardware", "Matériel"}, "host": {"System", "Système"}, "load": {"Load", "Charge"},
	"network": {"Network", "Réseau"}, "peripherals": {"Devices", "Périphériques"}, "power": {"Power and heat", "Alimentation et chaleur"},
	"printing": {"Printing", "Impression"}, "probes": {"Network tests", "Tests du réseau"}, "readings": {"Disk readings", "Mesures des disques"},
	"security": {"Protection", "Protection"}, "services": {"Services", "Services"}, "sign_in": {"Accounts", "Comptes"},
	"software": {"Programs", "Programmes"}, "space": {"Free space", "Espace libre"}, "storage": {"Disks", "Disques"},
	"updates": {"Updates", "Mises à jour"}, "usb": {"USB", "USB"}, "vitals": {"Samples of two days", "Relevés de deux jours"}, "wifi": {"Wi-Fi", "Wi-Fi"},
}

// group names a group of facts.
func (s *sheet) group(name string) string {
	if names, known := groupNames[name]; known {
		return s.say(names[0], names[1])
	}
	return name
}
