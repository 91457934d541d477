// Package page is the page on which a person at this machine says what is not
// working, watches it being looked into, reads the answer, agrees to what can be
// done about it, and asks for help. The tray serves it on loopback for its own
// user and nobody else:
//
//   - It is reached by a one-time token in a file that only this user can read
//     (Page.Way), in the fragment of an address: it is on no command line, in
//     no log and never on the wire but once.
//   - What the token is traded for lives in the tab, bound to this port, and goes
//     along as a header: another page can neither read nor send it.
//   - The kernel says whose connection it is; another user's is closed.
//   - A request names this very address as its host, so that no name that was
//     pointed at 127.0.0.1 gets anything.
//
// What the page can ask is LocalService, as the same user, and to keep what that
// user types until it is sent; nothing else.
package page

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"
)

//go:embed static
var static embed.FS

const (
	// tokenFor is how long a browser may take to open the page.
	tokenFor = time.Minute
	// maxSessions bounds the tabs; the oldest one is asked to open the page anew.
	maxSessions = 16
)

// Page is the page while it is served.
type Page struct {
	socket   string
	language string
	address  string
	drafts   drafts

	mu       sync.Mutex
	ways     map[string]way // by their tokens
	sessions []string       // oldest first
}

// way is a way in that nobody took yet.
type way struct {
	file  string
	until time.Time
}

// Serve begins to serve the page of the agent that listens on socket, in a
// language, until ctx ends. It costs nothing while no page is open.
func Serve(ctx context.Context, socket, language string) (*Page, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("the page cannot be served: %w", err)
	}
	p := &Page{socket: socket, language: language, address: listener.Addr().String(), ways: map[string]way{}}
	server := &http.Server{
		Handler:           p.handler(),
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
		ConnContext:       withPeer,
	}
	context.AfterFunc(ctx, func() {
		_ = server.Close()
		p.mu.Lock()
		defer p.mu.Unlock()
		for _, w := range p.ways {
			os.Remove(w.file)
		}
	})
	go func() { _ = server.Serve(listener) }() // ends with ctx; there is nobody to tell
	return p, nil
}

func (p *Page) handler() http.Handler {
	files, err := fs.Sub(static, "static")
	if err != nil {
		panic(err) // the folder is embedded
	}
	mux := http.NewServeMux()
	mux.Handle("GET /", http.FileServerFS(files))
	mux.HandleFunc("GET /favicon.ico", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	mux.HandleFunc("POST /enter", p.enter)
	mux.Handle("POST /drafts", p.known(http.HandlerFunc(p.keep)))
	mux.Handle("POST /agent/{method}", p.known(http.HandlerFunc(p.call)))
	return p.guard(mux)
}

// guard refuses what does not come from this user's browser for this page, and
// says what a browser may do with what it gets.
func (p *Page) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		origin, site := r.Header.Get("Origin"), r.Header.Get("Sec-Fetch-Site")
		switch {
		case r.Host != p.address:
			http.Error(w, "this page has one address only", http.StatusMisdirectedRequest)
		case !ownPeer(r.Context()):
			http.Error(w, "this page is another user's", http.StatusForbidden)
		case r.Method != http.MethodGet && (origin != "" && origin != "http://"+p.address || site != "" && site != "same-origin"):
			http.Error(w, "another page may not ask", http.StatusForbidden)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// enter trades a one-time token for a session.
func (p *Page) enter(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	taken, ok := p.ways[token]
	delete(p.ways, token)
	if ok {
		os.Remove(taken.file)
	}
	if !ok || time.Now().After(taken.until) {
		http.Error(w, "this way in was used already, or is too old", http.StatusUnauthorized)
		return
	}
	session := rand.Text()
	if p.sessions = append(p.sessions, session); len(p.sessions) > maxSessions {
		p.sessions = p.sessions[1:]
	}
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprintf(w, `{"session":%q,"language":%q}`, session, p.language)
}

// known lets tabs pass that came in by a token.
func (p *Page) known(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		shown, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		p.mu.Lock()
		found := false
		for _, s := range p.sessions {
			found = subtle.ConstantTimeCompare([]byte(s), []byte(shown)) == 1 || found
		}
		p.mu.Unlock()
		if !found {
			refuse(w, http.StatusUnauthorized, "session", errors.New("open this page from the tray again"))
			return
		}
		next.ServeHTTP(w, r)
	})
}
