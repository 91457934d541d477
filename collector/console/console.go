// Package console is the technicians' web console: tickets with their diagnosis,
// machines with their facts, and the reference of faults.
//
// Pages are HTML rendered here; htmx swaps parts of them and server-sent events
// bring what changes while a page is looked at. Every page also works without
// script. Nothing is loaded from elsewhere: templates, style, script and
// messages in English and French are embedded, and the Content-Security-Policy
// forbids the rest.
//
// The console decides nothing: it asks the desk, as every other channel does.
package console

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"mime/multipart"
	"net/http"
	"strings"
	"time"

	"github.com/alexedwards/scs/v2"

	"constat/collector/account"
	"constat/collector/courier"
	"constat/collector/desk"
	"constat/collector/store"
	"constat/internal/fault"
	constatv1 "constat/proto/constat/v1"
)

// Options are what the console needs to know about where it runs.
type Options struct {
	// BaseURL is the address people type, such as "https://desk.example.org".
	// With https, cookies are only ever sent over TLS.
	BaseURL string
	// Store keeps who is signed in, so that a restart signs nobody out.
	Store *store.Store
	// Log gets what went wrong; nil: slog.Default().
	Log *slog.Logger
	// Stopping ends the live streams when it is done, so that a server can be
	// shut down while pages are open; nil: they end with their connections.
	Stopping context.Context
	// Courier brings mails and webhooks out of the house.
	Courier *courier.Courier
}

// inMemory is how much of the files of a form is kept in memory, in bytes.
const inMemory = 1 << 20

// sessionLifetime is how long a sign-in lasts: a working day with its breaks.
const sessionLifetime = 12 * time.Hour

// console serves the pages. It is safe for use by many goroutines.
type console struct {
	desk     *desk.Desk
	courier  *courier.Courier
	accounts *account.Accounts
	catalog  *fault.Catalog
	// The same faults with their rules as trees, and the terms' rules by name.
	compiled *constatv1.Catalog
	terms    map[string][]byte
	sessions *scs.SessionManager
	speeches map[string]*speech
	pages    map[string]pageSet
	log      *slog.Logger
	stopping context.Context
	now      func() time.Time
}

// New gives the handler of the whole console.
func New(d *desk.Desk, a *account.Accounts, catalog *fault.Catalog, o Options) http.Handler {
	return newConsole(d, a, catalog, o).routes()
}

func newConsole(d *desk.Desk, a *account.Accounts, catalog *fault.Catalog, o Options) *console {
	c := &console{
		desk: d, courier: o.Courier, accounts: a, catalog: catalog,
		speeches: newSpeeches(), log: o.Log, stopping: o.Stopping, now: time.Now,
	}
	if c.log == nil {
		c.log = slog.Default()
	}
	if c.stopping == nil {
		c.stopping = context.Background()
	}
	c.pages = newPages(c)
	var err error
	if c.compiled, err = fault.Compiled(); err != nil {
		c.log.Error("the rules of faults can't be shown", "error", err)
	}
	c.terms = map[string][]byte{}
	for _, term := range c.compiled.GetTerms() {
		c.terms[term.GetName()] = term.GetRule()
	}

	c.sessions = scs.New()
	c.sessions.Store = o.Store.Sessions()
	c.sessions.Lifetime = sessionLifetime
	// A copy of the database must not be a bunch of valid cookies.
	c.sessions.HashTokenInStore = true
	c.sessions.Cookie.Name = "constat"
	c.sessions.Cookie.HttpOnly = true
	c.sessions.Cookie.SameSite = http.SameSiteLaxMode
	c.sessions.Cookie.Secure = strings.HasPrefix(o.BaseURL, "https:")
	c.sessions.ErrorFunc = func(w http.ResponseWriter, r *http.Request, err error) {
		c.broken(w, c.visit(r), err)
	}
	return c
}

// visit is one request with what every handler asks about it.
type visit struct {
	*http.Request
	user   account.User
	speech *speech
}

// say gives a message in the visitor's language.
func (v *visit) say(id string, pairs ...any) string { return v.speech.say(id, pairs...) }

// actor is the visitor as the desk knows them.
func (v *visit) actor() desk.Actor {
	return desk.Actor{ID: v.user.ID, Name: v.user.Name, Role: v.user.Role, Sites: v.user.Sites}
}

// visit makes a visit of a request that nobody may have signed in for.
func (c *console) visit(r *http.Request) *visit {
	return &visit{Request: r, speech: c.speeches[pickLanguage(chosenLanguage(r), "", r)]}
}

// Keys of the session.
const (
	keyUser = "user"
	// account.User.Credential when the session began.
	keyCredential = "credential"
	// The visitor came by a one-time link and has not chosen a password yet.
	keyByLink = "byLink"
	// What to say on the next page, and which draft it has done with.
	keyFlash = "flash"
	keyDone  = "done"
	// The change that the visitor can undo there.
	keyUndo = "undo"
	// What somebody typed while their session ended, and on which page.
	keyKept    = "kept"
	keyKeptFor = "keptFor"
)

// handler is a page: it writes its answer, or returns why it cannot, which
// becomes a page that says what to do next.
type handler func(http.ResponseWriter, *visit) error

// open serves a page that needs no sign-in.
func (c *console) open(h handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v, err := c.identify(r)
		if err == nil {
			err = readForm(v.Request)
		}
		if err == nil {
			err = h(w, v)
		}
		c.explain(w, v, err)
	})
}

// readForm reads a form before anybody asks for a field of it: of one that can't be
// read, each field would be empty, and what is kept would be emptied.
func readForm(r *http.Request) error {
	err := r.ParseForm()
	if tooLarge := (*http.MaxBytesError)(nil); err == nil || errors.As(err, &tooLarge) {
		return err
	}
	return fmt.Errorf("%w: the form can’t be read: %w", desk.ErrInvalid, err)
}

// signedIn serves a page to those who work here and sends who is not signed in to
// do so first. What somebody typed while their session ended is kept for them. A
// requester has no page here.
func (c *console) signedIn(h handler) http.Handler {
	return c.anybody(func(w http.ResponseWriter, v *visit) error {
		if v.user.Role == "requester" {
			return desk.ErrNotFound
		}
		return h(w, v)
	})
}

// anybody is signedIn for requesters, too: what each may do with their own account.
func (c *console) anybody(h handler) http.Handler {
	return c.open(func(w http.ResponseWriter, v *visit) error {
		if strings.HasPrefix(v.Header.Get("Content-Type"), "multipart/form-data") {
			// Files lie on the disk while they are read, not in memory.
			err := v.ParseMultipartForm(inMemory)
			if tooLarge := (*http.MaxBytesError)(nil); err != nil && !errors.As(err, &tooLarge) && !errors.Is(err, multipart.ErrMessageTooLarge) {
				err = fmt.Errorf("%w: the form can’t be read: %w", desk.ErrInvalid, err)
			}
			if err != nil {
				return err
			}
			defer v.MultipartForm.RemoveAll()
		}
		switch {
		case v.user.ID != "":
			return h(w, v)
		case v.Method == http.MethodGet || v.Method == http.MethodHead:
			return c.sendToSignIn(w, v)
		default:
			return c.signInAgain(w, v)
		}
	})
}

// identify finds out who visits. A session whose account is gone, or whose
// password is another one by now, counts as none.
func (c *console) identify(r *http.Request) (*visit, error) {
	v := c.visit(r)
	ctx := r.Context()
	if id := c.sessions.GetString(ctx, keyUser); id != "" {
		user, err := c.accounts.User(ctx, id)
		switch {
		case err == nil && user.Credential == c.sessions.GetString(ctx, keyCredential):
			v.user = user
			v.Request = r.WithContext(desk.For(ctx, v.actor()))
		case err == nil:
		case !errors.Is(err, account.ErrNotFound):
			return v, err
		}
	}
	v.speech = c.speeches[pickLanguage(chosenLanguage(r), v.user.Language, r)]
	return v, nil
}
