package console

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/png"
	"io"
	"maps"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"constat/collector/desk"
	"constat/collector/store"
	"constat/collector/store/query"
	deskv1 "constat/proto/constat/desk/v1"
	constatv1 "constat/proto/constat/v1"
)

// Who may open an address.
type rights int

const (
	// everyone: strangers too.
	everyone rights = iota
	// signed: whoever is signed in, requesters too.
	signed
	// working: technicians, leads and administrators, and what it shows is of their
	// sites only.
	working
	// ofSite: those of them who see the site of what the address names.
	ofSite
	// leading: leads and administrators, leadOfSite: those of them who see the site.
	leading
	leadOfSite
	// leadingSite: those of them who see the site of what the address names.
	leadingSite
	// leadingAll and governing: leads and administrators, and administrators, who are
	// limited to no site.
	leadingAll
	governing
)

// addresses are all routes of the console, with something of Paris behind each
// that names something, and who may open it. A route that is not here fails the
// test: say who may open it.
var addresses = map[string]struct {
	path string
	form string
	who  rights
}{
	"GET /sign-in":               {"/sign-in", "", everyone},
	"POST /sign-in":              {"/sign-in", "name=x", everyone},
	"GET /sign-in/link/{token}":  {"/sign-in/link/x", "", everyone},
	"POST /sign-in/link/{token}": {"/sign-in/link/x", "", everyone},
	"POST /language":             {"/language", "language=en", everyone},
	"GET /{$}":                   {"/", "", everyone}, // which leads to the tickets

	"GET /password":  {"/password", "", signed},
	"POST /password": {"/password", "", signed},
	"POST /sign-out": {"/sign-out", "", signed},

	"GET /tickets":                    {"/tickets?status=any", "", working},
	"POST /tickets":                   {"/tickets", "text=", working},
	"GET /tickets/new":                {"/tickets/new", "", working},
	"GET /tickets/{number}":           {"/tickets/PARIS", "", ofSite},
	"POST /tickets/{number}":          {"/tickets/PARIS", "text=hello&kind=note", ofSite},
	"POST /tickets/{number}/diagnose": {"/tickets/PARIS/diagnose", "procedure=full", ofSite},
	"POST /tickets/{number}/draft":    {"/tickets/PARIS/draft", "text=hello&kind=note", ofSite},
	"POST /tickets/{number}/merge":    {"/tickets/PARIS/merge", "into=99999", ofSite},
	"GET /tickets/{number}/events":    {"/tickets/PARIS/events?run=RUN", "", ofSite},

	"POST /tickets/{number}/remedy": {"/tickets/PARIS/remedy", "verb=none", ofSite},
	"POST /tickets/bulk":            {"/tickets/bulk", "ticket=PARIS%3A1&addTags=seen", working},
	"POST /undo":                    {"/undo", "deed=x", working},
	"POST /views":                   {"/views", "name=mine&query=q", working},
	"POST /views/{id}/delete":       {"/views/x/delete", "", working},

	"POST /tickets/{number}/link":  {"/tickets/PARIS/link", "kind=related&other=PARIS", ofSite},
	"POST /tickets/{number}/split": {"/tickets/PARIS/split", "", ofSite},

	"GET /tickets/{number}/files/{id}":       {"/tickets/PARIS/files/FILE", "", ofSite},
	"GET /tickets/{number}/files/{id}/small": {"/tickets/PARIS/files/FILE/small", "", ofSite},

	"GET /events":        {"/events", "", working},
	"GET /notices":       {"/notices", "", working},
	"POST /notices":      {"/notices", "", working},
	"GET /notices/rule":  {"/notices/rule", "", working},
	"POST /notices/rule": {"/notices/rule", "", working},

	"GET /delivery":                         {"/delivery", "", governing},
	"POST /delivery/mail":                   {"/delivery/mail", "", governing},
	"POST /delivery/test":                   {"/delivery/test", "", governing},
	"POST /delivery/retry":                  {"/delivery/retry", "", governing},
	"POST /delivery/webhooks":               {"/delivery/webhooks", "", governing},
	"POST /delivery/webhooks/{name}/delete": {"/delivery/webhooks/x/delete", "", governing},

	"GET /accounts":                 {"/accounts", "", governing},
	"POST /accounts/{name}/remove":  {"/accounts/lea/remove", "", governing},
	"POST /accounts/{name}/restore": {"/accounts/lea/restore", "", governing},

	// Articles are of no site; one made of a ticket is made by who sees that.
	"GET /articles":              {"/articles", "", working},
	"GET /articles/new":          {"/articles/new?ticket=PARIS", "", ofSite},
	"GET /articles/{id}":         {"/articles/ARTICLE", "", working},
	"GET /articles/{id}/edit":    {"/articles/ARTICLE/edit", "", working},
	"POST /articles/{id}":        {"/articles/ARTICLE", "", working},
	"POST /articles/{id}/rating": {"/articles/ARTICLE/rating", "helped=yes&version=1", working},

	// The answer is of the team, for Paris.
	"GET /answers":                  {"/answers", "", working},
	"GET /answers/new":              {"/answers/new", "", working},
	"GET /answers/{id}":             {"/answers/ANSWER", "", ofSite},
	"POST /answers/{id}":            {"/answers/ANSWER", "version=99&whose=team&site=Paris&language=en&title=t&body=b", leadingSite},
	"POST /answers/{id}/delete":     {"/answers/ANSWER/delete", "", leadingSite},
	"GET /tickets/{number}/answers": {"/tickets/PARIS/answers", "", ofSite},
	// What the team writes for machines is of no site either.
	"GET /procedures":                     {"/procedures", "", working},
	"GET /procedures/{id}":                {"/procedures/printing", "", working},
	"POST /procedures/{id}/rating":        {"/procedures/printing/rating", "version=3&helped=yes", working},
	"GET /knowledge":                      {"/knowledge", "", working},
	"POST /knowledge":                     {"/knowledge", "text=x&walk=begin&machine=MACHINE", working},
	"POST /knowledge/push":                {"/knowledge/push", "text=x&percent=1", leadingAll},
	"GET /knowledge/{revision}":           {"/knowledge/1", "", working},
	"POST /knowledge/{revision}/release":  {"/knowledge/1/release", "percent=100", leadingAll},
	"POST /knowledge/{revision}/rollback": {"/knowledge/1/rollback", "", leadingAll},

	// The form is for Paris.
	"GET /forms":                   {"/forms", "", working},
	"GET /forms/new":               {"/forms/new", "", leading},
	"GET /forms/{id}":              {"/forms/FORM", "", leadingSite},
	"POST /forms/{id}":             {"/forms/FORM", "version=99&source=name%3A+%7Ben%3A+x%7D%0Asite%3A+Paris", leadingSite},
	"POST /tickets/{number}/check": {"/tickets/TODO/check", "position=1&done=yes", ofSite},

	// The maintenance is of Paris.
	"GET /maintenance":              {"/maintenance", "", working},
	"GET /maintenance/new":          {"/maintenance/new", "", leading},
	"GET /maintenance/{id}":         {"/maintenance/PLANNED", "", ofSite},
	"POST /maintenance/{id}":        {"/maintenance/PLANNED", "version=99&zone=UTC&from=" + soon + "+22%3A00&until=" + soon + "+23%3A00&language=en&title=t&text=&sites=Paris", leadingSite},
	"POST /maintenance/{id}/end":    {"/maintenance/PLANNED/end", "", leadingSite},
	"POST /maintenance/{id}/answer": {"/maintenance/PLANNED/answer", "entry=x&text=done", ofSite},

	"GET /people/{id}": {"/people/PERSON", "", ofSite},

	"GET /endpoints":                {"/endpoints", "", working},
	"GET /endpoints/{id}":           {"/endpoints/MACHINE", "", ofSite},
	"POST /endpoints/{id}/site":     {"/endpoints/MACHINE/site", "site=Paris", leadOfSite},
	"POST /endpoints/{id}/erase":    {"/endpoints/MACHINE/erase", "name=another", governing},
	"POST /endpoints/{id}/diagnose": {"/endpoints/MACHINE/diagnose", "procedure=full", ofSite},
	"GET /endpoints/{id}/events":    {"/endpoints/MACHINE/events?run=RUN", "", ofSite},

	"GET /gear":                   {"/gear", "", working},
	"GET /peripherals/{id}":       {"/peripherals/PERIPHERAL", "", ofSite},
	"GET /gear/{id}":              {"/gear/DEVICE", "", ofSite},
	"GET /gear/{id}/ports/{port}": {"/gear/DEVICE/ports/1", "", ofSite},

	"GET /team":               {"/team", "", working},
	"GET /team/{name}":        {"/team/lea", "", leading},
	"POST /team/{name}":       {"/team/lea", "takes=1&preview=1", leadingAll},
	"POST /team/{name}/sites": {"/team/lea/sites", "sites=", governing},
	"GET /service":            {"/service", "", working},
	"POST /service":           {"/service", "text=", governing},
	"GET /faults":             {"/faults", "", working},
	"GET /faults/{id}":        {"/faults/net-dns-unreachable", "", working},
	"GET /settings":           {"/settings", "", working},
	"GET /style":              {"/style", "", working},
	"/":                       {"/nothing-here", "", ofSite},
}

// soon is a day to come.
var soon = time.Now().AddDate(0, 0, 3).Format(time.DateOnly)

// paris is a word in everything of Paris, and nowhere else.
const paris = "zinc-canary"

// scene is a desk with two sites.
type scene struct {
	*bench
	replace *strings.Replacer
	// searched is what a page of Paris would show.
	number int32
}

func twoSites(t *testing.T) *scene {
	t.Helper()
	b := newBench(t)
	lead := desk.Actor{Name: "boss", Role: "lead"}
	s := &scene{bench: b}
	var paths []string
	for _, site := range []struct{ name, host string }{{"Lyon", "lyon-pc"}, {"Paris", paris + "-pc"}} {
		endpoint, number := b.machineAsks(site.host, strings.TrimSuffix(site.host, "-pc"), "help at "+site.host, "internet", dnsDiagnosis)
		if _, err := b.desk.SetEndpointSite(t.Context(), lead, endpoint, site.name); err != nil {
			t.Fatal(err)
		}
		peripheral := b.plugIn(endpoint, "Headset of "+site.host)
		device := newID()
		err := b.store.Write(t.Context(), func(ctx context.Context, q *query.Queries) error {
			if _, err := q.AddGear(ctx, query.AddGearParams{ID: device, Address: site.host + ".example.org", Site: site.name, Credential: "x", AddedAt: 1}); err != nil {
				return err
			}
			facts, err := store.PackMessage(&constatv1.Gear{Interfaces: []*constatv1.GearInterface{{IfIndex: proto.Int32(1), Name: proto.String(site.host)}}})
			if err != nil {
				return err
			}
			judged, err := store.PackMessage(&constatv1.Diagnosis{})
			if err != nil {
				return err
			}
			return q.PutGearFacts(ctx, query.PutGearFactsParams{GearID: device, TakenAt: 1, WholeAt: 1, Content: facts, Counters: []byte{}, Diagnosis: judged, Plan: []byte{}})
		})
		if err != nil {
			t.Fatal(err)
		}
		run, err := b.desk.Diagnose(t.Context(), lead, &deskv1.DiagnoseRequest{EndpointId: endpoint})
		if err != nil {
			t.Fatal(err)
		}
		var picture bytes.Buffer
		if err := png.Encode(&picture, image.NewGray(image.Rect(0, 0, 600, 400))); err != nil {
			t.Fatal(err)
		}
		_, err = b.desk.AddEntry(t.Context(), lead, &deskv1.AddEntryRequest{
			Number: number, Id: newID(), Kind: "note", Text: "see", Files: []*deskv1.NewFile{{Name: site.host + ".png", Content: picture.Bytes()}},
		})
		if err != nil {
			t.Fatal(err)
		}
		found, err := b.desk.Ticket(t.Context(), number)
		if err != nil {
			t.Fatal(err)
		}
		var file string
		for _, e := range found.GetTimeline() {
			for _, f := range e.GetFiles() {
				file = f.GetId()
			}
		}
		if site.name == "Paris" {
			paths = append(paths, "FILE", file)
			s.number = number
			paths = append(paths, "PARIS", fmt.Sprint(number), "MACHINE", endpoint, "PERIPHERAL", peripheral, "DEVICE", device, "RUN", run, "PERSON", found.GetTicket().GetRequester().GetId())
		}
	}
	ticket, err := b.desk.Ticket(t.Context(), s.number)
	if err != nil {
		t.Fatal(err)
	}
	title := "The printer of " + paris
	if _, err := b.desk.Update(t.Context(), lead, &deskv1.UpdateTicketRequest{Number: s.number, Version: ticket.GetTicket().GetVersion(), Title: &title}); err != nil {
		t.Fatal(err)
	}
	// A link leads from Lyon to Paris, and tells Lyon no more than the number.
	if _, err := b.desk.Link(t.Context(), lead, &deskv1.LinkTicketsRequest{Number: 1, Other: s.number, Kind: "related"}); err != nil {
		t.Fatal(err)
	}
	err = b.store.Write(t.Context(), func(ctx context.Context, q *query.Queries) error {
		return q.PutWebhook(ctx, query.PutWebhookParams{Name: "x", Url: "https://example.org", Secret: []byte{}})
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = b.desk.PushKnowledge(t.Context(), lead, &deskv1.PushKnowledgeRequest{
		Change: &deskv1.KnowledgeChange{Put: []*deskv1.KnowledgeFile{{Path: "faults/hardware.yaml", Text: ownFault}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	article := newID()
	_, err = b.desk.SaveArticle(t.Context(), lead, &deskv1.Article{Id: article, State: "draft", Audience: "team", Text: &deskv1.ArticleText{
		Translations: []*deskv1.ArticleTranslation{{Language: "en", Title: "Resume a queue", Body: "Press the button."}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	answer := newID()
	_, err = b.desk.SaveAnswer(t.Context(), lead, &deskv1.Answer{Id: answer, Site: "Paris", Texts: []*deskv1.AnswerText{{Language: "en", Title: "Room of " + paris, Body: "Come."}}})
	if err != nil {
		t.Fatal(err)
	}
	form := newID()
	_, err = b.desk.SaveForm(t.Context(), lead, &deskv1.RequestForm{Id: form, Source: "name: {en: Room of " + paris + "}\nsite: Paris\nchecklist: [{en: Sweep it}]"})
	if err != nil {
		t.Fatal(err)
	}
	planned := newID()
	_, err = b.desk.SaveMaintenance(t.Context(), lead, &deskv1.Maintenance{
		Id: planned, From: timestamppb.New(time.Now().Add(time.Hour)), Until: timestamppb.New(time.Now().Add(2 * time.Hour)),
		Texts: []*deskv1.AnnouncementText{{Language: "en", Title: "Power at " + paris}}, Machines: &deskv1.MachineSelector{Sites: []string{"Paris"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	asked, err := b.desk.Create(t.Context(), desk.Actor{Name: "boss", Role: "lead", Sites: []string{"Paris"}}, &deskv1.CreateTicketRequest{
		Draft: &constatv1.TicketDraft{Id: newID(), Text: paris, Channel: "console"}, Form: &deskv1.FilledForm{Id: form},
	})
	if err != nil {
		t.Fatal(err)
	}
	paths = append(paths, "ARTICLE", article, "ANSWER", answer, "FORM", form, "PLANNED", planned, "TODO", fmt.Sprint(asked.GetNumber()))
	s.replace = strings.NewReplacer(paths...)
	if _, err := b.accounts.Create(t.Context(), paris, "", "requester", password); err != nil {
		t.Fatal(err)
	}
	for _, role := range []string{"technician", "lead", "administrator"} {
		for name, sites := range map[string][]string{"all": nil, "lyon": {"Lyon"}, "paris": {"Paris", "Nice"}} {
			if _, err := b.accounts.Create(t.Context(), role+"-"+name, "", role, password, sites...); err != nil {
				t.Fatal(err)
			}
		}
	}
	return s
}

// Every route, for every role at every site: who may not open it learns nothing of
// what is behind it.
func TestRights(t *testing.T) {
	source, err := os.ReadFile("routes.go")
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	for _, match := range regexp.MustCompile(`pages\.Handle\("([^"]+)"`).FindAllStringSubmatch(string(source), -1) {
		known[match[1]] = true
		if _, there := addresses[match[1]]; !there {
			t.Errorf("%s has no row in this test: say who may open it", match[1])
		}
	}
	for route := range addresses {
		if !known[route] {
			t.Errorf("%s is no route any more", route)
		}
	}
	s := twoSites(t)
	visitors := map[string]*browser{"": s.browser(), paris: s.asWhoever(paris)}
	for _, role := range []string{"technician", "lead", "administrator"} {
		for _, site := range []string{"all", "lyon", "paris"} {
			visitors[role+"-"+site] = s.as(role + "-" + site)
		}
	}
	// What ends things comes last.
	routes := slices.Sorted(maps.Keys(addresses))
	slices.SortStableFunc(routes, func(a, b string) int {
		ends := func(route string) int { return strings.Count(route, "/delete") + strings.Count(route, "/re") }
		return ends(a) - ends(b)
	})
	for _, route := range routes {
		address := addresses[route]
		if route == "POST /sign-out" {
			continue // it ends the visit
		}
		method, _, found := strings.Cut(route, " ")
		if !found {
			method = "GET"
		}
		for name, w := range visitors {
			role, site, _ := strings.Cut(name, "-")
			if name == paris {
				role, site = "requester", "paris"
			}
			status, body := w.knock(method, s.replace.Replace(address.path), s.replace.Replace(address.form))
			may := map[rights]bool{
				everyone: true, signed: name != "", working: name != "" && role != "requester",
				ofSite:      name != "" && role != "requester" && site != "lyon",
				leadOfSite:  (role == "lead" || role == "administrator") && site != "lyon",
				leading:     role == "lead" || role == "administrator",
				leadingSite: (role == "lead" || role == "administrator") && site != "lyon",
				leadingAll:  (role == "lead" || role == "administrator") && site == "all",
				governing:   role == "administrator" && site == "all",
			}[address.who]
			refused := status == http.StatusNotFound || status == http.StatusForbidden || status == http.StatusUnauthorized ||
				status == http.StatusSeeOther && name == "" && address.who != everyone
			if route == "/" {
				may = false
			}
			ended := route == "POST /answers/{id}/delete" // the first who may ends it for the others
			switch {
			case may && refused && address.who != everyone && route != "POST /views/{id}/delete" && !(ended && status == http.StatusNotFound): // x is nobody's
				t.Errorf("%s as %q is refused: %d", route, name, status)
			case !may && !refused:
				t.Errorf("%s as %q is answered: %d", route, name, status)
			case !may && address.who == ofSite && name != "" && status != http.StatusNotFound:
				t.Errorf("%s as %q says that there is something: %d", route, name, status)
			}
			if (!may || site == "lyon" || name == "") && strings.Contains(body, paris) && (name != paris || !strings.Contains(body, `class="who"`)) {
				t.Errorf("%s as %q tells of Paris", route, name)
			}
			if may && site != "lyon" && strings.HasPrefix(address.path, "/tickets?") && !strings.Contains(body, paris) {
				t.Errorf("%s as %q does not tell of Paris", route, name)
			}
		}
	}
}

// asWhoever signs in somebody who has no page to end on.
func (s *scene) asWhoever(name string) *browser {
	s.Helper()
	w := s.browser()
	w.post("/sign-in", "name", name, "password", password)
	if p := w.get("/password"); p.status != http.StatusOK || p.path != "/password" {
		s.Fatalf("%s is not signed in: %s %d", name, p.path, p.status)
	}
	return w
}

// knock asks for an address without following where it leads, and reads the
// answer; of a stream what comes within its first moments.
func (w *browser) knock(method, path, form string) (int, string) {
	w.Helper()
	ctx, cancel := context.WithCancel(w.Context())
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, w.address+path, strings.NewReader(form))
	if err != nil {
		w.Fatal(err)
	}
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	client := *w.client
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	answer, err := client.Do(r)
	if err != nil {
		w.Fatal(err)
	}
	defer answer.Body.Close()
	if strings.HasPrefix(answer.Header.Get("Content-Type"), "text/event-stream") {
		part := make([]byte, 64<<10)
		n, _ := answer.Body.Read(part)
		return answer.StatusCode, string(part[:n])
	}
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		w.Fatal(err)
	}
	return answer.StatusCode, string(body)
}

// What is searched for, listed or guessed across sites is not there: a search, a
// number in the search field, another's command on one's own stream.
func TestRightsAcross(t *testing.T) {
	s := twoSites(t)
	lyon, own := s.as("technician-lyon"), s.as("technician-paris")
	for _, path := range []string{
		"/tickets?status=any&q=" + paris, "/tickets?status=any&q=PARIS", "/tickets?status=any&q=%23PARIS", "/tickets?status=any&q=dns",
		"/tickets?status=due", "/endpoints?q=zinc", "/gear", "/tickets/1", "/team",
	} {
		path = s.replace.Replace(path)
		if _, body := lyon.knock("GET", path, ""); strings.Contains(strings.ReplaceAll(body, `value="`+paris+`"`, ""), paris) && !strings.Contains(path, "q="+paris) || strings.Contains(body, paris+"-pc") {
			t.Errorf("%s tells of Paris", path)
		}
	}
	if _, body := own.knock("GET", "/tickets?status=any&q=dns", ""); !strings.Contains(body, paris) {
		t.Error("its own technician does not find the ticket")
	}
	if _, body := lyon.knock("GET", "/tickets/1", ""); !strings.Contains(body, "#"+fmt.Sprint(s.number)+" <span") || !strings.Contains(body, "of another site") {
		t.Error("the ticket of Lyon does not say that it is linked with one of another site")
	}
	// The run of a machine in Paris on a page of Lyon's: it is gone, as if it never was.
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, "GET", s.address+s.replace.Replace("/tickets/1/events?run=RUN"), nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := lyon.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	var got strings.Builder
	for part := make([]byte, 4096); !strings.Contains(got.String(), "event: run"); {
		n, err := answer.Body.Read(part)
		if got.Write(part[:n]); err != nil {
			t.Fatal(err)
		}
	}
	if !strings.Contains(got.String(), "not known any more") && !strings.Contains(got.String(), "gone") {
		t.Logf("the panel says %s", got.String())
	}
	if strings.Contains(got.String(), paris) || strings.Contains(got.String(), "offline") {
		t.Errorf("the run of another site is told: %s", got.String())
	}
	// Nobody is given a ticket that they may not see, by rule or by hand.
	found, err := s.desk.Ticket(t.Context(), s.number)
	if err != nil {
		t.Fatal(err)
	}
	name := "technician-lyon"
	_, err = s.desk.Update(t.Context(), desk.Actor{Role: "lead", Name: "boss"}, &deskv1.UpdateTicketRequest{
		Number: s.number, Version: found.GetTicket().GetVersion(), Assignee: &name,
	})
	if err == nil {
		t.Error("a ticket of Paris was given to somebody of Lyon")
	}
}
