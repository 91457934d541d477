package plausible

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"constat/collector/desk"
	"constat/collector/desk/assignment"
	"constat/collector/store"
	"constat/collector/store/query"
	"constat/internal/snapshot"
	deskv1 "constat/proto/constat/desk/v1"
	constatv1 "constat/proto/constat/v1"
)

// site is a place of the organisation.
type site struct {
	name, code string
	// percent of the machines that are there, and of its people who write French.
	percent, french float64
}

var sites = []site{
	{"Lyon", "LYO", 28, 95}, {"Paris", "PAR", 20, 92}, {"Grenoble", "GRE", 12, 96}, {"Lille", "LIL", 9, 94},
	{"Bruxelles", "BRU", 8, 70}, {"Dublin", "DUB", 8, 3}, {"Leeds", "LEE", 7, 1}, {"Nantes", "NAN", 5, 97}, {"Genève", "GVA", 3, 80},
}

// printer is a network printer.
type printer struct {
	id, name, brand, model, serial, address string
	site                                    site
}

// machine is an endpoint with the person whose it is.
type machine struct {
	row     query.Endpoint
	person  query.Person
	lang    string
	site    site
	laptop  bool
	queues  []*printer
	devices []*constatv1.UsbDevice
	// known are those of queues and devices that have a history.
	known []*desk.Peripheral
	// at is the switch that it is at, port the port there.
	at   query.Gear
	port string
}

// affliction is a machine and the matter it comes with again and again.
type affliction struct {
	*machine
	matter *matter
	about  subject
	every  time.Duration
}

// technician is one of the team.
type technician struct {
	assignment.Technician
	id, role string
}

// house makes and writes all that was there before the first ticket.
func (m *maker) house(ctx context.Context, s *store.Store) error {
	m.sites = sites
	var users []query.User
	var skills []query.Skill
	var absences []query.Absence
	m.makeTeam(&users, &skills, &absences)
	places := make([]query.Site, len(sites))
	for i, one := range sites {
		places[i] = query.Site{Name: one.name, NameKey: strings.ToLower(one.name)}
	}
	if err := s.Load(ctx, places, users, skills, absences); err != nil {
		return err
	}
	gear, facts := m.makeGear()
	if err := s.Load(ctx, gear, facts); err != nil {
		return err
	}
	if err := m.makeMachines(ctx, s); err != nil {
		return err
	}
	return m.writeArticles(ctx, s)
}

// specialities are what a technician may know beside the two domains of everybody.
var specialities = []assignment.Skill{
	{Kind: assignment.Brand, Value: "Cisco", Level: 3}, {Kind: assignment.Brand, Value: "HP", Level: 2}, {Kind: assignment.Brand, Value: "Brother", Level: 2},
	{Kind: assignment.Brand, Value: "Logitech", Level: 1}, {Kind: assignment.Brand, Value: "Lenovo", Level: 2}, {Kind: assignment.Brand, Value: "Dell", Level: 2},
	{Kind: assignment.Product, Value: "LaserJet M404", Level: 3}, {Kind: assignment.Domain, Value: "cisco", Level: 2},
}

func (m *maker) makeTeam(users *[]query.User, skills *[]query.Skill, absences *[]query.Absence) {
	domains := []string{"network", "wifi", "printer", "usb", "hardware", "os", "software"}
	names := map[string]bool{}
	for i := range m.size.Technicians {
		given := one(m, givenNames)
		name := strings.ToLower(given)
		for n := 2; names[name]; n++ {
			name = fmt.Sprintf("%s%d", strings.ToLower(given), n)
		}
		names[name] = true
		t := technician{id: m.id(m.begin()), role: "technician"}
		t.Name, t.Takes = name, true
		switch {
		case i == 0 && m.size.Technicians > 1:
			t.role, t.Takes = "administrator", false
		case i%10 == 1 && m.size.Technicians > 2:
			t.role, t.Takes = "lead", false
		}
		for _, domain := range []string{domains[i%len(domains)], domains[(i*3+1)%len(domains)]} {
			if !slices.ContainsFunc(t.Skills, func(s assignment.Skill) bool { return s.Value == domain }) {
				t.Skills = append(t.Skills, assignment.Skill{Kind: assignment.Domain, Value: domain, Level: 1 + m.IntN(3)})
			}
		}
		if m.chance(60) {
			t.Skills = append(t.Skills, specialities[i%len(specialities)])
		}
		t.Skills = append(t.Skills, assignment.Skill{Kind: assignment.Language, Value: "fr", Level: 3})
		if i%3 != 0 {
			t.Skills = append(t.Skills, assignment.Skill{Kind: assignment.Language, Value: "en", Level: 2})
		}
		for year := range 2 {
			from := m.begin().AddDate(year, m.IntN(12), m.IntN(28))
			t.Absences = append(t.Absences, assignment.Absence{From: from, Until: from.AddDate(0, 0, 7*(1+m.IntN(3)))})
		}
		row := query.User{
			ID: t.id, Name: name, NameKey: name, Mail: name + "@desk.example", Role: t.role, CreatedAt: store.Millis(m.begin()), OpenCap: 60,
		}
		if t.Cap = 60; t.Takes {
			row.TakesTickets = 1
		}
		*users = append(*users, row)
		for _, skill := range t.Skills {
			*skills = append(*skills, query.Skill{UserID: t.id, Kind: skill.Kind, Value: skill.Value, ValueKey: strings.ToLower(skill.Value), Level: int32(skill.Level)})
		}
		for _, a := range t.Absences {
			*absences = append(*absences, query.Absence{UserID: t.id, FromAt: store.Millis(a.From), UntilAt: store.Millis(a.Until), Reason: "leave"})
		}
		m.team.technicians = append(m.team.technicians, t)
	}
}

// kinds of printers, the failing one first.
var printerModels = [][2]string{{"HP", "LaserJet M404"}, {"HP", "Color LaserJet M480"}, {"Brother", "HL-L6400DW"}, {"Canon", "iR-ADV C3530"}, {"Kyocera", "ECOSYS P3155dn"}, {"Epson", "WF-C5790"}}

// makeGear makes the switches and the network printers.
func (m *maker) makeGear() (rows []query.Gear, facts []query.GearFact) {
	at := m.now.Add(-time.Minute)
	add := func(row query.Gear, g *constatv1.Gear) {
		row.Enabled, row.AddedAt, row.NameKey = 1, store.Millis(m.begin()), strings.ToLower(row.Name)
		row.State, row.StateSince, row.AnsweredAt, row.DueAt = "ok", store.Millis(m.begin()), store.Millis(at), store.Millis(m.now.AddDate(10, 0, 0)) // nothing answers there
		row.WholeDueAt, row.CountersDueAt, row.Credential = row.DueAt, row.DueAt, "floors"
		rows = append(rows, row)
		g.Identity = &constatv1.GearIdentity{Vendor: proto.String(row.Vendor), Model: proto.String(row.Model), Name: proto.String(row.Name), Serial: proto.String(row.Serial)}
		g.PollResult = proto.String("ok")
		facts = append(facts, query.GearFact{
			GearID: row.ID, TakenAt: store.Millis(at), WholeAt: store.Millis(at), Content: packed(g), Counters: []byte{}, Diagnosis: []byte{}, Plan: []byte{},
		})
	}
	for i := range max(2, m.size.Machines/45) {
		here := weighted(m, m.sites, func(s site) float64 { return s.percent })
		g := &constatv1.Gear{}
		for port := range 48 {
			state := "up"
			if m.chance(20) {
				state = "down"
			}
			g.Interfaces = append(g.Interfaces, &constatv1.GearInterface{
				IfIndex: proto.Int32(int32(10101 + port)), Name: proto.String(fmt.Sprintf("Gi1/0/%d", port+1)), AdminStatus: proto.String("up"), OperStatus: proto.String(state),
				SpeedMbps: proto.Int32(1000), Duplex: proto.String("full"), Vlan: proto.Int32(int32(10 + 10*m.IntN(4))),
			})
		}
		row := query.Gear{
			ID: m.id(m.begin()), Address: fmt.Sprintf("198.51.100.%d:%d", i%250+1, 161+i/250), Site: here.name, Name: fmt.Sprintf("sw-%s-%02d", strings.ToLower(here.code), i),
			Vendor: "Cisco", Model: one(m, []string{"WS-C2960X-48FPS-L", "C9200L-48P-4G", "C9300-48UXM"}), Serial: m.letters("FOC####?#??"), Os: "IOS", Version: "15.2(7)E4",
		}
		m.switches = append(m.switches, row)
		add(row, g)
	}
	for i := range max(2, m.size.Machines/18) {
		here := weighted(m, m.sites, func(s site) float64 { return s.percent })
		model := printerModels[min(m.IntN(len(printerModels)+2), len(printerModels)+1)%len(printerModels)]
		p := &printer{
			id: m.id(m.begin()), name: fmt.Sprintf("IMP-%s-%03d", here.code, i), brand: model[0], model: model[1],
			serial: m.letters("VN?3##?#?#"), address: fmt.Sprintf("203.0.113.%d", i%250+1), site: here,
		}
		m.printers = append(m.printers, p)
		add(query.Gear{
			ID: p.id, Address: fmt.Sprintf("%s:%d", p.address, 161+i/250), Site: here.name, Name: p.name, Vendor: p.brand, Model: p.model, Serial: p.serial,
		}, &constatv1.Gear{Printer: &constatv1.Printer{
			Id: proto.String(p.serial), Brand: proto.String(p.brand), Model: proto.String(p.model), Serial: proto.String(p.serial), State: proto.String("idle"),
			Supplies: []*constatv1.Supply{{Name: proto.String("Black"), Kind: proto.String("toner"), Percent: proto.Int32(int32(5 + m.IntN(95)))}},
		}})
	}
	return rows, facts
}

// kinds of machines.
var machineModels = []struct {
	brand, model, serial, os, version string
	weight                            float64
	laptop                            bool
}{
	{"Dell", "OptiPlex 7090", "???????", "windows", "Windows 11 Pro 24H2", 22, false}, {"Dell", "Latitude 5430", "???????", "windows", "Windows 11 Pro 24H2", 20, true},
	{"HP", "EliteBook 840 G9", "5CG#######", "windows", "Windows 11 Pro 23H2", 18, true}, {"HP", "ProDesk 400 G7", "CZC#######", "windows", "Windows 10 Pro 22H2", 10, false},
	{"Lenovo", "ThinkPad T14 Gen 3", "PF?#####", "windows", "Windows 11 Pro 24H2", 12, true}, {"Apple", "MacBook Pro (14-inch, M3)", "C02????????#", "darwin", "macOS 15.1", 8, true},
	{"Lenovo", "ThinkCentre M70q", "PC?#####", "linux", "Debian GNU/Linux 12", 6, false}, {"Dell", "Precision 3660", "???????", "linux", "Ubuntu 24.04", 4, false},
}

// what people have on USB.
var gadgets = []struct{ id, vendor, product, brand, class, serial string }{
	{"046d:c52b", "Logitech, Inc.", "Unifying Receiver", "Logitech", "hid", ""}, {"046d:0825", "Logitech, Inc.", "Webcam C270", "Logitech", "video", "????????"},
	{"0b0e:2453", "GN Netcom", "Jabra Evolve2 65", "Jabra", "audio", "50C275######"}, {"17e9:6000", "DisplayLink", "Dell Universal Dock D6000", "Dell", "composite", "##########"},
	{"1050:0407", "Yubico", "YubiKey 5", "Yubico", "hid", ""}, {"413c:2113", "Dell", "KB216 Wired Keyboard", "Dell", "hid", ""},
	{"0781:5583", "SanDisk", "Ultra Fit", "SanDisk", "massStorage", "4C53000#########"},
}

func (m *maker) makeMachines(ctx context.Context, s *store.Store) error {
	var known []query.Peripheral
	var where []query.PeripheralPlace
	noted := map[string]bool{}
	switches := map[string][]query.Gear{}
	for _, g := range m.switches {
		switches[g.Site] = append(switches[g.Site], g)
	}
	var endpoints []query.Endpoint
	var people []query.Person
	var places []query.EndpointPlace
	var latest []query.LatestFact
	var payloads []query.Payload
	at := map[string][]*printer{}
	for _, p := range m.printers {
		at[p.site.name] = append(at[p.site.name], p)
	}
	services := []string{"compta", "achats", "rh", "atelier", "accueil", "labo", "juridique", "sales", "support", "direction"}
	accounts := map[string]int{}
	for i := range m.size.Machines {
		kind := weighted(m, machineModels, func(k struct {
			brand, model, serial, os, version string
			weight                            float64
			laptop                            bool
		}) float64 {
			return k.weight
		})
		here := weighted(m, m.sites, func(s site) float64 { return s.percent })
		enrolled := m.begin().Add(time.Duration(m.Float64() * m.Float64() * float64(history) / 2))
		name := fmt.Sprintf("%s-%04d", one(m, services), i)
		x := &machine{site: here, laptop: kind.laptop, lang: "en"}
		if m.chance(here.french) {
			x.lang = "fr"
		}
		x.row = query.Endpoint{
			ID: m.id(enrolled), Hostname: name, NameKey: name, OrderKey: store.OrderKey(name), MachineHash: m.letters("????????????????"), OsFamily: kind.os, OsName: kind.version, AgentVersion: "0.1.0",
			Manufacturer: kind.brand, Model: kind.model, Serial: m.letters(kind.serial), EnrolledAt: store.Millis(enrolled),
			LastSeenAt: store.Millis(m.now.Add(-time.Duration(m.IntN(3600)) * time.Second)), CertificateExpiresAt: store.Millis(m.now.AddDate(0, 3, 0)), Site: here.name,
		}
		given, family := one(m, givenNames), one(m, familyNames)
		account := strings.ToLower(given[:1] + strings.ReplaceAll(family, " ", ""))
		if accounts[account]++; accounts[account] > 1 {
			account = fmt.Sprintf("%s%d", account, accounts[account])
		}
		x.person = query.Person{ID: m.id(enrolled), Account: account, Name: given + " " + family, Mail: account + "@corp.example", CreatedAt: store.Millis(enrolled), Site: here.name}
		if near := at[here.name]; len(near) > 0 {
			for range 1 + m.IntN(2) {
				if p := near[(i*7+m.IntN(3))%len(near)]; !slices.Contains(x.queues, p) {
					x.queues = append(x.queues, p)
				}
			}
		}
		for n := range m.IntN(4) {
			g := one(m, gadgets)
			d := &constatv1.UsbDevice{
				Path: proto.String(fmt.Sprintf("1-%d", n+1)), Id: proto.String(g.id), Vendor: proto.String(g.vendor), Product: proto.String(g.product), Brand: proto.String(g.brand),
				Class: proto.String(g.class), SpeedMbps: proto.Float64(480), Configured: proto.Bool(true), Authorized: proto.Bool(true),
			}
			if g.serial != "" {
				d.Serial = proto.String(m.letters(g.serial))
			}
			x.devices = append(x.devices, d)
		}
		x.at, x.port = one(m, m.switches), fmt.Sprintf("Gi1/0/%d", 1+m.IntN(48))
		if near := switches[here.name]; len(near) > 0 {
			x.at = one(m, near)
		}
		m.machines = append(m.machines, x)
		endpoints, people = append(endpoints, x.row), append(people, x.person)
		places = append(places, query.EndpointPlace{
			EndpointID: x.row.ID, Subnet: fmt.Sprintf("192.0.2.%d/28", i%16*16), SwitchID: x.at.Name, SwitchName: x.at.Name, SwitchPort: x.port, SeenAt: x.row.LastSeenAt,
		})
		m.addFacts(x, &latest, &payloads)
		for _, p := range x.known {
			if !noted[p.ID] {
				noted[p.ID] = true
				known = append(known, query.Peripheral{
					ID: p.ID, Kind: p.Kind, Brand: p.Brand, Model: p.Model, Serial: p.Serial, SerialKey: strings.ToLower(p.Serial), FirstAt: x.row.EnrolledAt,
				})
			}
			where = append(where, query.PeripheralPlace{EndpointID: x.row.ID, PeripheralID: p.ID, Facts: strings.Join(p.Facts, "\n"), Since: x.row.EnrolledAt})
		}
	}
	for range max(1, m.size.Machines/80) {
		m.prone = append(m.prone, m.afflict(one(m, m.machines)))
	}
	return s.Load(ctx, endpoints, people, places, latest, payloads, known, where)
}

// addFacts adds what the machine told last.
func (m *maker) addFacts(x *machine, latest *[]query.LatestFact, payloads *[]query.Payload) {
	at := store.Time(x.row.LastSeenAt)
	taken := timestamppb.New(at)
	facts := &constatv1.Snapshot{
		Manifest: &constatv1.Manifest{Id: m.id(at), TakenAt: taken, EndpointId: x.row.ID, AgentVersion: "0.1.0"},
		Host: &constatv1.Host{
			Hostname: proto.String(x.row.Hostname), OsFamily: proto.String(x.row.OsFamily), OsName: proto.String(x.row.OsName), Timezone: proto.String("Europe/Paris"),
			BootTime: timestamppb.New(at.Add(-time.Duration(m.IntN(400)) * time.Hour)), Sessions: []*constatv1.Session{{User: proto.String(x.person.Account), Kind: proto.String("local"), Active: proto.Bool(true)}},
		},
		Hardware: &constatv1.Hardware{
			System:      &constatv1.System{Manufacturer: proto.String(x.row.Manufacturer), Brand: proto.String(x.row.Manufacturer), Model: proto.String(x.row.Model), Serial: proto.String(x.row.Serial)},
			MemoryBytes: proto.Int64(16 << 30),
		},
		Network: &constatv1.Network{
			Links: []*constatv1.Link{{
				Name: proto.String("eth0"), Kind: proto.String("ethernet"), Mac: proto.String(fmt.Sprintf("00:00:5e:00:53:%02x", m.IntN(256))), OperStatus: proto.String("up"), AdminStatus: proto.String("up"),
				Addresses: []*constatv1.Address{{Cidr: proto.String(fmt.Sprintf("192.0.2.%d/24", 2+m.IntN(250))), Family: proto.Int32(4), Origin: proto.String("dhcp")}},
			}},
			Routes: []*constatv1.Route{{Destination: proto.String("0.0.0.0/0"), Gateway: proto.String("192.0.2.1"), Link: proto.String("eth0")}},
		},
		Printing: &constatv1.Printing{Spooler: &constatv1.Spooler{Kind: proto.String("windows"), State: proto.String("running")}},
		Usb:      &constatv1.Usb{Devices: x.devices},
		Space:    &constatv1.Space{Filesystems: []*constatv1.FileSystemUse{{MountPoint: proto.String("/"), UsedPercent: proto.Int32(int32(20 + m.IntN(75)))}}},
	}
	for _, p := range x.queues {
		facts.Printing.Queues = append(facts.Printing.Queues, &constatv1.Queue{
			Name: proto.String(p.name), State: proto.String("idle"), Connection: proto.String("ipp"), DeviceUri: proto.String("ipp://" + p.address + ":631"), PrinterId: proto.String(p.serial), Physical: proto.Bool(true),
		})
		facts.Printing.Printers = append(facts.Printing.Printers, &constatv1.Printer{
			Id: proto.String(p.serial), Brand: proto.String(p.brand), Model: proto.String(p.model), Serial: proto.String(p.serial), Connection: proto.String("network"), Address: proto.String(p.address), Reachable: proto.Bool(true),
		})
	}
	x.known = desk.PeripheralsOf(facts)
	slices.SortFunc(facts.Printing.Queues, func(a, b *constatv1.Queue) int { return cmp.Compare(a.GetName(), b.GetName()) })
	for _, name := range snapshot.Names() {
		if snapshot.Group(facts, name) != nil {
			facts.Manifest.Groups = append(facts.Manifest.Groups, &constatv1.GroupEntry{
				Group: name, Observation: &constatv1.Observation{Status: "observed", Source: "made up", At: taken, DurationMs: int32(m.IntN(40))},
			})
		}
	}
	for i, p := range snapshot.Payloads(facts) {
		entry := facts.Manifest.Groups[i]
		*latest = append(*latest, query.LatestFact{EndpointID: x.row.ID, GroupName: p.GetGroup(), Entry: packed(entry), OrderedAt: store.Millis(at), Hash: p.GetHash()})
		*payloads = append(*payloads, query.Payload{EndpointID: x.row.ID, GroupName: p.GetGroup(), Hash: p.GetHash(), Content: store.Pack(p.GetContent()), FirstAt: store.Millis(at)})
	}
}

// writeArticles writes one article on each of the faults that come most.
func (m *maker) writeArticles(ctx context.Context, s *store.Store) error {
	var articles []query.Article
	var versions []query.ArticleVersion
	var about []query.ArticleFault
	for i := range matters {
		f := m.catalog.Lookup(matters[i].fault)
		if f == nil {
			continue
		}
		at := m.begin().Add(time.Duration(m.Float64() * float64(history)))
		text := &deskv1.ArticleText{Faults: []string{f.ID}}
		for _, language := range []string{"en", "fr"} {
			text.Translations = append(text.Translations, &deskv1.ArticleTranslation{
				Language: language, Title: f.Title.In(language), Body: f.Explanation.In(language) + "\n\n" + f.Technician.In(language) + "\n\n" + f.User.In(language) + "\n",
			})
		}
		words := []string{f.ID}
		for _, t := range text.Translations {
			words = append(words, t.Title, t.Body)
		}
		id := m.id(at)
		articles = append(articles, query.Article{
			ID: id, State: "published", Audience: "team", Owner: m.team.technicians[0].Name, Version: 1, Words: store.Words(store.MaxWords, words...), CreatedAt: store.Millis(at), UpdatedAt: store.Millis(at),
		})
		versions = append(versions, query.ArticleVersion{ArticleID: id, Version: 1, At: store.Millis(at), Author: m.team.technicians[0].Name, Content: packed(text)})
		about = append(about, query.ArticleFault{Fault: f.ID, ArticleID: id})
	}
	return s.Load(ctx, articles, versions, about)
}

// packed is a message as blobs hold it.
func packed(message proto.Message) []byte {
	content, err := proto.MarshalOptions{Deterministic: true}.Marshal(message)
	if err != nil {
		panic(err) // it was made here
	}
	return store.Pack(content)
}
