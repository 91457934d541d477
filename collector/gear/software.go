package gear

import (
	"cmp"
	"regexp"
	"strings"

	constatv1 "constat/proto/constat/v1"
)

// vendors by IANA private enterprise number.
var vendors = map[string]string{
	"9": "Cisco", "11": "HP", "43": "3Com", "171": "D-Link", "207": "Allied Telesis", "236": "Samsung", "253": "Xerox", "258": "Panasonic",
	"297": "Fujifilm", "367": "Ricoh", "641": "Lexmark", "674": "Dell", "683": "Zebra", "890": "Zyxel", "1129": "Toshiba", "1248": "Epson",
	"1347": "Kyocera", "1429": "Cisco", "1588": "Brocade", "1602": "Canon", "1916": "Extreme", "1991": "Brocade", "2001": "Oki", "2011": "Huawei",
	"2385": "Sharp", "2435": "Brother", "2636": "Juniper", "3955": "Linksys", "4526": "Netgear", "4874": "Juniper", "6027": "Dell",
	"6486": "Alcatel-Lucent", "6889": "Avaya", "8072": "Net-SNMP", "8744": "HP", "10002": "Ubiquiti", "10642": "Zebra", "11863": "TP-Link",
	"12356": "Fortinet", "14179": "Cisco", "14525": "Juniper", "14823": "Aruba", "14988": "MikroTik", "16972": "TP-Link", "18334": "Konica Minolta",
	"25506": "H3C", "29671": "Cisco Meraki", "30065": "Arista", "41112": "Ubiquiti", "41916": "Cisco", "43191": "Arista", "47196": "Aruba",
}

const enterprises = "1.3.6.1.4.1."

// vendorOf names the maker by sysObjectID.
func vendorOf(objectID string) string {
	rest, ok := strings.CutPrefix(objectID, enterprises)
	if !ok {
		return ""
	}
	enterprise, _, _ := strings.Cut(rest, ".")
	return cmp.Or(vendors[enterprise], "enterprise "+enterprise)
}

// software is how sysDescr looks of what one operating system runs on.
type software struct {
	os string
	// pattern has the groups version and model, as far as the text tells them.
	pattern *regexp.Regexp
	// vendor is the maker where sysObjectID names that of the chip or the agent.
	vendor string
	// small: models are written in small letters there, and in large ones elsewhere.
	small bool
}

const smallBusiness = "Small Business"

// softwares recognise what a device says of itself, the more special first.
var softwares = []software{
	{os: "FTD", pattern: regexp.MustCompile(`(?i)Firepower Threat Defense.*?Version (?P<version>[^\s,]+)`)},
	{os: "ASA", pattern: regexp.MustCompile(`Adaptive Security Appliance Version (?P<version>[^\s,]+)`)},
	{os: "NX-OS", pattern: regexp.MustCompile(`NX-OS.*?Version (?P<version>[^\s,]+)`)},
	{os: "IOS-XR", pattern: regexp.MustCompile(`IOS[ -]XR Software.*?Version (?P<version>[^\s,\[]+)`)},
	{os: "IOS-XE", pattern: regexp.MustCompile(`(?:IOS[- ]?XE|\bCAT3K_CAA|\bCAT9K|LINUX_IOSD|ASR1000).*?Version (?P<version>[^\s,]+)`)},
	{os: "IOS", pattern: regexp.MustCompile(`(?:Cisco IOS|Internetwork Operating System|IOS \(tm\)).*?Version (?P<version>[^\s,]+)`)},
	{os: "AireOS", pattern: regexp.MustCompile(`^Cisco Controller`)},
	{os: "CatOS", pattern: regexp.MustCompile(`(?P<model>WS-\S+) Cisco Catalyst Operating System Software, Version (?P<version>[^\s,]+)`)},
	{os: smallBusiness, pattern: regexp.MustCompile(`^Catalyst 1[23]00X? Series .*\((?P<model>C1[23]00X?-[\w-]+)\)$`)},
	{pattern: regexp.MustCompile(`^Linux\b.*?, Cisco.*?\((?P<model>[A-Z][\w-]+)\), Version (?P<version>[\d.]+)`)},
	{pattern: regexp.MustCompile(`^Linux, Cisco (?P<model>RV\w+), Version (?P<version>[\d.]+)`)},
	{pattern: regexp.MustCompile(`^IE1000 Industrial Ethernet Switch, Version: (?P<version>[\d.]+)`)},
	{pattern: regexp.MustCompile(`Meraki (?P<model>[A-Z]+\d\w*) Cloud Managed`)},
	{pattern: regexp.MustCompile(`^Cisco Wireless (?P<model>CW\w+) Cloud Managed`)},

	{os: "JUNOS", small: true, pattern: regexp.MustCompile(`^Juniper Networks, Inc\. (?P<model>\S+) .*kernel JUNOS (?P<version>[^\s,]+)`)},
	{os: "EOS", pattern: regexp.MustCompile(`Arista Networks EOS version (?P<version>\S+) running on an? Arista Networks (?P<model>\S+)`)},
	{os: "ArubaOS-CX", pattern: regexp.MustCompile(`^(?:Aruba|HPE ANW|HPE) (?P<model>[A-Z]{1,2}\d{3}[A-Z]) .*\b(?P<version>[A-Z]{2}\.\d{2}\.\d{2}\.\d{4}\w*)$`)},
	{os: "ArubaOS", pattern: regexp.MustCompile(`^(?:ArubaOS|AOS-W|AOS-\d+) (?:\(MODEL: (?P<model>[^)]+)\), )?Version (?P<version>\S+)`)},
	{pattern: regexp.MustCompile(`Instant On\b.*\b(?P<model>J[A-Z]?\d{3,4}[A-Z]), InstantOn_\d+_(?P<version>[\d.]+)`)},
	{os: "ProCurve", pattern: regexp.MustCompile(`(?i)^(?:HPE?|Aruba|ProCurve)\b.*?\b(?P<model>J[A-Z]?\d{3,4}[A-Z])\b.*?(?:revision |, | - )(?P<version>[A-Z]{1,2}\.\d[\w.]*)`)},
	{os: "ProCurve", pattern: regexp.MustCompile(`^HP(?: (?P<model>V?\d{4}-\w+))?.*?, (?:revision )?(?P<version>[A-Z]{1,2}\.\d[\w.]*)`)},
	{os: "Comware", pattern: regexp.MustCompile(`Comware.*? Version (?P<version>[\d.]+,? Release \w+)(?: (?:HPE?|H3C) (?P<model>[^,]+?)(?: Switch\b|$))?`)},
	{os: "Comware", pattern: regexp.MustCompile(`^(?:HPE?|H3C) (?P<model>\S+) Switch Software Version (?P<version>[\d.]+ Release \w+)`)},
	{os: "VRP", pattern: regexp.MustCompile(`^\W*(?:Huawei )?(?P<model>[A-Z][\w-]*\d[\w-]*) Huawei Versatile.*?Version [^(]*\([^)]*?(?P<version>V\d{3}R\d{3}C\w+)`)},
	{os: "VRP", pattern: regexp.MustCompile(`Versatile Routing Platform.*?Version [^(]*\([^)]*?(?P<version>V\d{3}R\d{3}C\w+).*?(?:HUAWEI ?(?P<model>[A-Z][\w -]*\w))?\W*$`)},
	{os: "RouterOS", pattern: regexp.MustCompile(`^RouterOS (?P<model>\S.*)`)},
	{os: "FortiSwitchOS", pattern: regexp.MustCompile(`^FortiSwitch\S* v(?P<version>[\d.]+)`)},
	{os: "FortiOS", pattern: regexp.MustCompile(`^Forti\S+ v(?P<version>[\d.]+)`)},
	{os: "EXOS", pattern: regexp.MustCompile(`^ExtremeXOS \((?P<model>\S+)\) version (?P<version>\S+)`)},
	{os: "ExtremeWare", pattern: regexp.MustCompile(`^(?P<model>\S+) - Version (?P<version>[\d.]+) \(Build \d+\) by Release_Master`)},
	{os: "IronWare", pattern: regexp.MustCompile(`(?P<model>ICX[^\s,]+|(?:NetIron|FastIron|BigIron|TurboIron) [^\s,]+).*IronWare Version V?(?P<version>\S+)`)},
	{os: "NOS", pattern: regexp.MustCompile(`(?P<model>BR-[^\s,]+), Network Operating System Software Version (?P<version>[\w.]*\w)`)},
	{os: "OS9", pattern: regexp.MustCompile(`^Dell .*Application Software Version: (?P<version>\S+) Series: (?P<model>\S+)`)},
	{os: "OS10", pattern: regexp.MustCompile(`\bOS10 Enterprise\b(?:.*OS Version: (?P<version>[\d.]*\d))?(?:.*System Type: (?P<model>[\w-]+))?`)},
	{os: "OS6", pattern: regexp.MustCompile(`(?i)^(?P<model>(?:PowerConnect|Dell (?:EMC )?Networking) \S+), (?P<version>\d[\d.]+), (?:VxWorks|Linux)`)},
	{os: "SONiC", pattern: regexp.MustCompile(`SONiC Software Version: SONiC\.(?P<version>\S+) - HwSku: (?P<model>\S+)`)},
	{os: "EdgeOS", pattern: regexp.MustCompile(`^EdgeOS(?: v(?P<version>\S+))?`)},
	{vendor: "Ubiquiti", pattern: regexp.MustCompile(`^(?:UBNT )?(?P<model>(?:EdgeSwitch|EdgePoint|USW?-|US\d|UISP)[^,]*), (?:firmware )?(?P<version>\d[\d.]+)`)},
	{vendor: "Ubiquiti", pattern: regexp.MustCompile(`^(?:Ubiquiti UniFi )?(?P<model>(?:UAP|USW|UCG|UDM|USP|UK|U-LTE|U6|U7|E7)[\w-]*) (?P<version>\d[\d.]+)`)},
	{pattern: regexp.MustCompile(`^(?P<model>[A-Z]+\d[\w-]*) ProSafe .*?, (?P<version>\d[\d.]+)`)},
	{os: "AlliedWare Plus", pattern: regexp.MustCompile(`(?:AlliedWare Plus\)? (?:\(TM\) )?(?:Version )?|, AW\+ v)(?P<version>\d[\d.-]+)`)},
	{pattern: regexp.MustCompile(`^(?P<model>(?:CentreCOM |AT-)\S+?),? version (?P<version>\d[\d.-]+)`)},
	{pattern: regexp.MustCompile(`^(?:D-?Link )?(?P<model>(?:WS6-)?D[AEGX][PS]-\d[\w/-]*)(?: (?P<version>\d[\d.]+))?`)},
}

// printers are those whose own MIB did not tell model or version, or that have none:
// what they print on their status page stands in sysDescr.
var printers = []software{
	{pattern: regexp.MustCompile(`\bAttached to (?P<model>\S+) Rev\.(?P<version>[\d.]*\d)`)}, // OkiLAN
	{pattern: regexp.MustCompile(`^HP ETHERNET MULTI-ENVIRONMENT.*,PID:(?P<model>[^,]+)`)},
	{pattern: regexp.MustCompile(`^(?P<model>(?:RICOH|Gestetner|LANIER|NRG|SAVIN|infotec) .+?) (?P<version>\d+\.[\d.]+) / `)},
	{pattern: regexp.MustCompile(`^(?P<model>(?:Lexmark|Dell|TOSHIBA) \S+).*? version (?P<version>\S+) kernel`)},
	{pattern: regexp.MustCompile(`^(?P<model>(?:Xerox|FUJI XEROX|Dell MFP) [^;]+);`)},
	{pattern: regexp.MustCompile(`^(?P<model>Samsung [^;]+?)(?: OS (?P<version>\d\S+) [^;]*)?;`)},
	{pattern: regexp.MustCompile(`^(?P<model>Canon .*\d.*) /P$`)},
	{pattern: regexp.MustCompile(`^(?P<model>(?:KONICA MINOLTA|Konica Minolta|Develop|FUJIFILM|SHARP|TOSHIBA) .*\d.*)$`)},
}

// modelWord is how models look in sysDescr where they stand there at all: IOS
// names its image instead, which is of a whole family.
var modelWord = regexp.MustCompile(`(?:^|[\s,(])((?:CBS|SG|SF|SX|SLM|SRW|ESW|SPA|N\dK|ASA)[A-Z0-9/-]*\d[A-Z0-9/-]*)`)

// described is what a text tells.
type described struct{ os, vendor, model, version string }

func describe(list []software, text string) (d described, found bool) {
	for _, s := range list {
		m := s.pattern.FindStringSubmatch(text)
		if m == nil {
			continue
		}
		d = described{os: s.os, vendor: s.vendor}
		if i := s.pattern.SubexpIndex("model"); i >= 0 {
			d.model = strings.TrimSpace(m[i])
		}
		if i := s.pattern.SubexpIndex("version"); i >= 0 {
			d.version = m[i]
		}
		if s.small {
			d.model = strings.ToUpper(d.model)
		}
		return d, true
	}
	if m := modelWord.FindStringSubmatch(text); m != nil {
		d.model = m[1]
	}
	return d, false
}

// isSmallBusiness tells Cisco's Small Business line, whose MIBs are Radlan's, by
// sysObjectID; newer ones say it in words.
func isSmallBusiness(objectID string) bool { return strings.HasPrefix(objectID, enterprises+"9.6.1.") }

// software fills what sysDescr and the revision of a module tell of the device.
func (p *poll) software(description, revision string) {
	id := p.out.GetIdentity()
	told, found := describe(softwares, description)
	if !found { // some leave sysDescr empty, or to their owner
		if of, by := describe(softwares, revision); by {
			of.model = cmp.Or(of.model, told.model)
			told = of
		}
	}
	if told.os == "" && isSmallBusiness(p.objectID) {
		told.os = smallBusiness
	}
	id.Os, id.Version = present(told.os), present(cmp.Or(told.version, revision))
	id.Vendor = present(cmp.Or(told.vendor, vendorOf(p.objectID)))
	id.Model = cmp.Or(id.Model, present(told.model))
}

// fallBack takes a printer's model and version from sysDescr where nothing else
// told them.
func fallBack(id *constatv1.GearIdentity, description string) {
	if told, found := describe(printers, description); found {
		id.Model, id.Version = cmp.Or(id.Model, present(told.model)), cmp.Or(id.Version, present(told.version))
		id.Vendor = cmp.Or(id.Vendor, present(makerOf(told.model)))
	}
}

// makerOf is the maker whose name a model begins with.
func makerOf(model string) string {
	for _, name := range vendors {
		if len(model) > len(name) && strings.EqualFold(model[:len(name)+1], name+" ") {
			return name
		}
	}
	return ""
}
