package console

import (
	"errors"
	"net/http"

	"constat/collector/account"
)

// showLink is the page a one-time link opens. It redeems nothing: programs that
// look into mails open links too, and only people press buttons.
func (c *console) showLink(w http.ResponseWriter, v *visit) error {
	return c.render(w, v, http.StatusOK, "link", "", nil)
}

// redeemLink signs in by a one-time link, then has a password chosen.
func (c *console) redeemLink(w http.ResponseWriter, v *visit) error {
	user, err := c.accounts.RedeemLink(v.Context(), v.PathValue("token"))
	if errors.Is(err, account.ErrLink) {
		c.problem(w, v, http.StatusGone, problem{Title: "link.spent.title", Next: "link.spent.next"})
		return nil
	}
	if err != nil {
		return err
	}
	if err := c.begin(v, user); err != nil {
		return err
	}
	c.sessions.Put(v.Context(), keyByLink, true)
	http.Redirect(w, v.Request, "/password", http.StatusSeeOther)
	return nil
}

// passwordForm is the page on which a password is chosen.
type passwordForm struct {
	// ByLink: the visitor came by a one-time link, which stands for the present
	// password.
	ByLink  bool
	Problem string
}

// showPassword is the form for a new password.
func (c *console) showPassword(w http.ResponseWriter, v *visit) error {
	return c.renderPassword(w, v, http.StatusOK, "")
}

func (c *console) renderPassword(w http.ResponseWriter, v *visit, status int, problem string) error {
	return c.render(w, v, status, "password", "", passwordForm{
		ByLink: c.sessions.GetBool(v.Context(), keyByLink), Problem: problem,
	})
}

// setPassword changes the visitor's own password.
func (c *console) setPassword(w http.ResponseWriter, v *visit) error {
	refuse := func(message string) error {
		return c.renderPassword(w, v, http.StatusUnprocessableEntity, message)
	}
	password := v.PostFormValue("new")
	if password != v.PostFormValue("again") {
		return refuse(v.say("password.differ"))
	}
	if !c.sessions.GetBool(v.Context(), keyByLink) {
		_, err := c.accounts.Authenticate(account.From(v.Context(), v.address()), v.user.Name, v.PostFormValue("current"))
		switch {
		case errors.Is(err, account.ErrBadCredentials):
			return refuse(v.say("password.wrong"))
		case errors.Is(err, account.ErrThrottled):
			return refuse(v.say("signIn.throttled"))
		case err != nil:
			return err
		}
	}
	err := c.accounts.SetPassword(v.Context(), v.user.ID, password)
	if errors.Is(err, account.ErrInvalid) {
		return refuse(v.say("password.refused") + " " + err.Error())
	}
	if err != nil {
		return err
	}
	// The other sessions end with the old password, this one goes on.
	user, err := c.accounts.User(v.Context(), v.user.ID)
	if err != nil {
		return err
	}
	if err := c.begin(v, user); err != nil {
		return err
	}
	return c.back(w, v, "/tickets", "flash.password", "")
}

// SignInPath is where the one-time link with this token leads, below the
// console's address.
func SignInPath(token string) string { return "/sign-in/link/" + token }
