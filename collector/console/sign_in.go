package console

import (
	"errors"
	"net"
	"net/http"
	"net/url"
	"strings"

	"constat/collector/account"
)

// signInForm is the sign-in page.
type signInForm struct {
	// Problem is the id of a message.
	Problem string
	Name    string
	// Next is where to go afterwards, an address of the console.
	Next string
	// Text is what somebody typed while their session ended, Kept what else stood
	// in the form, encoded as a form's values.
	Text, Kept string
}

// showSignIn is the page for a name and a password.
func (c *console) showSignIn(w http.ResponseWriter, v *visit) error {
	if v.user.ID != "" {
		http.Redirect(w, v.Request, "/tickets", http.StatusSeeOther)
		return nil
	}
	return c.render(w, v, http.StatusOK, "sign-in", "", signInForm{Next: inside(v.FormValue("next"))})
}

// sendToSignIn asks a visitor to sign in, then to come back.
func (c *console) sendToSignIn(w http.ResponseWriter, v *visit) error {
	to := "/sign-in?" + url.Values{"next": {v.URL.RequestURI()}}.Encode()
	if v.Header.Get("HX-Request") != "" {
		// A part of a page can't show the sign-in page: load it whole.
		w.Header().Set("HX-Redirect", "/sign-in?"+url.Values{"next": {inside(currentPath(v))}}.Encode())
		w.WriteHeader(http.StatusUnauthorized)
		return nil
	}
	if v.Header.Get("Accept") == "text/event-stream" {
		w.WriteHeader(http.StatusUnauthorized)
		return nil
	}
	http.Redirect(w, v.Request, to, http.StatusSeeOther)
	return nil
}

// currentPath is the page htmx asked from, without its host.
func currentPath(v *visit) string {
	u, err := url.Parse(v.Header.Get("HX-Current-URL"))
	if err != nil {
		return ""
	}
	return u.RequestURI()
}

// signInAgain answers a form sent after the session ended: what was typed is
// kept in the page, and stands in the form again after the sign-in.
func (c *console) signInAgain(w http.ResponseWriter, v *visit) error {
	next := "/tickets"
	if v.Pattern == "POST /tickets" {
		next = "/tickets/new"
	}
	if number := v.PathValue("number"); number != "" {
		next = "/tickets/" + url.PathEscape(number)
	}
	switch {
	case v.Pattern == "POST /knowledge" || v.Pattern == "POST /knowledge/push":
		next = editorOf(v.PostFormValue("file"))
	case v.Pattern == "POST /articles/{id}":
		next = "/articles/" + url.PathEscape(v.PathValue("id")) + "/edit"
		if v.PostFormValue("version") == "0" {
			next = "/articles/new"
		}
	}
	if v.Header.Get("HX-Request") != "" {
		return c.sendToSignIn(w, v)
	}
	kept := url.Values{}
	for _, field := range keptFields {
		if value := v.PostFormValue(field); value != "" {
			kept.Set(field, value)
		}
	}
	return c.render(w, v, http.StatusUnauthorized, "sign-in", "", signInForm{Next: next, Text: v.PostFormValue("text"), Kept: kept.Encode()})
}

// keptFields are those that stand in a form again after the sign-in, beside the
// text: what takes some time to type.
var keptFields = []string{"kind", "resolution", "minutes", "requester", "mail", "complaint", "endpoint", "title"}

// kept gives what was typed here while the session ended, once.
func (c *console) kept(v *visit) url.Values {
	if c.sessions.GetString(v.Context(), keyKeptFor) != v.URL.Path {
		return url.Values{}
	}
	c.sessions.Remove(v.Context(), keyKeptFor)
	values, err := url.ParseQuery(c.sessions.PopString(v.Context(), keyKept))
	if err != nil {
		return url.Values{} // somebody wrote that themselves
	}
	return values
}

// signIn checks name and password.
func (c *console) signIn(w http.ResponseWriter, v *visit) error {
	form := signInForm{Name: v.PostFormValue("name"), Next: inside(v.PostFormValue("next")), Text: v.PostFormValue("text"), Kept: v.PostFormValue("kept")}
	user, err := c.accounts.Authenticate(account.From(v.Context(), v.address()), form.Name, v.PostFormValue("password"))
	switch {
	case errors.Is(err, account.ErrBadCredentials):
		form.Problem = "signIn.wrong"
		return c.render(w, v, http.StatusUnauthorized, "sign-in", "", form)
	case errors.Is(err, account.ErrThrottled):
		form.Problem = "signIn.throttled"
		return c.render(w, v, http.StatusTooManyRequests, "sign-in", "", form)
	case err != nil:
		return err
	}
	if err := c.begin(v, user); err != nil {
		return err
	}
	if form.Text != "" || form.Kept != "" {
		c.sessions.Put(v.Context(), keyKept, form.Kept+"&"+url.Values{"text": {form.Text}}.Encode())
		c.sessions.Put(v.Context(), keyKeptFor, form.Next)
	}
	http.Redirect(w, v.Request, form.Next, http.StatusSeeOther)
	return nil
}

// address is where a visitor comes from, without the port: wrong passwords are
// counted by it. Behind a proxy that is the proxy, and names are counted alone.
func (v *visit) address() string {
	host, _, err := net.SplitHostPort(v.RemoteAddr)
	if err != nil {
		return v.RemoteAddr
	}
	return host
}

// begin makes the session that of a user. Its token is renewed, so that one
// planted before the sign-in is worth nothing after it, and nothing stays of
// whoever was signed in before.
func (c *console) begin(v *visit, user account.User) error {
	if err := c.sessions.RenewToken(v.Context()); err != nil {
		return err
	}
	for _, key := range []string{keyByLink, keyFlash, keyDone, keyUndo, keyKept, keyKeptFor} {
		c.sessions.Remove(v.Context(), key)
	}
	c.sessions.Put(v.Context(), keyUser, user.ID)
	c.sessions.Put(v.Context(), keyCredential, user.Credential)
	v.user = user
	if user.Language == "" { // mails come in the language of the first visit
		return c.accounts.SetLanguage(v.Context(), user.ID, v.speech.language)
	}
	return nil
}

// signOut ends the session.
func (c *console) signOut(w http.ResponseWriter, v *visit) error {
	if err := c.sessions.Destroy(v.Context()); err != nil {
		return err
	}
	http.Redirect(w, v.Request, "/sign-in", http.StatusSeeOther)
	return nil
}

// setLanguage chooses the language of this browser, and of what its user is told
// elsewhere. It is a cookie of its own and not in the session: strangers may choose
// too, and must not fill the database.
func (c *console) setLanguage(w http.ResponseWriter, v *visit) error {
	if chosen := v.PostFormValue("language"); c.speeches[chosen] != nil {
		http.SetCookie(w, &http.Cookie{
			Name: languageCookie, Value: chosen, Path: "/", MaxAge: 365 * 24 * 60 * 60,
			HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: c.sessions.Cookie.Secure,
		})
		if v.user.ID != "" && v.user.Language != chosen {
			if err := c.accounts.SetLanguage(v.Context(), v.user.ID, chosen); err != nil {
				return err
			}
		}
	}
	http.Redirect(w, v.Request, inside(v.PostFormValue("back")), http.StatusSeeOther)
	return nil
}

// inside gives an address of this console, whatever was asked for: nobody is
// sent to another site by a link to the sign-in page.
func inside(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "" || u.Host != "" || !strings.HasPrefix(u.Path, "/") ||
		strings.HasPrefix(address, "//") || strings.Contains(address, `\`) {
		return "/tickets"
	}
	return u.RequestURI()
}
