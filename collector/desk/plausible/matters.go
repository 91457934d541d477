package plausible

import "time"

// matter is what a ticket can be about: a fault of the catalog, or something that no
// diagnosis finds.
type matter struct {
	// fault is empty of what no diagnosis finds.
	fault, category string
	// weight is how often it comes, against the others.
	weight float64
	// season is how much more often it comes at a time; nil: always the same.
	season func(at time.Time, ago time.Duration) float64
	// of is what kind of thing it is about.
	of subjectKind
	// hours that it takes about.
	hours float64
	// helped is what helped, in English and French.
	helped [2]string
}

// subjectKind is a kind of thing.
type subjectKind int

const (
	ofMachine subjectKind = iota
	ofQueue
	ofDevice
	ofLink
	ofDisk
	ofPort
	ofProgram
)

// months gives how often something comes by the month, January first.
func months(of ...float64) func(time.Time, time.Duration) float64 {
	return func(at time.Time, _ time.Duration) float64 { return of[at.Month()-1] }
}

var (
	summer  = months(.7, .7, .8, 1, 1.2, 2, 2.8, 2.5, 1.2, .8, .7, .7)
	returns = months(2, 1.1, 1, 1, 1, .9, .8, 1.2, 2.2, 1.1, 1, .8)
	winter  = months(1.5, 1.4, 1.1, .9, .8, .7, .7, .7, 1, 1.2, 1.4, 1.5)
)

// rises: for two years hardly ever, in the last six weeks often.
func rises(_ time.Time, ago time.Duration) float64 {
	if ago < 6*7*24*time.Hour {
		return 8
	}
	return .6
}

const (
	// failing is the model of printer that begins to fail failingFor ago, and how
	// many times as often as the others it does.
	failing      = "LaserJet M404"
	failingFor   = 240 * 24 * time.Hour
	failingTimes = 9
)

var matters = []matter{
	{"printer-unreachable-off", "printing", 6, nil, ofQueue, 2, [2]string{"Switched the printer on again; its plug had been pulled.", "Imprimante rallumée : la prise avait été débranchée."}},
	{"printer-queue-paused", "printing", 6, nil, ofQueue, 1, [2]string{"Resumed the queue.", "File d’attente relancée."}},
	{"printer-stuck-job", "printing", 5, nil, ofQueue, 1, [2]string{"Cancelled the job at the head of the queue.", "Document bloqué annulé, la file est repartie."}},
	{"printer-paper-jam", "printing", 5, winter, ofQueue, 2, [2]string{"Removed the paper from tray 2 and cleaned the rollers.", "Papier retiré du bac 2, galets nettoyés."}},
	{"printer-supply-empty", "printing", 4, nil, ofQueue, 6, [2]string{"Put in a new toner.", "Toner remplacé."}},
	{"printer-service-needed", "printing", 1.2, nil, ofQueue, 40, [2]string{"Fuser replaced by the maker.", "Four remplacé par le constructeur."}},
	{"printer-ip-changed", "printing", 2, nil, ofQueue, 4, [2]string{"Gave the printer its reserved address again.", "Adresse réservée rendue à l’imprimante."}},
	{"printer-wrong-default", "printing", 2, returns, ofQueue, 1, [2]string{"Chose the right default printer.", "Bonne imprimante remise par défaut."}},
	{"net-dns-unreachable", "internet", 3, nil, ofMachine, 2, [2]string{"Restarted the name server.", "Serveur de noms redémarré."}},
	{"net-link-no-carrier", "internet", 4, nil, ofLink, 3, [2]string{"Replaced the patch cable.", "Cordon remplacé."}},
	{"net-ip-conflict", "internet", 2, nil, ofLink, 4, [2]string{"Removed the address somebody had typed in by hand.", "Adresse saisie à la main retirée."}},
	{"net-vpn-auth-failed", "internet", 5, returns, ofMachine, 2, [2]string{"Renewed the certificate of the tunnel.", "Certificat du tunnel renouvelé."}},
	{"net-proxy-unreachable", "internet", 2, nil, ofMachine, 2, [2]string{"Corrected the proxy’s address.", "Adresse du proxy corrigée."}},
	{"wifi-weak-signal", "wifi", 6, returns, ofLink, 20, [2]string{"Moved the access point out of the cupboard.", "Borne sortie du placard."}},
	{"wifi-wrong-password", "wifi", 5, returns, ofLink, 1, [2]string{"Typed the new key.", "Nouvelle clé saisie."}},
	{"wifi-8021x-rejected", "wifi", 3, nil, ofLink, 5, [2]string{"Renewed the machine’s certificate.", "Certificat de la machine renouvelé."}},
	{"cisco-errdisable-bpduguard", "internet", 1, rises, ofPort, 6, [2]string{"Took away the small switch under the desk and enabled the port.", "Petit commutateur retiré sous le bureau, port réactivé."}},
	{"cisco-errdisable-portsecurity", "internet", 1, rises, ofPort, 5, [2]string{"Cleared the learnt address and enabled the port.", "Adresse apprise effacée, port réactivé."}},
	{"cisco-port-crc-errors", "internet", .6, rises, ofPort, 12, [2]string{"Replaced the cable to the socket.", "Câble de la prise remplacé."}},
	{"os-disk-full", "slow", 6, nil, ofDisk, 3, [2]string{"Emptied the bin and the update cache.", "Corbeille et cache des mises à jour vidés."}},
	{"os-memory-pressure", "slow", 4, nil, ofProgram, 10, [2]string{"Fitted another 8 GB.", "8 Go de mémoire ajoutés."}},
	{"os-pending-reboot", "slow", 4, nil, ofMachine, 1, [2]string{"Restarted after the updates.", "Redémarrage après les mises à jour."}},
	{"os-account-locked", "sign-in", 7, returns, ofMachine, .5, [2]string{"Unlocked the account.", "Compte déverrouillé."}},
	{"os-password-expired", "sign-in", 8, returns, ofMachine, .5, [2]string{"New password set.", "Nouveau mot de passe défini."}},
	{"sw-crash-module", "software", 5, nil, ofProgram, 8, [2]string{"Updated the add-in that crashed.", "Module fautif mis à jour."}},
	{"sw-licence-expired", "software", 3, months(3, 1.5, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1.5), ofProgram, 12, [2]string{"Assigned another licence.", "Autre licence attribuée."}},
	{"sw-config-corrupt", "software", 3, nil, ofProgram, 4, [2]string{"Made the profile anew.", "Profil recréé."}},
	{"usb-driver-missing", "peripheral", 3, nil, ofDevice, 3, [2]string{"Installed the maker’s driver.", "Pilote du constructeur installé."}},
	{"usb-device-absent", "peripheral", 5, nil, ofDevice, 2, [2]string{"Another USB socket; the old one is worn.", "Autre prise USB, l’ancienne est usée."}},
	{"peripheral-battery-low", "peripheral", 4, nil, ofDevice, .5, [2]string{"New batteries.", "Piles changées."}},
	{"hw-battery-worn", "power", 4, winter, ofMachine, 60, [2]string{"Battery replaced.", "Batterie remplacée."}},
	{"hw-cpu-thermal-throttle", "slow", 3, summer, ofMachine, 8, [2]string{"Cleaned the fan.", "Ventilateur nettoyé."}},
	{"hw-disk-smart-failing", "slow", 1.5, nil, ofDisk, 30, [2]string{"Disk replaced, data restored.", "Disque remplacé, données restaurées."}},

	{"", "other", 16, nil, ofMachine, 5, [2]string{"Explained by phone.", "Expliqué par téléphone."}},
	{"", "software", 14, returns, ofMachine, 6, [2]string{"Installed it again.", "Réinstallé."}},
	{"", "slow", 8, nil, ofMachine, 8, [2]string{"Nothing found; it went well after a restart.", "Rien trouvé ; tout va bien après un redémarrage."}},
	{"", "sign-in", 6, returns, ofMachine, 1, [2]string{"Rights given.", "Droits accordés."}},
	{"", "peripheral", 5, nil, ofMachine, 4, [2]string{"Lent another one.", "Un autre a été prêté."}},
}

// request is something that is wanted, where nothing is broken.
var requests = []matter{
	{"", "other", 5, returns, ofMachine, 30, [2]string{"Delivered and set up.", "Livré et installé."}},
	{"", "software", 4, returns, ofMachine, 16, [2]string{"Installed.", "Installé."}},
	{"", "sign-in", 3, returns, ofMachine, 8, [2]string{"Access given.", "Accès ouvert."}},
}

// said is what people write, by category, in English and French.
var said = map[string][2][]string{
	"printing": {
		{"Nothing comes out of the printer any more", "My document does not print, I tried three times", "The printer on our floor says it is offline", "I sent 40 pages an hour ago and still wait for them", "Pages come out with grey stripes"},
		{"Plus rien ne sort de l’imprimante", "Mon document ne s’imprime pas, j’ai essayé trois fois", "L’imprimante de l’étage est hors ligne", "J’ai lancé 40 pages il y a une heure, toujours rien", "Les pages sortent avec des traits gris"},
	},
	"internet": {
		{"No Internet since this morning", "The network comes and goes, calls break off", "I cannot reach the intranet from my desk", "The VPN refuses me since I am back", "Web pages do not load, mail neither"},
		{"Plus d’Internet depuis ce matin", "Le réseau va et vient, les appels coupent", "Impossible d’accéder à l’intranet depuis mon bureau", "Le VPN me refuse depuis mon retour", "Les pages ne se chargent plus, la messagerie non plus"},
	},
	"wifi": {
		{"Wi-Fi drops in the meeting room", "My laptop no longer joins the wireless network", "Very slow Wi-Fi near the window"},
		{"Le Wi-Fi décroche en salle de réunion", "Mon portable ne rejoint plus le réseau sans fil", "Wi-Fi très lent près de la fenêtre"},
	},
	"slow": {
		{"Everything takes minutes since the update", "The computer is very slow, it blows hot air", "Opening a folder takes for ever"},
		{"Tout prend des minutes depuis la mise à jour", "L’ordinateur est très lent et souffle de l’air chaud", "L’ouverture d’un dossier n’en finit pas"},
	},
	"sign-in": {
		{"I cannot sign in after the holidays", "It says that my account is locked", "My password does not work any more", "I have no access to the shared folder of accounting"},
		{"Impossible de me connecter après les congés", "On me dit que mon compte est verrouillé", "Mon mot de passe ne fonctionne plus", "Je n’ai pas accès au dossier partagé de la comptabilité"},
	},
	"software": {
		{"Excel closes by itself when I save", "The accounting program asks for a licence", "Outlook does not start, it shows an error", "The viewer for drawings is gone since Monday"},
		{"Excel se ferme tout seul quand j’enregistre", "Le logiciel de comptabilité réclame une licence", "Outlook ne démarre pas, une erreur s’affiche", "La visionneuse de plans a disparu depuis lundi"},
	},
	"peripheral": {
		{"The mouse stops now and then", "My headset is not found any more", "The second screen stays black on the dock", "The webcam does not work in calls"},
		{"La souris s’arrête par moments", "Mon casque n’est plus reconnu", "Le second écran reste noir sur la station d’accueil", "La webcam ne marche pas en visioconférence"},
	},
	"power": {
		{"The battery lasts half an hour", "The laptop goes off without a word"},
		{"La batterie tient une demi-heure", "Le portable s’éteint sans prévenir"},
	},
	"other": {
		{"Could somebody come by and look at room 214?", "A question about the phone system", "The projector remote is lost", "How do I share my calendar?"},
		{"Quelqu’un peut-il passer voir la salle 214 ?", "Une question sur la téléphonie", "La télécommande du vidéoprojecteur est perdue", "Comment partager mon agenda ?"},
	},
}

// wanted is what people ask for, by category.
var wanted = map[string][2][]string{
	"other":    {{"A second screen for our new colleague, please", "A laptop for a trainee from the 1st on"}, {"Un second écran pour notre nouvelle collègue, s’il vous plaît", "Un portable pour un stagiaire à partir du 1er"}},
	"software": {{"Please install the drawing program", "We need the PDF editor on three machines"}, {"Merci d’installer le logiciel de dessin", "Il nous faut l’éditeur PDF sur trois postes"}},
	"sign-in":  {{"Access to the project share, please", "A mailbox for the new team"}, {"Accès au partage du projet, merci", "Une boîte aux lettres pour la nouvelle équipe"}},
}

// details follow what people write.
var details = [2][]string{
	{"It began after lunch.", "My colleague beside me has no trouble.", "I have already restarted twice.", "It is urgent, the month’s accounts close tonight.", "I am in room %d.", "You can reach me on extension %d.", "Yesterday it still worked.", "Thank you for your help!"},
	{"Cela a commencé après le déjeuner.", "Ma collègue d’à côté n’a pas de souci.", "J’ai déjà redémarré deux fois.", "C’est urgent, la clôture du mois est ce soir.", "Je suis en salle %d.", "On peut me joindre au poste %d.", "Hier encore cela marchait.", "Merci de votre aide !"},
}

// answers are what technicians write first, and asked what requesters answer.
var (
	answers = [2][]string{
		{"Hello, I am looking at it. Is the machine on at the moment?", "Thank you for the details. I come by within the hour.", "I see the cause in the diagnosis and take care of it.", "Could you send me the exact text of the error?"},
		{"Bonjour, je regarde. Le poste est-il allumé en ce moment ?", "Merci pour ces précisions, je passe dans l’heure.", "Je vois la cause dans le diagnostic, je m’en occupe.", "Pouvez-vous m’envoyer le texte exact de l’erreur ?"},
	}
	asked = [2][]string{
		{"Yes, it is on and I am at my desk.", "It works again, thank you very much!", "Still the same, sorry.", "The message says: the operation could not be completed (0x%08X)."},
		{"Oui, il est allumé et je suis à mon bureau.", "Ça remarche, merci beaucoup !", "Toujours pareil, désolée.", "Le message dit : l’opération n’a pas pu être effectuée (0x%08X)."},
	}
	notes = []string{"Same as last month on this floor.", "Vu avec le site, intervention demain matin.", "Warranty until next spring, serial checked.", "À surveiller, deuxième fois cette semaine."}
)

var tags = []string{"vip", "warranty", "onsite", "home-office", "escalated", "training", "déménagement", "monthly-close"}

var programs = []string{"EXCEL.EXE", "OUTLOOK.EXE", "acad.exe", "firefox", "sage100.exe", "Teams.exe"}

var givenNames = []string{"Léa", "Marc", "Chloé", "Hugo", "Inès", "Louis", "Zoé", "Jules", "Anaïs", "Théo", "Camille", "Noémie", "Raphaël", "Élise", "Baptiste", "Fatou", "Karim", "Aoife", "Liam", "Sarah", "Tom", "Emma", "Nadia", "Piotr", "Ines", "Björn", "Yuki", "Amélie", "Gaël", "Maëlle", "Olivier", "Sophie", "Clément", "Julie", "Thomas", "Manon", "Pierre", "Laure", "Samir", "Claire"}

var familyNames = []string{"Martin", "Bernard", "Dubois", "Thomas", "Robert", "Richard", "Petit", "Durand", "Leroy", "Moreau", "Simon", "Laurent", "Lefèvre", "Michel", "Garcia", "David", "Bertrand", "Roux", "Vincent", "Fournier", "Morel", "Girard", "André", "Mercier", "Dupont", "Lambert", "Bonnet", "François", "Martinez", "Legrand", "Garnier", "Faure", "Rousseau", "Blanc", "Guérin", "Müller", "Henry", "Roussel", "Nicolas", "Perrin", "Murphy", "O’Brien", "Kelly", "Smith", "Jones", "Taylor", "Brown", "Nguyen", "Diallo", "Benali"}
