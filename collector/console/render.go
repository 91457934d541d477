package console

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"io"
	"io/fs"
	"net/http"
	"path"
	"strings"

	"constat/collector/account"
)

//go:embed templates
var templates embed.FS

// pageSet is one page in every language.
type pageSet map[string]*template.Template

// sharedTemplates are parsed into every page.
var sharedTemplates = []string{"templates/layout.html", "templates/parts.html", "templates/diagnosis.html", "templates/charts.html", "templates/remedy.html"}

// alonePages stand without the navigation, since nobody is signed in there or
// something has to be done first.
var alonePages = map[string]bool{"sign-in": true, "link": true, "password": true}

// newPages parses all templates, once per language, because functions in them
// speak. They are part of the program: a mistake in one panics.
func newPages(c *console) map[string]pageSet {
	files, err := fs.Glob(templates, "templates/*.html")
	if err != nil {
		panic(err)
	}
	pages := map[string]pageSet{}
	for _, lang := range languages {
		shared := template.Must(template.New("").Funcs(c.vocabulary(c.speeches[lang])).ParseFS(templates, sharedTemplates...))
		for _, file := range files {
			name := strings.TrimSuffix(path.Base(file), ".html")
			if pages[name] == nil {
				pages[name] = pageSet{}
			}
			pages[name][lang] = template.Must(template.Must(shared.Clone()).ParseFS(templates, file))
		}
	}
	return pages
}

// page is what every template gets.
type page struct {
	// Alone: it has no navigation.
	Alone bool
	// Path to come back to, with its query.
	Path string
	User account.User
	// Nav names the part of the console the page belongs to.
	Nav   string
	Flash *flash
	// Unread is how many notices the visitor has not read.
	Unread int
	Data   any
}

// flash is said once, on the page after the deed.
type flash struct {
	// Message is an id, or the text itself.
	Message string
	// Undo names the change that can be undone; empty: none.
	Undo string
	// Draft names the text that was sent and need not be kept any more.
	Draft string
}

// render writes a page whole or not at all.
func (c *console) render(w http.ResponseWriter, v *visit, status int, name, nav string, data any) error {
	p := page{Path: v.URL.RequestURI(), User: v.user, Nav: nav, Data: data}
	// A page that fetches a part of itself anew would lose what the next one is to say.
	if message := c.sessions.GetString(v.Context(), keyFlash); message != "" && v.Header.Get("HX-Request") == "" {
		c.sessions.Remove(v.Context(), keyFlash)
		p.Flash = &flash{Message: message, Draft: c.sessions.PopString(v.Context(), keyDone), Undo: c.sessions.PopString(v.Context(), keyUndo)}
	}
	frame := "framed"
	if p.Alone = alonePages[name] || v.user.ID == ""; p.Alone {
		frame = "alone"
	}
	if !p.Alone {
		var err error
		if p.Unread, err = c.desk.Unread(v.Context(), v.user.ID); err != nil {
			return err
		}
	}
	var out bytes.Buffer
	if err := c.write(&out, v.speech, name, frame, p); err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Add("Vary", "Accept-Language, Cookie")
	w.WriteHeader(status)
	_, err := out.WriteTo(w)
	return err
}

// write executes one template of a page.
func (c *console) write(w io.Writer, s *speech, name, part string, data any) error {
	if err := c.pages[name][s.language].ExecuteTemplate(w, part, data); err != nil {
		return fmt.Errorf("template %s of page %s: %w", part, name, err)
	}
	return nil
}

// backUndo is back after a change that can be undone, by its deed.
func (c *console) backUndo(w http.ResponseWriter, v *visit, to, message, draft, deed string) error {
	can, err := c.desk.Undoable(v.Context(), v.actor(), deed)
	if err != nil {
		return err
	}
	if can {
		c.sessions.Put(v.Context(), keyUndo, deed)
	}
	return c.back(w, v, to, message, draft)
}

// back sends the visitor to a page after a deed, and says there that it is
// done. draft names the text that was sent with it, if any.
func (c *console) back(w http.ResponseWriter, v *visit, to, message, draft string) error {
	c.sessions.Put(v.Context(), keyFlash, message)
	c.sessions.Put(v.Context(), keyDone, draft)
	http.Redirect(w, v.Request, to, http.StatusSeeOther)
	return nil
}
