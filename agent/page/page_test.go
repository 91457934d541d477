package page

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"constat/agent/local"
	constatv1 "constat/proto/constat/v1"
)

// agent answers as the page's calls need it: once, as a stream, and with an
// error. The real one is met in the tests of program constat-agent.
type agent struct {
	constatv1.UnimplementedLocalServiceServer
}

func (agent) GetStatus(context.Context, *constatv1.GetStatusRequest) (*constatv1.GetStatusResponse, error) {
	return &constatv1.GetStatusResponse{AgentVersion: "1.2.3"}, nil
}

func (agent) RunDiagnosis(r *constatv1.RunDiagnosisRequest, s grpc.ServerStreamingServer[constatv1.RunDiagnosisResponse]) error {
	for done := range int32(2) {
		if err := s.Send(&constatv1.RunDiagnosisResponse{Event: &constatv1.RunDiagnosisResponse_Progress{Progress: &constatv1.Progress{Done: done}}}); err != nil {
			return err
		}
	}
	return status.Error(codes.FailedPrecondition, "not "+r.GetProcedure())
}

// open serves a page in front of an agent.
func open(t *testing.T) *Page {
	t.Helper()
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
	t.Setenv("XDG_STATE_HOME", t.TempDir())
	socket := filepath.Join(t.TempDir(), "agent.sock")
	l, err := local.Listen(socket)
	if err != nil {
		t.Fatal(err)
	}
	go local.Serve(t.Context(), l, agent{})
	p, err := Serve(t.Context(), socket, "fr")
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// post asks as a script of the page does, with what changes about it.
func (p *Page) post(t *testing.T, path, key, body string, change func(*http.Request)) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+p.address+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+key)
	r.Header.Set("Origin", "http://"+p.address)
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	if change != nil {
		change(r)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, strings.TrimSpace(string(text))
}

// way reads the token out of a fresh file, as a browser does.
func (p *Page) way(t *testing.T, view string) string {
	t.Helper()
	file, err := p.Way(view)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("the way in is %v, %v; want a file of 0600", info.Mode(), err)
	}
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`url=http://` + regexp.QuoteMeta(p.address) + `/#(\w+)(/\w+)?"`).FindSubmatch(content)
	if found == nil || string(found[2]) != strings.TrimSuffix("/"+view, "/") {
		t.Fatalf("the way to view %q leads nowhere: %s", view, content)
	}
	return string(found[1])
}

func (p *Page) session(t *testing.T) string {
	t.Helper()
	code, body := p.post(t, "/enter", p.way(t, ""), "", nil)
	found := regexp.MustCompile(`^{"session":"(\w+)","language":"fr"}$`).FindStringSubmatch(body)
	if code != http.StatusOK || found == nil {
		t.Fatalf("entering: %d %s", code, body)
	}
	return found[1]
}

func TestCalls(t *testing.T) {
	p := open(t)
	key := p.session(t)
	for _, c := range []struct {
		method, body string
		code         int
		want         string // as one line a message
	}{
		{"GetStatus", "{}", 200, `"agentVersion":\s?"1.2.3"`},
		{"RunDiagnosis", `{"procedure":"printing"}`, 200, `(?s)"done":\s?0.*\n.*"done":\s?1.*\n{"problem":"alone","said":"not printing"}$`},
		{"SubmitTicket", "{}", 502, `{"problem":"failed","said":"method SubmitTicket not implemented"}`},
		{"Shutdown", "{}", 404, `{"problem":"unknown"`},
		{"GetStatus", `{"no":1}`, 400, `{"problem":"invalid"`},
		{"GetStatus", `{`, 400, `{"problem":"invalid"`},
		{"SubmitTicket", `{"text":"` + strings.Repeat("x", maxBody) + `"}`, 413, `{"problem":"tooLarge"`},
	} {
		code, body := p.post(t, "/agent/"+c.method, key, c.body, nil)
		if code != c.code || !regexp.MustCompile(c.want).MatchString(body) {
			t.Errorf("%s %.30s: %d %s; want %d %s", c.method, c.body, code, body, c.code, c.want)
		}
	}
}

func TestNoAgent(t *testing.T) {
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
	p, err := Serve(t.Context(), filepath.Join(t.TempDir(), "none.sock"), "fr")
	if err != nil {
		t.Fatal(err)
	}
	if code, body := p.post(t, "/agent/GetStatus", p.session(t), "{}", nil); code != http.StatusServiceUnavailable || !strings.Contains(body, "notRunning") {
		t.Errorf("without an agent: %d %s", code, body)
	}
}

// What was typed is kept for this user alone, over the end of the tray, until it was
// sent.
func TestDrafts(t *testing.T) {
	p := open(t)
	key := p.session(t)
	keep := func(p *Page, key, body string, code int, want string) {
		t.Helper()
		if got, said := p.post(t, "/drafts", key, body, nil); got != code || !strings.HasPrefix(said, want) {
			t.Errorf("%.40s: %d %s, want %d %s", body, got, said, code, want)
		}
	}
	file := filepath.Join(os.Getenv("XDG_STATE_HOME"), "constat", "drafts.json")
	keep(p, key, "{}", 200, "{}")
	if _, err := os.Stat(file); err == nil {
		t.Error("there is a file of nothing")
	}
	keep(p, key, `{"text":"Zwölf","reply 1":"Yes"}`, 200, `{"reply 1":"Yes","text":"Zwölf"}`)
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("it is kept in %v, %v", info, err)
	}
	keep(p, key, `{"text":1}`, 400, `{"problem":"invalid"`)
	keep(p, key, `{"text":"`+strings.Repeat("x", maxDraftBody)+`"}`, 413, `{"problem":"tooLarge"`)

	again, err := Serve(t.Context(), p.socket, "fr")
	if err != nil {
		t.Fatal(err)
	}
	other := again.session(t)
	keep(again, other, `{"text":""}`, 200, `{"reply 1":"Yes"}`)
	many := map[string]string{}
	for i := range maxDrafts + 1 {
		many[fmt.Sprint(i)] = "x"
	}
	body, err := json.Marshal(many)
	if err != nil {
		t.Fatal(err)
	}
	keep(again, other, string(body), 507, `{"problem":"notKept"`)
	keep(p, key, `{"reply 1":""}`, 200, "{}")
	if _, err := os.Stat(file); err == nil {
		t.Error("what was sent is left")
	}
	if err := os.WriteFile(file, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	keep(p, key, `{"text":"x"}`, 507, `{"problem":"notKept"`)
	if content, err := os.ReadFile(file); err != nil || string(content) != "{" {
		t.Errorf("what can't be read is overwritten: %s %v", content, err)
	}
}

// What a hostile page, a name that points here, a thief of old tokens or another
// program of this machine can try.
func TestStrangersGetNothing(t *testing.T) {
	p := open(t)
	key, token := p.session(t), p.way(t, "printing")
	header := func(name, value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set(name, value) }
	}
	for name, c := range map[string]struct {
		path, key string
		change    func(*http.Request)
		code      int
	}{
		"no session":              {"/agent/GetStatus", "", nil, 401},
		"a guessed session":       {"/agent/GetStatus", strings.Repeat("A", len(key)), nil, 401},
		"a token as session":      {"/agent/GetStatus", token, nil, 401},
		"a session as token":      {"/enter", key, nil, 401},
		"another page":            {"/agent/GetStatus", key, header("Origin", "http://evil.example"), 403},
		"another port":            {"/agent/GetStatus", key, header("Origin", "http://127.0.0.1:1"), 403},
		"a page without a name":   {"/agent/GetStatus", key, header("Origin", "null"), 403},
		"a form of another site":  {"/agent/GetStatus", key, header("Sec-Fetch-Site", "cross-site"), 403},
		"a name that points here": {"/agent/GetStatus", key, func(r *http.Request) { r.Host = "evil.example:" + strings.Split(p.address, ":")[1] }, 421},
		"another name of this":    {"/agent/GetStatus", key, func(r *http.Request) { r.Host = strings.Replace(p.address, "127.0.0.1", "localhost", 1) }, 421},
		"what somebody typed":     {"/drafts", "", nil, 401},
		"a page for the words":    {"/drafts", key, header("Origin", "http://evil.example"), 403},
		"a way out of the files":  {"/../page.go", key, nil, 405},
	} {
		if code, body := p.post(t, c.path, c.key, "{}", c.change); code != c.code || strings.Contains(body, "1.2.3") {
			t.Errorf("%s: %d %s, want %d", name, code, body, c.code)
		}
	}
	if code, _ := p.post(t, "/enter", token, "", nil); code != http.StatusOK {
		t.Errorf("the token that nobody used is %d", code)
	}
	if code, _ := p.post(t, "/enter", token, "", nil); code != http.StatusUnauthorized {
		t.Errorf("a token that was used is %d", code)
	}
}

func TestFilesAreHarmless(t *testing.T) {
	p := open(t)
	for path, code := range map[string]int{"/": 200, "/page.js": 200, "/page.css": 200, "/words.fr.json": 200, "/nothing": 404, "/page.go": 404} {
		answer, err := http.Get("http://" + p.address + path)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		policy := answer.Header.Get("Content-Security-Policy")
		if answer.StatusCode != code || !strings.Contains(policy, "default-src 'none'") || !strings.Contains(policy, "frame-ancestors 'none'") || strings.Contains(policy, "unsafe") {
			t.Errorf("%s: %d with %q, want %d", path, answer.StatusCode, policy, code)
		}
	}
	for _, name := range append(scripts, "index.html", "page.css") {
		content, err := static.ReadFile("static/" + name)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(content, []byte("innerHTML")) || bytes.Contains(content, []byte("//cdn")) || regexp.MustCompile(`https?://`).Match(content) {
			t.Errorf("%s writes HTML, or fetches from elsewhere", name)
		}
	}
}

// A browser from a snap reads no hidden folder of its user's, and not the runtime
// directory (snapcraft.io/docs/home-interface): the way lies in its own. No snap was at
// hand: the rule is followed, and was not tried.
func TestWayForASnap(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("snaps are Linux's")
	}
	home, bin := t.TempDir(), t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	own := filepath.Join(home, "snap", "firefox", "common")
	if err := os.MkdirAll(own, 0o755); err != nil {
		t.Fatal(err)
	}
	p := open(t)
	for browser, want := range map[string]string{"firefox_firefox.desktop": own, "firefox.desktop": os.Getenv("XDG_RUNTIME_DIR"), "../../x_y.desktop": os.Getenv("XDG_RUNTIME_DIR")} {
		if err := os.WriteFile(filepath.Join(bin, "xdg-settings"), []byte("#!/bin/sh\necho "+browser+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
		file, err := p.Way("")
		if err != nil || filepath.Dir(file) != filepath.Join(want, "constat") {
			t.Errorf("for %s the way is %s, %v", browser, file, err)
		}
	}
}

// Connections of other users are closed by the kernel's word.
func TestOwner(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	s, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if !sameUser(s) {
		t.Error("our own connection is another user's")
	}
}
