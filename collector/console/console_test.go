package console

import (
	"bufio"
	"context"
	"fmt"
	"html"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"constat/internal/snapshot"
	constatv1 "constat/proto/constat/v1"
)

func TestNothingWithoutSignIn(t *testing.T) {
	b := newBench(t)
	_, number := b.machineAsks("compta-07", "Claire", "hello", "internet", dnsDiagnosis)
	for _, path := range []string{"/", "/tickets", fmt.Sprintf("/tickets/%d", number), "/tickets/999", "/tickets/new", "/team", "/team/x", "/service", "/notices", "/notices/rule", "/delivery", "/endpoints", "/endpoints/x", "/faults", "/faults/x", "/style", "/password", "/nowhere"} {
		w := b.browser()
		if p := w.get(path); !strings.HasPrefix(p.path, "/sign-in?next=") {
			t.Errorf("%s without sign-in showed %s", path, p.path)
		}
	}
	w := b.browser()
	events := fmt.Sprintf("/tickets/%d/events", number)
	w.wants(w.get(events, "Accept", "text/event-stream"), http.StatusUnauthorized)
	for _, path := range []string{"/tickets", fmt.Sprintf("/tickets/%d", number), "/endpoints/x/diagnose", "/password", "/sign-out"} {
		w.wants(w.post(path), http.StatusUnauthorized)
	}
	p := w.wants(w.post(fmt.Sprintf("/tickets/%d", number), "text", "a long reply"), http.StatusUnauthorized, "a long reply")
	if strings.Contains(p.body, "compta-07") {
		t.Error("the ticket shows through")
	}
	// What was typed stands in the form again after the sign-in.
	p = w.post("/sign-in", "name", "lea", "password", password, "next", fmt.Sprintf("/tickets/%d", number), "text", "a long reply")
	w.wants(p, http.StatusOK, ">a long reply</textarea>")
}

func TestSignIn(t *testing.T) {
	b := newBench(t)
	w := b.browser()
	w.wants(w.post("/sign-in", "name", "lea", "password", "wrong"), http.StatusUnauthorized, "do not match", `value="lea"`)
	w.wants(w.post("/sign-in", "name", "nobody", "password", "wrong"), http.StatusUnauthorized, "do not match")
	if p := w.get("/sign-in?next=/faults"); !strings.Contains(p.body, `value="/faults"`) {
		t.Error("the page does not know where to go next")
	}
	before := w.cookie()
	if p := w.post("/sign-in", "name", "lea", "password", password, "next", "//evil.example/x"); p.path != "/tickets" {
		t.Errorf("led to %s", p.path)
	}
	if w.cookie() == before {
		t.Error("the session's token did not change at the sign-in")
	}
	signedIn := w.cookie()
	if p := w.post("/sign-out"); p.path != "/sign-in" {
		t.Errorf("signing out led to %s", p.path)
	}
	if p := w.get("/tickets", "Cookie", "constat="+signedIn); !strings.HasPrefix(p.path, "/sign-in") {
		t.Error("the old session still works")
	}
}

// cookie is the token of the browser's session.
func (w *browser) cookie() string {
	w.Helper()
	r, err := http.NewRequest("GET", w.address+"/", nil)
	if err != nil {
		w.Fatal(err)
	}
	for _, cookie := range w.client.Jar.Cookies(r.URL) {
		if cookie.Name == "constat" {
			return cookie.Value
		}
	}
	return ""
}

func TestThrottledSignInSaysSo(t *testing.T) {
	w := newBench(t).browser()
	for range 100 {
		if p := w.post("/sign-in", "name", "lea", "password", "wrong"); p.status == http.StatusTooManyRequests {
			w.wants(p, http.StatusTooManyRequests, "Too many attempts")
			return
		}
	}
	t.Error("a hundred wrong passwords were all checked")
}

func TestOneTimeLinkWorksOnce(t *testing.T) {
	b := newBench(t)
	if _, err := b.accounts.Create(t.Context(), "nina", "", "technician", ""); err != nil {
		t.Fatal(err)
	}
	token, err := b.accounts.OneTimeLink(t.Context(), "nina", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	link := "/sign-in/link/" + token
	// Programs that look into mails open links, again and again.
	for range 3 {
		w := b.browser()
		w.wants(w.get(link), http.StatusOK, `method="post"`)
	}
	w := b.browser()
	p := w.post(link)
	w.wants(p, http.StatusOK, "Welcome, nina")
	if p.path != "/password" {
		t.Errorf("led to %s", p.path)
	}
	w.wants(w.post("/password", "new", "a b c d e f g", "again", "other"), http.StatusUnprocessableEntity, "not the same")
	w.wants(w.post("/password", "new", "x", "again", "x"), http.StatusUnprocessableEntity, "not accepted")
	w.wants(w.post("/password", "new", "four words in rows", "again", "four words in rows"), http.StatusOK, "new password is saved")
	// From now on the present password is asked for.
	w.wants(w.post("/password", "new", "another five words here", "again", "another five words here", "current", "no"), http.StatusUnprocessableEntity, "present password is not right")

	other := b.browser()
	other.wants(other.post(link), http.StatusGone, "does not work any more")
	if p := other.post("/sign-in", "name", "nina", "password", "four words in rows"); p.path != "/tickets" {
		t.Errorf("the chosen password led to %s", p.path)
	}
}

// What somebody is told by mail is in the language they read the console in.
func TestLanguageIsKept(t *testing.T) {
	b := newBench(t)
	if _, err := b.accounts.Create(t.Context(), "nina", "", "technician", "four words in rows"); err != nil {
		t.Fatal(err)
	}
	keeps := func(want string) {
		t.Helper()
		if u, err := b.accounts.Named(t.Context(), "nina"); err != nil || u.Language != want {
			t.Errorf("%q is kept (%v), want %q", u.Language, err, want)
		}
	}
	w := b.browser()
	w.post("/language", "language", "fr", "back", "/sign-in")
	keeps("")
	w.post("/sign-in", "name", "nina", "password", "four words in rows")
	keeps("fr")
	w.post("/language", "language", "tlh", "back", "/tickets")
	w.post("/language", "language", "en", "back", "/tickets")
	keeps("en")
	// Where somebody else chose another one before, it stays theirs.
	other := b.browser()
	other.post("/language", "language", "fr", "back", "/sign-in")
	other.post("/sign-in", "name", "nina", "password", "four words in rows")
	keeps("en")
}

// A password that is changed ends the sessions it began elsewhere, and only those.
func TestNewPasswordEndsOtherSessions(t *testing.T) {
	b := newBench(t)
	here, elsewhere, colleague := b.as("lea"), b.as("lea"), b.as("marc")
	here.wants(here.post("/password", "current", password, "new", "four words in rows", "again", "four words in rows"), http.StatusOK, "new password is saved")
	if p := here.get("/tickets"); p.path != "/tickets" {
		t.Error("the session that changed the password ended")
	}
	if p := colleague.get("/tickets"); p.path != "/tickets" {
		t.Error("a colleague's session ended")
	}
	if p := elsewhere.get("/tickets"); !strings.HasPrefix(p.path, "/sign-in") {
		t.Error("the other session goes on with the old password")
	}
}

// Whoever signs in next in the same browser needs the password to change it.
func TestNothingStaysOfWhoWasHere(t *testing.T) {
	b := newBench(t)
	token, err := b.accounts.OneTimeLink(t.Context(), "lea", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	w := b.browser()
	w.post("/sign-in/link/" + token)
	w.post("/sign-in", "name", "marc", "password", password)
	w.wants(w.get("/password"), http.StatusOK, `name="current"`)
}

// Strangers choose their language without a row in the database each.
func TestLanguageOfStrangers(t *testing.T) {
	w := newBench(t).browser()
	w.wants(w.post("/language", "language", "fr", "back", "/sign-in"), http.StatusOK, "Se connecter")
	w.post("/language", "language", "tlh", "back", "/sign-in")
	w.wants(w.get("/sign-in"), http.StatusOK, "Se connecter")
	if w.cookie() != "" {
		t.Error("a session began")
	}
}

func TestCrossOriginIsRefused(t *testing.T) {
	b := newBench(t)
	w := b.as("lea")
	for _, header := range [][]string{{"Sec-Fetch-Site", "cross-site"}, {"Origin", "https://evil.example"}} {
		p := w.do("POST", "/sign-out", nil, header...)
		w.wants(p, http.StatusForbidden, "another site")
	}
	if p := w.get("/tickets"); p.path != "/tickets" {
		t.Error("signed out by another site")
	}
}

func TestHeaders(t *testing.T) {
	b := newBench(t)
	w := b.as("lea")
	for _, path := range []string{"/tickets", "/nowhere", "/static/console.css"} {
		h := w.get(path).header
		if got := h.Get("Content-Security-Policy"); got != contentSecurityPolicy {
			t.Errorf("%s: policy %q", path, got)
		}
		if h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Referrer-Policy") == "" {
			t.Errorf("%s: headers %v", path, h)
		}
	}
	if w.get(assets["console.css"]).header.Get("Cache-Control") == w.get("/tickets").header.Get("Cache-Control") {
		t.Error("assets are not kept by browsers")
	}
}

func TestTheDiagnosisIsOnTheTicket(t *testing.T) {
	b := newBench(t)
	endpoint, number := b.machineAsks("compta-07", "Claire Martin", "Rien ne s'ouvre.", "internet", dnsDiagnosis)
	w := b.as("lea")
	p := w.wants(w.get(fmt.Sprintf("/tickets/%d", number)), http.StatusOK,
		"Confirmed", "192.0.2.53", "timeout", "Proof", "Explains", "What to do", "Tell the user", "Could also be", "Not seen",
		"rights are missing", "2 faults could not be judged", "Claire Martin", "compta-07", "Rien ne s&#39;ouvre.", "/endpoints/"+endpoint,
		"when a fact of the proof changed", "Changed last before that", "192.0.2.1")
	if strings.Index(p.body, "Confirmed") > strings.Index(p.body, ">History<") {
		t.Error("the diagnosis does not come first")
	}
	w.wants(w.get("/tickets"), http.StatusOK, fmt.Sprintf("#%d", number), "compta-07", "Confirmed")
	w.wants(w.get("/tickets?q=compta-07"), http.StatusOK, fmt.Sprintf("#%d", number))
	w.wants(w.get("/tickets?q=nothinglikethis"), http.StatusOK, "No ticket matches")
	w.wants(w.get("/endpoints"), http.StatusOK, "compta-07")
	w.wants(w.get("/endpoints/"+endpoint), http.StatusOK, "OptiPlex 7090", "16 GiB", "Not known", "SMART needs the privileged helper", "the printer asks for a password", fmt.Sprintf("#%d", number))
	w.wants(w.get("/style"), http.StatusOK, "--accent")

	w.post("/language", "language", "fr", "back", "/tickets")
	w.wants(w.get(fmt.Sprintf("/tickets/%d", number)), http.StatusOK, `<html lang="fr">`, "Preuves", "Que faire", "quand un fait de la preuve a changé", "Derniers changements avant cela", "Question DNS 192.0.2.53")
}

func TestFaultPages(t *testing.T) {
	w := newBench(t).as("lea")
	p := w.wants(w.get("/faults"), http.StatusOK)
	links := regexp.MustCompile(`href="(/faults/[^"]+)"`).FindAllStringSubmatch(p.body, -1)
	if len(links) == 0 {
		t.Fatal("no faults listed")
	}
	for _, link := range links {
		w.wants(w.get(link[1]), http.StatusOK, "What it is", "What to do", "When it shows", "What proves it")
	}
}

// A page says how a fault is known, from the rule itself.
func TestFaultPageWordsItsRule(t *testing.T) {
	w := newBench(t).as("lea")
	w.wants(w.get("/faults/os-disk-full"), http.StatusOK,
		"at least one, File system, with", "Used, share at least 98 %", "Free below 5 GiB", "statvfs")
	w.wants(w.get("/faults/net-no-default-route"), http.StatusOK,
		"Routes: none", "servers beyond the router answer by their addresses", "Result: “ok”", "ask for an address anew")
	w.post("/language", "language", "fr", "back", "/faults")
	w.wants(w.get("/faults/os-disk-full"), http.StatusOK, "Comment on le sait", "Système de fichiers", "au moins 98 %")
	w.wants(w.get("/faults/printer-output-full"), http.StatusOK, "commence par", "output-area-full", "903")
}

func TestFaultsAreFiltered(t *testing.T) {
	w := newBench(t).as("lea")
	p := w.wants(w.get("/faults?q=Paper+TRAY"), http.StatusOK, "/faults/printer-output-full")
	if strings.Contains(p.body, "/faults/net-dns-slow") {
		t.Error("a fault without the words is listed")
	}
	w.wants(w.get("/faults?q=nothinglikethis"), http.StatusOK, "No fault has these words")
	w.post("/language", "language", "fr", "back", "/faults")
	w.wants(w.get("/faults?q=cable+reseau"), http.StatusOK, "/faults/net-link-no-carrier") // without its accents
}

func TestForgedAddresses(t *testing.T) {
	b := newBench(t)
	w := b.as("lea")
	for _, path := range []string{"/tickets/999", "/tickets/0", "/tickets/-1", "/tickets/abc", "/tickets/99999999999999", "/tickets/1%27%20OR%201=1", "/endpoints/nothing", "/faults/nothing", "/nowhere", "/tickets/1/../../etc"} {
		w.wants(w.get(path), http.StatusNotFound, "There is nothing here")
	}
	w.wants(w.post("/tickets/999", "text", "x"), http.StatusNotFound)
	w.wants(w.post("/tickets/999/diagnose"), http.StatusNotFound)
	w.wants(w.post("/endpoints/nothing/diagnose"), http.StatusNotFound)
}

func TestNewTicket(t *testing.T) {
	b := newBench(t)
	b.enrol("compta-07")
	w := b.as("lea")
	form := []string{"id", newID(), "requester", "claire", "complaint", "printing", "endpoint", "compta-07", "text", "Nothing comes out."}
	first := w.wants(w.post("/tickets", form...), http.StatusOK, "The ticket is open", "Nothing comes out.", "compta-07")
	// Sent twice, it is opened once.
	if again := w.post("/tickets", form...); again.path != first.path {
		t.Errorf("the second time led to %s, the first to %s", again.path, first.path)
	}
	w.wants(w.post("/tickets", "id", newID(), "requester", "claire", "complaint", "slow", "endpoint", "no-such", "text", "kept text"),
		http.StatusUnprocessableEntity, "No machine is called “no-such”", "kept text")
}

func TestWorkOnATicket(t *testing.T) {
	b := newBench(t)
	_, number := b.machineAsks("compta-07", "Claire", "help", "internet", dnsDiagnosis)
	path := fmt.Sprintf("/tickets/%d", number)
	lea, marc := b.as("lea"), b.as("marc")
	form := lea.form(path)
	lea.wants(lea.post(path, form.with("text", "We are on it.", "kind", "message", "status", "open", "assignee", "lea")...),
		http.StatusOK, "Saved.", "We are on it.", "changed the status from New to Open")
	lea.wants(lea.post(path, lea.form(path)...), http.StatusUnprocessableEntity, "nothing to save yet")
	lea.wants(lea.post(path, lea.form(path).with("text", "between us", "kind", "note")...), http.StatusOK, "between us", "for technicians only")

	// Marc saw the ticket before Lea took it. He changes another field: no
	// conflict. He changes the same one: both versions, and his text is kept.
	stale := marc.form(path)
	lea.post(path, lea.form(path).with("assignee", "")...)
	marc.wants(marc.post(path, stale.with("status", "pending")...), http.StatusOK, "Saved.")
	lea.post(path, lea.form(path).with("status", "solved")...)
	p := marc.wants(marc.post(path, stale.with("status", "closed", "text", "a long answer", "kind", "message")...), http.StatusConflict, "Somebody else changed this too", "Solved", "Closed", ">a long answer</textarea>")
	if after := marc.get(path); strings.Contains(after.body, "a long answer") {
		t.Error("part of a conflicting change was saved")
	}
	marc.wants(marc.post(path, fields(p.body, "/tickets/").with("status", "closed")...), http.StatusOK, "Saved.", "a long answer", "from Solved to Closed")
}

// values are the fields of a form: names and values.
type values []string

var inputs = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)"|<textarea id="([^"]*)" name="[^"]*"[^>]*>([^<]*)</textarea>`)

// fields are the hidden and text fields of the form that is sent to an address.
func fields(body, action string) values {
	var v values
	for _, form := range strings.Split(body, "<form")[1:] {
		if !strings.Contains(form[:strings.Index(form, ">")], `action="`+action) || !strings.Contains(form, `name="entry"`) {
			continue
		}
		for _, match := range inputs.FindAllStringSubmatch(form[:strings.Index(form, "</form>")], -1) {
			v = append(v, match[1]+match[3], html.UnescapeString(match[2]+match[4]))
		}
	}
	return v
}

// form reads the fields of a ticket's form as they stand in its page.
func (w *browser) form(path string) values {
	w.Helper()
	v := fields(w.get(path).body, path)
	if len(v) == 0 {
		w.Fatalf("no form in %s", path)
	}
	return v
}

// with sets fields.
func (v values) with(pairs ...string) values {
	set := append(values{}, v...)
	for i := 0; i+1 < len(pairs); i += 2 {
		replaced := false
		for j := 0; j+1 < len(set); j += 2 {
			if set[j] == pairs[i] {
				set[j+1], replaced = pairs[i+1], true
			}
		}
		if !replaced {
			set = append(set, pairs[i], pairs[i+1])
		}
	}
	return set
}

func TestSendingAReplyTwiceAddsItOnce(t *testing.T) {
	b := newBench(t)
	_, number := b.machineAsks("compta-07", "Claire", "help", "internet", dnsDiagnosis)
	path := fmt.Sprintf("/tickets/%d", number)
	w := b.as("lea")
	form := w.form(path).with("text", "only once please", "kind", "message")
	w.post(path, form...)
	p := w.post(path, form...)
	if n := strings.Count(w.get(path).body, ">only once please</p>"); n != 1 {
		t.Errorf("the reply stands there %d times\n%s", n, p.body)
	}
}

func TestMarkupIsShownNeverRun(t *testing.T) {
	const evil = `"><script>alert(1)</script><img src=x onerror=alert(1)>'{{.}}`
	b := newBench(t)
	conclude := func(id, snapshot string, now time.Time) *constatv1.Diagnosis {
		d := dnsDiagnosis(id, snapshot, now)
		d.NextStep = evil
		c := d.RootCauses[0]
		c.Fault, c.Title, c.Component, c.Evidence[0].Fact, c.Evidence[0].Value, c.Evidence[0].Source = "x"+evil, evil, evil, evil, evil, evil
		c.Explains, c.Advice.User, c.Advice.Technician = []string{evil}, evil, evil
		d.Hypotheses[0].Title, d.Hypotheses[0].Check, d.Undetermined[0].Missing[0] = evil, evil, evil
		d.Unobserved[0].Group, d.Unobserved[0].Observation.Reason = evil, evil
		return d
	}
	endpoint, number := b.machineAsks("host"+evil, evil, evil, "internet", conclude)
	path := fmt.Sprintf("/tickets/%d", number)
	w := b.as("lea")
	w.post(path, w.form(path).with("text", evil, "kind", "note")...)
	w.post("/tickets", "id", newID(), "requester", evil, "mail", evil, "complaint", evil, "text", evil)
	for _, address := range []string{path, "/tickets", "/tickets?q=" + "%22%3E%3Cscript%3E", "/endpoints", "/endpoints/" + endpoint, "/endpoints?q=%22%3E%3Cscript%3Ealert(1)", "/tickets/new?text=%3Cscript%3E&endpoint=%22%3E%3Cscript%3E", "/sign-in?next=%22%3E%3Cscript%3E"} {
		p := w.get(address)
		for _, bad := range []string{"<script>alert", "<img src=x", `"><script`} {
			if strings.Contains(p.body, bad) {
				t.Errorf("%s holds %q", address, bad)
			}
		}
	}
	w.wants(w.get(path), http.StatusOK, "&lt;script&gt;alert(1)")
	signIn := b.browser()
	if p := signIn.post("/sign-in", "name", evil, "password", "x", "next", evil, "text", evil); strings.Contains(p.body, "<script>alert") {
		t.Error("the sign-in page repeats markup")
	}
}

func TestTooMuchText(t *testing.T) {
	b := newBench(t)
	_, number := b.machineAsks("compta-07", "Claire", "help", "internet", dnsDiagnosis)
	w := b.as("lea")
	w.wants(w.post(fmt.Sprintf("/tickets/%d", number), "text", strings.Repeat("x", 2<<20)), http.StatusRequestEntityTooLarge, "too much text")
}

// stream reads server-sent events until one satisfies done.
func (w *browser) stream(path string, ready func(), done func(name, data string) bool) {
	w.Helper()
	ctx, cancel := context.WithTimeout(w.Context(), 20*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, "GET", w.address+path, nil)
	if err != nil {
		w.Fatal(err)
	}
	answer, err := w.client.Do(r)
	if err != nil {
		w.Fatal(err)
	}
	defer answer.Body.Close()
	if got := answer.Header.Get("Content-Type"); got != "text/event-stream" {
		w.Fatalf("%s answers %d with %s", path, answer.StatusCode, got)
	}
	lines := bufio.NewScanner(answer.Body)
	lines.Buffer(nil, 1<<20)
	name, data := "", ""
	for lines.Scan() {
		switch line := lines.Text(); {
		case strings.HasPrefix(line, ":"):
			if ready != nil {
				ready()
				ready = nil
			}
		case strings.HasPrefix(line, "event: "):
			name = strings.TrimPrefix(line, "event: ")
		case strings.HasPrefix(line, "data: "):
			data += strings.TrimPrefix(line, "data: ") + "\n"
		case line == "" && name != "":
			if done(name, data) {
				return
			}
			name, data = "", ""
		}
	}
	w.Fatalf("%s ended before what was waited for came: %v", path, lines.Err())
}

func TestPulledDiagnosisIsFollowedLive(t *testing.T) {
	b := newBench(t)
	endpoint, number := b.machineAsks("compta-07", "Claire", "help", "internet", dnsDiagnosis)
	w := b.as("lea")
	path := fmt.Sprintf("/tickets/%d", number)

	p := w.do("POST", path+"/diagnose", map[string][]string{"procedure": {"printing"}}, "HX-Request", "true")
	w.wants(p, http.StatusOK, `data-stream="`+path+"/events?run=")
	run := regexp.MustCompile(`run=([^"]+)`).FindStringSubmatch(p.body)[1]
	w.wants(w.get(path+"?run="+run), http.StatusOK, "A diagnosis runs")

	// The machine is away: the page says until when it waits.
	w.stream(path+"/events?run="+run, nil, func(name, data string) bool {
		return name == "run" && strings.Contains(data, "Waiting for the machine until")
	})

	// It comes back and does what it was asked.
	held := make(chan struct{})
	close(held)
	ended := b.answer(endpoint, held)
	var finished bool
	w.stream(path+"/events?run="+run, nil, func(name, data string) bool {
		finished = finished || name == "run" && strings.Contains(data, "A fault was found")
		return finished && name == "changed"
	})
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	w.wants(w.get(path), http.StatusOK, "Accounting-2", "asked for by a technician")
	// Who comes later sees how it ended.
	w.stream(path+"/events?run="+run, nil, func(name, data string) bool {
		return name == "run" && strings.Contains(data, "A fault was found")
	})
	w.stream(path+"/events?run=no-such-run", nil, func(name, data string) bool {
		return name == "run" && strings.Contains(data, "not known any more")
	})
}

func TestMachineIsDiagnosedWithoutATicket(t *testing.T) {
	b := newBench(t)
	endpoint := b.enrol("compta-07")
	w := b.as("lea")
	path := "/endpoints/" + endpoint
	p := w.wants(w.post(path+"/diagnose", "procedure", "printing"), http.StatusOK, "A diagnosis runs", "Nothing was observed on this machine yet")
	held := make(chan struct{})
	close(held)
	ended := b.answer(endpoint, held)
	events := strings.Replace(p.path, "?", "/events?", 1)
	shown := false
	w.stream(events, nil, func(name, data string) bool {
		shown = shown || name == "run" && strings.Contains(data, "Accounting-2")
		return shown && name == "end"
	})
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	w.wants(w.get(path), http.StatusOK, "Last diagnoses", "Printing: ")
}

// What was mended on a machine stands on its page, also what belongs to no ticket.
func TestMachineTellsWhatWasMendedThere(t *testing.T) {
	b := newBench(t)
	endpoint := b.enrol("compta-07")
	b.upload(endpoint, &constatv1.Report{Content: &constatv1.Report_Remedy{Remedy: &constatv1.RemedyResult{
		Id: newID(), Verb: "repair-package", Component: "editor", Outcome: "failed", RequestedBy: "anna", ConsentedBy: "anna", At: timestamppb.Now(),
		Reason: "/usr/bin/apt-get: failed; its words: journalctl -u constat-remedy-package.service",
	}}})
	b.as("lea").wants(b.as("lea").get("/endpoints/"+endpoint), http.StatusOK, "What was mended here", "repair a program (editor)", "agreed to by anna", "constat-remedy-package.service")
}

// A page that refreshes a part of itself between a deed and the page that tells of
// it leaves the telling to that page.
func TestRefreshLeavesTheFlash(t *testing.T) {
	b := newBench(t)
	_, number := b.machineAsks("compta-07", "Claire", "help", "internet", dnsDiagnosis)
	path := fmt.Sprintf("/tickets/%d", number)
	w := b.as("lea")
	w.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	w.wants(w.post(path, w.form(path).with("text", "hello", "kind", "note")...), http.StatusSeeOther)
	if p := w.do("GET", path, nil, "HX-Request", "true"); strings.Contains(p.body, "data-draft-done") {
		t.Error("a part of the page tells what the next page is to tell")
	}
	w.wants(w.get(path), http.StatusOK, "data-draft-done")
	if p := w.get(path); strings.Contains(p.body, "data-draft-done") {
		t.Error("it is told twice")
	}
}

func TestMachinePageTellsOfTwins(t *testing.T) {
	b := newBench(t)
	endpoint := b.enrol("compta-07")
	for i := range 4 {
		err := b.desk.Connected(t.Context(), endpoint, fmt.Sprintf("192.0.2.%d", i%2), &constatv1.Hello{
			Hostname: "compta-07", OsFamily: "linux", Instance: fmt.Sprint(i % 2), HardwareHash: fmt.Sprint(i % 2),
		})
		if err != nil {
			w := b.as("lea")
			w.wants(w.get("/endpoints/"+endpoint), http.StatusOK, "Two live computers", "192.0.2.0", "the copy")
			return
		}
		b.desk.Disconnected(t.Context(), endpoint)
	}
	t.Error("the copy was never refused")
}

func TestMachinePageTellsThatItWasSetUpAnew(t *testing.T) {
	b := newBench(t)
	token := []byte(newID())
	if err := b.desk.NewEnrolmentToken(t.Context(), token, 2, b.now().Add(time.Hour), ""); err != nil {
		t.Fatal(err)
	}
	var endpoint, certificate, formerly string
	for _, machine := range []string{"old", "new"} {
		formerly = certificate
		var err error
		endpoint, err = b.desk.Enroll(t.Context(), token, &constatv1.EnrollRequest{Hostname: "compta-07", MachineHash: machine, HardwareHash: "board", OsFamily: "linux"}, func(string) (string, time.Time, error) {
			certificate = newID()
			return certificate, b.now().Add(time.Hour), nil
		})
		if err != nil {
			t.Fatal(err)
		}
		s := &constatv1.Snapshot{
			Manifest: &constatv1.Manifest{Id: newID(), TakenAt: timestamppb.New(b.now()), Groups: []*constatv1.GroupEntry{{Group: "hardware", Observation: &constatv1.Observation{Status: "observed"}}}},
			Hardware: &constatv1.Hardware{System: &constatv1.System{Serial: proto.String("ABC123")}},
		}
		payloads := snapshot.Payloads(s)
		b.upload(endpoint, &constatv1.Report{Content: &constatv1.Report_Snapshot{Snapshot: &constatv1.SnapshotReport{Manifest: s.Manifest, Payloads: payloads}}})
	}
	w := b.as("lea")
	w.wants(w.get("/endpoints/"+endpoint), http.StatusOK, "This computer was set up anew", ">Set up anew</td><td>compta-07</td><td>compta-07</td>")
	if _, revoked, err := b.desk.CertificateState(t.Context(), formerly); err != nil || !revoked {
		t.Errorf("the former certificate: revoked %v, %v", revoked, err)
	}
	w.wants(w.get("/endpoints/"+endpoint), http.StatusOK, "Another computer still has the system of before")
}

func TestPageHearsOfChanges(t *testing.T) {
	b := newBench(t)
	_, number := b.machineAsks("compta-07", "Claire", "help", "internet", dnsDiagnosis)
	path := fmt.Sprintf("/tickets/%d", number)
	lea, marc := b.as("lea"), b.as("marc")
	lea.stream(path+"/events", func() {
		marc.post(path, marc.form(path).with("text", "hello", "kind", "note")...)
	}, func(name, _ string) bool { return name == "changed" })
}
