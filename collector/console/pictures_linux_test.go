package console

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"constat/collector/courier"
	"constat/collector/desk"
	"constat/internal/identity"
	deskv1 "constat/proto/constat/desk/v1"
)

// pictures is where the pictures of the documentation lie.
const pictures = "../../docs/pictures"

// maxPictures is how large they may be together, in bytes.
const maxPictures = 1_500_000

// pictured are the pages of which there is a picture: its name, and the route. The
// first ones are shown in every look, the others once.
var pictured = []struct{ name, route string }{
	{"queue", "GET /tickets"},
	{"ticket", "GET /tickets/{number}"},
	{"endpoint", "GET /endpoints/{id}"},
	{"requester", "GET /people/{id}"},
	{"device", "GET /gear/{id}"},
	{"article", "GET /articles/{id}"},
	{"procedures", "GET /procedures"},
	{"knowledge", "GET /knowledge"},
	{"service", "GET /service"},
	{"team", "GET /team"},

	{"sign-in", "GET /sign-in"},
	{"link", "GET /sign-in/link/{token}"},
	{"password", "GET /password"},
	{"ticket-new", "GET /tickets/new"},
	{"ticket-answers", "GET /tickets/{number}/answers"},
	{"notices", "GET /notices"},
	{"notice-rule", "GET /notices/rule"},
	{"endpoints", "GET /endpoints"},
	{"peripheral", "GET /peripherals/{id}"},
	{"gear", "GET /gear"},
	{"port", "GET /gear/{id}/ports/{port}"},
	{"technician", "GET /team/{name}"},
	{"articles", "GET /articles"},
	{"article-new", "GET /articles/new"},
	{"article-edit", "GET /articles/{id}/edit"},
	{"answers", "GET /answers"},
	{"answer-new", "GET /answers/new"},
	{"answer", "GET /answers/{id}"},
	{"procedure", "GET /procedures/{id}"},
	{"revision", "GET /knowledge/{revision}"},
	{"forms", "GET /forms"},
	{"form-new", "GET /forms/new"},
	{"form", "GET /forms/{id}"},
	{"maintenances", "GET /maintenance"},
	{"maintenance-new", "GET /maintenance/new"},
	{"maintenance", "GET /maintenance/{id}"},
	{"settings", "GET /settings"},
	{"accounts", "GET /accounts"},
	{"delivery", "GET /delivery"},
	{"faults", "GET /faults"},
	{"fault", "GET /faults/{id}"},
	{"style", "GET /style"},
}

// allLooks is how many of them are shown in every look.
const allLooks = 10

// noPages are routes that answer with something else than a page.
var noPages = []string{
	"GET /{$}", "GET /events", "GET /tickets/{number}/files/{id}", "GET /tickets/{number}/files/{id}/small", "GET /tickets/{number}/events",
	"GET /endpoints/{id}/events",
}

// pictureLook is how a page is looked at.
type pictureLook struct {
	language, scheme string
	width, height    int
}

var pictureLooks = []pictureLook{{"en", "light", 1280, 800}, {"fr", "dark", 1280, 800}, {"fr", "light", 390, 780}, {"en", "dark", 390, 780}}

// file is what the picture of a page is called.
func (l pictureLook) file(name string) string {
	kind := "wide"
	if l.width < 600 {
		kind = "phone"
	}
	return fmt.Sprintf("%s-%s-%s-%s.webp", name, l.language, l.scheme, kind)
}

// wantedPictures are the names of all files.
func wantedPictures() []string {
	var names []string
	for i, p := range pictured {
		for j, look := range pictureLooks {
			if i < allLooks || j == 0 {
				names = append(names, look.file(p.name))
			}
		}
	}
	return names
}

// Every page is shown by a picture, and no picture shows a page that is gone. What
// is in them is not compared: CONSTAT_PICTURES=write makes them anew.
func TestEveryPageIsPictured(t *testing.T) {
	for route := range addresses {
		shown := slices.ContainsFunc(pictured, func(p struct{ name, route string }) bool { return p.route == route })
		if strings.HasPrefix(route, "GET ") && !shown && !slices.Contains(noPages, route) {
			t.Errorf("no picture shows %s: give it a row in this test, then CONSTAT_PICTURES=write go test -tags grpcnotrace -run TestPictures ./collector/console", route)
		}
	}
	for _, p := range pictured {
		if _, there := addresses[p.route]; !there {
			t.Errorf("%s is no route any more", p.route)
		}
	}
	wanted, size := wantedPictures(), int64(0)
	files, err := os.ReadDir(pictures)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if !slices.Contains(wanted, f.Name()) {
			t.Errorf("%s/%s shows no page", pictures, f.Name())
		}
		info, err := f.Info()
		if err != nil {
			t.Fatal(err)
		}
		size += info.Size()
	}
	for _, name := range wanted {
		if !slices.ContainsFunc(files, func(f os.DirEntry) bool { return f.Name() == name }) {
			t.Errorf("%s/%s is not there: CONSTAT_PICTURES=write go test -tags grpcnotrace -run TestPictures ./collector/console", pictures, name)
		}
	}
	if size > maxPictures {
		t.Errorf("the pictures have %d bytes, more than %d", size, maxPictures)
	}
}

// TestPictures makes the pictures anew, from the same morning each time.
func TestPictures(t *testing.T) {
	if os.Getenv("CONSTAT_PICTURES") != "write" {
		t.Skip("CONSTAT_PICTURES=write makes the pictures of the documentation anew")
	}
	c := startChromium(t)
	zone := time.Local
	time.Local = time.UTC
	t.Cleanup(func() { time.Local = zone })
	b := newBench(t)
	morning := time.Date(2026, 11, 20, 9, 12, 0, 0, time.UTC)
	b.now = func() time.Time { return morning }
	b.desk = desk.At(b.desk, b.now)
	ca, err := identity.NewAuthority(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	b.desk.SignWith(ca.SignKnowledge)
	key, err := identity.NewKeyFile(filepath.Join(t.TempDir(), "sealing.key"))
	if err != nil {
		t.Fatal(err)
	}
	b.courier = courier.New(b.store, b.hints, b.desk, key, b.catalog, "https://desk.example.org", slog.Default())
	one := newConsole(b.desk, b.accounts, b.catalog, Options{Store: b.store, Stopping: t.Context(), Courier: b.courier})
	one.now = b.now
	server := httptest.NewServer(one.routes())
	t.Cleanup(server.Close)
	b.address = server.URL

	paths := b.picturedMorning(func(later time.Duration) { morning = morning.Add(later) })
	if err := os.MkdirAll(pictures, 0o755); err != nil {
		t.Fatal(err)
	}
	take := func(i, j int, name, path string) {
		look := pictureLooks[j]
		if i >= allLooks && j > 0 {
			return
		}
		c.Call("Emulation.setDeviceMetricsOverride", map[string]any{"width": look.width, "height": look.height, "deviceScaleFactor": 1, "mobile": false}, nil)
		c.Open(b.address + path)
		if strings.HasPrefix(name, "device") || name == "port" {
			c.Until("document.querySelectorAll('.plot canvas').length === document.querySelectorAll('.plot').length && document.querySelector('.plot canvas').width > 0")
		}
		if name == "knowledge" {
			c.Eval("document.querySelector('[data-key=w]').click()")
			c.Until("document.querySelector('#trial .asked')")
			c.Eval("document.querySelector('#text').scrollIntoView()")
		}
		var picture struct{ Data string }
		c.Call("Page.captureScreenshot", map[string]any{"format": "webp", "quality": 28}, &picture)
		content, err := base64.StdEncoding.DecodeString(picture.Data)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(pictures, look.file(name)), content, 0o644); err != nil {
			t.Fatal(err)
		}
		c.Keep(strings.TrimSuffix(look.file(name), ".webp"))
		c.Quiet(name)
	}
	inside := false
	for j, look := range pictureLooks {
		c.Look(look.width, look.scheme)
		if !inside {
			c.Open(b.address + "/sign-in")
		} else {
			c.Open(b.address + "/tickets")
		}
		c.Eval("document.cookie = 'constat-language=" + look.language + "; path=/'")
		for i, p := range pictured {
			if path := cmp.Or(paths[p.route], strings.TrimPrefix(p.route, "GET ")); strings.HasPrefix(path, "/sign-in") && !inside {
				take(i, j, p.name, path)
			}
		}
		if !inside {
			admin, err := b.accounts.Create(t.Context(), "nora", "nora@example.org", "administrator", password)
			if err != nil {
				t.Fatal(err, admin)
			}
			c.enter(b.as("nora"))
			inside = true
		}
		for i, p := range pictured {
			if path := cmp.Or(paths[p.route], strings.TrimPrefix(p.route, "GET ")); !strings.HasPrefix(path, "/sign-in") {
				take(i, j, p.name, path)
			}
		}
	}
	// Those of pages that are gone go, too.
	files, err := os.ReadDir(pictures)
	if err != nil {
		t.Fatal(err)
	}
	wanted := wantedPictures()
	for _, f := range files {
		if !slices.Contains(wanted, f.Name()) {
			os.Remove(filepath.Join(pictures, f.Name()))
		}
	}
}

// picturedMorning is a desk as it could be on a Friday morning, and where on it each
// page with something of its own is.
func (b *bench) picturedMorning(wait func(time.Duration)) map[string]string {
	b.Helper()
	if _, err := b.desk.SetServiceLevels(b.Context(), desk.System, serviceExample); err != nil {
		b.Fatal(err)
	}
	_, solved := b.machineAsks("port-090", "Yann Le Goff", "L’imprimante ne sort rien.", "printing", printerDiagnosis)
	wait(7 * time.Minute)
	b.machineAsks("build-3", "Inès Roy", "The build server reaches nothing outside.", "internet", dnsDiagnosis)
	wait(12 * time.Minute)
	_, waiting := b.machineAsks("port-112", "Yann Le Goff", "Mes documents restent dans la file.", "printing", printerDiagnosis)
	wait(9 * time.Minute)
	endpoint, number := b.machineAsks("compta-07", "Claire Martin", "Nothing opens since this morning, neither the intranet nor mail.", "internet", dnsDiagnosis)
	device := b.switchWith("Gi1/0/5")
	b.measured(device)
	b.pluggedIn(endpoint, "GigabitEthernet1/0/5")
	lea, marc := b.as("lea"), b.as("marc")
	wait(4 * time.Minute)
	first := fmt.Sprintf("/tickets/%d", solved)
	marc.post(first, marc.form(first).with("status", "solved", "assignee", "marc", "resolution", "Resumed the queue; somebody had paused it to change the paper.")...)
	ticket := fmt.Sprintf("/tickets/%d", number)
	lea.post(ticket, lea.form(ticket).with("text", "The second floor has it too.\nAsked the network team; @marc, do you see it from yours?", "kind", "note", "status", "open", "assignee", "lea")...)
	lea.post(ticket, "version", "1", "tagsWas", "", "tags", "second floor", "follow", "yes")
	lea.post(ticket+"/link", "kind", "related", "other", fmt.Sprint(waiting))
	wait(3 * time.Minute)
	const steps = "The queue waits, and the printer is well.\n\n1. Open the queue.\n2. Press **Resume**, and wait.\n\n## It worked when\n\nthe first document comes out."
	article := lea.article("title", "Resume a queue that somebody paused", "body", strings.ReplaceAll(steps, ", and wait", ""), "faults", "printer-queue-paused", "ticket", fmt.Sprint(solved), "owner", "lea")
	lea.post(article, "version", "1", "state", "published", "audience", "team", "language", "en", "title", "Resume a queue that somebody paused", "body", steps, "faults", "printer-queue-paused", "note", "one has to wait", "owner", "lea", "review", "2027-05-01")
	marc.post(article+"/rating", "version", "2", "helped", "no", "unclear", "How long?")
	answer := b.lead().answer("whose", "team", "title", "Ask for a picture", "body", "Hello {requester.name},\n\ncould you send us a picture of what the screen shows?")
	boss := desk.Actor{Name: "ines", Role: "lead"}
	for i, file := range []*deskv1.KnowledgeFile{{Path: "procedures/vpn-of-ours.md", Text: ownProcedure}, {Path: "faults/hardware.yaml", Text: ownFault}} {
		_, err := b.desk.PushKnowledge(b.Context(), boss, &deskv1.PushKnowledgeRequest{
			Change: &deskv1.KnowledgeChange{Put: []*deskv1.KnowledgeFile{file}}, Revision: int64(i), Percent: 10, Hosts: []string{"compta-07"}, Note: "for the accountants",
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	form, planned := newID(), newID()
	_, err := b.desk.SaveForm(b.Context(), boss, &deskv1.RequestForm{Id: form, Source: "name: {en: New colleague, fr: Nouvel arrivant}\nfields:\n  - {key: day, kind: date, label: {en: First day, fr: Premier jour}, required: true}\nchecklist:\n  - {en: Make the account, fr: Créer le compte}\n  - {en: Set up the laptop, fr: Préparer le portable}\n"})
	if err != nil {
		b.Fatal(err)
	}
	_, err = b.desk.SaveMaintenance(b.Context(), boss, &deskv1.Maintenance{
		Id: planned, From: timestamppb.New(b.now().Add(10 * time.Hour)), Until: timestamppb.New(b.now().Add(12 * time.Hour)), Freeze: true,
		Texts:    []*deskv1.AnnouncementText{{Language: "en", Title: "The print server moves", Text: "Printing pauses for some minutes."}, {Language: "fr", Title: "Le serveur d’impression déménage", Text: "L’impression s’arrête quelques minutes."}},
		Machines: &deskv1.MachineSelector{OsFamilies: []string{"linux"}},
	})
	if err != nil {
		b.Fatal(err)
	}
	found, err := b.desk.Ticket(b.Context(), number)
	if err != nil {
		b.Fatal(err)
	}
	_, _, peripheral := b.headsetAt("accueil-1")
	paths := map[string]string{
		"GET /tickets": "/tickets?status=any", "GET /tickets/{number}": ticket, "GET /tickets/{number}/answers": ticket + "/answers",
		"GET /people/{id}": "/people/" + found.GetTicket().GetRequester().GetId(), "GET /endpoints/{id}": "/endpoints/" + endpoint,
		"GET /peripherals/{id}": "/peripherals/" + peripheral,
		"GET /gear/{id}":        "/gear/" + device, "GET /gear/{id}/ports/{port}": "/gear/" + device + "/ports/1", "GET /team/{name}": "/team/marc",
		"GET /articles/new": fmt.Sprintf("/articles/new?ticket=%d", solved), "GET /articles/{id}": article, "GET /articles/{id}/edit": article + "/edit",
		"GET /answers/{id}": answer, "GET /procedures/{id}": "/procedures/printing", "GET /knowledge": "/knowledge?file=procedures/vpn-of-ours.md",
		"GET /knowledge/{revision}": "/knowledge/2", "GET /faults": "/faults?q=printer", "GET /faults/{id}": "/faults/net-upstream-outage",
		"GET /forms/{id}": "/forms/" + form, "GET /maintenance/{id}": "/maintenance/" + planned,
		"GET /sign-in/link/{token}": "/sign-in/link/one-time",
	}
	for route, path := range maps.All(paths) {
		if p := lea.get(path); p.status != http.StatusOK && route != "GET /team/{name}" && route != "GET /forms/{id}" { // for leads
			b.Errorf("%s: status %d", path, p.status)
		}
	}
	return paths
}
