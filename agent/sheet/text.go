package sheet

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"google.golang.org/protobuf/types/known/timestamppb"
)

// french are the schema's words (see the comments in the proto files) where a
// sheet shows them. What is not among them is shown as it is.
var french = map[string]string{
	"denied": "accès refusé", "failed": "échec", "withheld": "retenu", "unsupported": "indisponible",
	"laptop": "portable", "desktop": "fixe", "server": "serveur", "tablet": "tablette", "allInOne": "tout-en-un", "virtual": "virtuel", "other": "autre",
	"charging": "en charge", "discharging": "se décharge", "full": "pleine", "notCharging": "ne charge pas", "unknown": "inconnu",
	"chargeLimit": "limite de charge", "inhibited": "charge interdite par un réglage", "overheat": "trop chaude", "cold": "trop froide", "dead": "morte",
	"low-power": "économie d’énergie", "balanced": "équilibré", "performance": "performances",
	"up": "active", "down": "inactive", "none": "aucun", "manual": "manuel", "connected": "connecté", "disconnected": "déconnecté",
	"running": "en marche", "stopped": "à l’arrêt", "disabled": "désactivé", "starting": "démarre", "restarting": "redémarre",
	"degraded": "dégradé", "automatic": "automatique", "idle": "au repos", "processing": "imprime", "low": "bas", "empty": "vide", "ok": "en ordre",
	"missing": "manquant", "critical": "critique", "warning": "avertissement", "good": "bonne",
	"timeout": "pas de réponse", "refused": "refusé", "unreachable": "injoignable", "blocked": "bloqué par cet ordinateur", "error": "erreur",
	"nameNotResolved": "nom introuvable", "notFound": "nom introuvable", "reachable": "répond", "incomplete": "ne répond pas", "redirect": "redirigé",
	"rewritten": "réécrit", "expired": "expiré", "unknownAuthority": "autorité inconnue", "nameMismatch": "autre nom",
	"keyboard": "clavier", "mouse": "souris", "touchpad": "pavé tactile", "receiver": "récepteur", "headset": "casque", "webcam": "caméra",
	"dock": "station d’accueil", "gamepad": "manette", "internal": "intégré", "output": "sortie", "input": "entrée", "speakers": "haut-parleurs",
	"hub": "concentrateur", "massStorage": "stockage", "printer": "imprimante", "network": "réseau", "wireless": "sans fil", "audio": "son", "video": "vidéo",
	"vendorSpecific": "propre au fabricant", "composite": "plusieurs fonctions", "wifi": "Wi-Fi",
	"panic": "panique du noyau", "domain": "domaine", "firewall": "pare-feu", "remote": "distant",
	"ink": "encre", "drum": "tambour", "wasteToner": "bac de toner usagé", "wasteInk": "bac d’encre usagée", "black": "noir", "yellow": "jaune",
	"exitCode": "code de sortie", "startLimitHit": "trop de redémarrages", "coreDump": "vidage mémoire",
	"enumeration": "non reconnu", "overcurrent": "surintensité", "power": "courant insuffisant", "bandwidth": "débit insuffisant", "driver": "pilote",
	"resume": "réveil manqué", "half": "semi-duplex",
	"static": "fixe", "ra": "annonce du routeur", "kernel": "noyau", "linkLocal": "locale au lien", "accept": "acceptés", "drop": "jetés", "reject": "refusés", "free": "libre",
	"taken": "pris par un autre", "nxdomain": "nom inexistant", "servfail": "panne du serveur", "bridge": "pont", "tunnel": "tunnel", "bond": "agrégat", "loopback": "boucle",
	"missingLibrary": "bibliothèque absente", "configCorrupt": "configuration abîmée", "instanceLock": "se croit déjà lancé", "portInUse": "port déjà pris",
	"incompatible": "fait pour une autre machine", "permission": "droits insuffisants", "noexec": "exécution interdite à cet endroit", "antivirus": "antivirus",
	"authenticated": "authentifié", "authenticating": "en cours", "held": "en attente", "portal": "portail", "limited": "limité", "absent": "absent", "online": "en ligne", "offline": "hors ligne",
	"local": "local", "notYetValid": "pas encore valable", "revoked": "révoqué", "handshakeFailed": "échec de la négociation", "authRequired": "mot de passe demandé",
}

// english are words that read better than the schema's.
var english = map[string]string{"unsupported": "not there", "denied": "no permission", "massStorage": "storage", "ok": "ok", "nxdomain": "no such name",
	"servfail": "server failure", "ra": "router's announcement", "accept": "accepted", "drop": "dropped", "reject": "rejected", "missingLibrary": "library missing", "configCorrupt": "configuration damaged",
	"instanceLock": "believes that it runs already", "portInUse": "port taken", "incompatible": "made for another machine", "permission": "rights missing", "noexec": "nothing may be executed there"}

// word shows a word of the schema as people read it: "notCharging" as "not
// charging". Names and numbers stay.
func (s *sheet) word(word string) string {
	if shown := s.say(english[word], french[word]); shown != "" {
		return shown
	}
	var b strings.Builder
	for i, c := range word {
		if i > 0 && unicode.IsUpper(c) && unicode.IsLower(rune(word[i-1])) {
			b.WriteByte(' ')
			c = unicode.ToLower(c)
		}
		b.WriteRune(c)
	}
	return b.String()
}

// instead is word, but for one that reads better otherwise here.
func (s *sheet) instead(word, one, en, fr string) string {
	if word == one {
		return s.say(en, fr)
	}
	return s.word(word)
}

// is tells a flag that is known; "" for one that is not.
func (s *sheet) is(flag *bool, yesEN, yesFR, noEN, noFR string) string {
	switch {
	case flag == nil:
		return ""
	case *flag:
		return s.say(yesEN, yesFR)
	}
	return s.say(noEN, noFR)
}

// named puts a name before what is known: "Secure Boot on"; "" when it is not.
func named(name, value string) string {
	if value == "" {
		return ""
	}
	return name + " " + value
}

// and puts words behind what is known.
func and(value, words string) string {
	if value == "" {
		return ""
	}
	return value + " " + words
}

// unless leaves a text out.
func unless(out bool, text string) string {
	if out {
		return ""
	}
	return text
}

// known is a message, or an empty one where there is none: all of its facts are
// unknown.
func known[T any](m *T) *T {
	if m == nil {
		return new(T)
	}
	return m
}

// number writes a number as the language does.
func (s *sheet) number(x float64, decimals int) string {
	text := strconv.FormatFloat(x, 'f', decimals, 64)
	if s.fr {
		text = strings.Replace(text, ".", ",", 1)
	}
	return text
}

// unit writes a number that is known, with a unit that stays on its line.
func unit[N int32 | int64](n *N, unit string) string {
	if n == nil {
		return ""
	}
	return fmt.Sprintf("%d\u00a0%s", *n, unit)
}

// plain writes a number that is known and has no unit.
func plain(n *int32) string {
	if n == nil {
		return ""
	}
	return strconv.Itoa(int(*n))
}

func percent(n *int32) string { return unit(n, "%") }

// measure is unit for measures; whole ones are written so.
func (s *sheet) measure(x *float64, decimals int, unit string) string {
	if x == nil {
		return ""
	}
	if *x == float64(int64(*x)) {
		decimals = 0
	}
	return strings.TrimSuffix(s.number(*x, decimals)+"\u00a0"+unit, "\u00a0")
}

// positive tells of a count only where it is not 0.
func (s *sheet) positive(n *int64, en, fr string) string {
	if n == nil || *n == 0 {
		return ""
	}
	return unit(n, s.say(en, fr))
}

// over shows a text only where a measure is above a level.
func over(x *float64, level float64, text string) string {
	return unless(x == nil || *x < level, text)
}

// size writes bytes as makers and file managers count them, by the thousand.
func (s *sheet) size(n *int64) string {
	return s.bytes(n, 1000, []string{"B", "kB", "MB", "GB", "TB", "PB"}, []string{"o", "ko", "Mo", "Go", "To", "Po"})
}

// memory writes bytes as modules are made, by 1024.
func (s *sheet) memory(n *int64) string {
	return s.bytes(n, 1024, []string{"B", "KiB", "MiB", "GiB", "TiB", "PiB"}, []string{"o", "Kio", "Mio", "Gio", "Tio", "Pio"})
}

func (s *sheet) bytes(n *int64, step float64, en, fr []string) string {
	if n == nil {
		return ""
	}
	value, i := float64(*n), 0
	for value >= step && i < len(en)-1 {
		value /= step
		i++
	}
	decimals := 0
	if i > 0 && value < 100 && value != float64(int64(value)) {
		decimals = 1
	}
	return s.number(value, decimals) + "\u00a0" + s.say(en[i], fr[i])
}

// when writes a time of this place, to the minute; day only its date.
func when(t *timestamppb.Timestamp) string {
	if t == nil {
		return ""
	}
	return t.AsTime().Local().Format("2006-01-02\u00a015:04")
}

func day(t *timestamppb.Timestamp) string {
	if t == nil {
		return ""
	}
	return t.AsTime().Local().Format(time.DateOnly)
}

// span writes a time that passed, in its largest unit.
func (s *sheet) span(d time.Duration) string {
	switch {
	case d >= 48*time.Hour:
		return fmt.Sprintf("%d\u00a0%s", int(d.Hours()/24), s.say("days", "jours"))
	case d >= 2*time.Hour:
		return fmt.Sprintf("%d\u00a0h", int(d.Hours()))
	case d >= 2*time.Minute:
		return fmt.Sprintf("%d\u00a0min", int(d.Minutes()))
	}
	return fmt.Sprintf("%d\u00a0s", int(d.Seconds()))
}

// count writes how many, with the word for one and for more.
func (s *sheet) count(n int, one, more, un, plus string) string {
	if n == 1 || n == 0 && s.fr {
		return fmt.Sprintf("%d\u00a0%s", n, s.say(one, un))
	}
	return fmt.Sprintf("%d\u00a0%s", n, s.say(more, plus))
}

// model is a brand and a model, whose name often has the brand in it.
func model(brand, name string) string {
	if strings.HasPrefix(strings.ToLower(name), strings.ToLower(brand)) {
		return name
	}
	return strings.TrimSpace(brand + " " + name)
}

func capital(word string) string {
	_, first := utf8.DecodeRuneInString(word)
	return strings.ToUpper(word[:first]) + word[first:]
}
