package diagnosis

import "constat/internal/fault"

// groupNames are the fact groups in words.
var groupNames = map[string]fault.Text{
	"attachment":  {EN: "the switch port", FR: "la prise du commutateur"},
	"changes":     {EN: "what changed", FR: "ce qui a changé"},
	"clock":       {EN: "the clock", FR: "l’horloge"},
	"counters":    {EN: "the network’s counters", FR: "les compteurs du réseau"},
	"crashes":     {EN: "crashes", FR: "les plantages"},
	"fleet":       {EN: "the other computers", FR: "les autres ordinateurs"},
	"gear":        {EN: "the network device", FR: "l’équipement réseau"},
	"hardware":    {EN: "the hardware", FR: "le matériel"},
	"host":        {EN: "the system", FR: "le système"},
	"load":        {EN: "the load", FR: "la charge"},
	"network":     {EN: "the network settings", FR: "la configuration du réseau"},
	"peripherals": {EN: "the devices", FR: "les périphériques"},
	"polled":      {EN: "the printers as polled", FR: "les imprimantes interrogées"},
	"power":       {EN: "battery and charger", FR: "la batterie et le chargeur"},
	"printing":    {EN: "printing", FR: "l’impression"},
	"probes":      {EN: "the tests of the network", FR: "les tests du réseau"},
	"readings":    {EN: "the hardware’s readings", FR: "les mesures du matériel"},
	"security":    {EN: "the protection", FR: "la protection"},
	"services":    {EN: "the services", FR: "les services"},
	"sign_in":     {EN: "the accounts", FR: "les comptes"},
	"software":    {EN: "the programs", FR: "les logiciels"},
	"space":       {EN: "the room on the disks", FR: "la place sur les disques"},
	"storage":     {EN: "the disks", FR: "les disques"},
	"updates":     {EN: "the updates", FR: "les mises à jour"},
	"usb":         {EN: "what is plugged in", FR: "ce qui est branché"},
	"vitals":      {EN: "the last two days", FR: "les deux derniers jours"},
	"wifi":        {EN: "the Wi-Fi", FR: "le Wi-Fi"},
}

// GroupName is a fact group in words of lang; a group that has none is told by
// its own name.
func GroupName(group, lang string) string {
	if name, ok := groupNames[group]; ok {
		return name.In(lang)
	}
	return group
}
