package console

import (
	"errors"
	"net/http"

	"constat/collector/desk"
	deskv1 "constat/proto/constat/desk/v1"
)

// accountsView is who may sign in.
type accountsView struct {
	Accounts []*deskv1.Account
	Problem  string
}

// showAccounts shows who may sign in, and who might once.
func (c *console) showAccounts(w http.ResponseWriter, v *visit) error {
	return c.renderAccounts(w, v, http.StatusOK, "")
}

func (c *console) renderAccounts(w http.ResponseWriter, v *visit, status int, problem string) error {
	all, err := c.desk.Accounts(v.Context(), v.actor())
	if err != nil {
		return err
	}
	return c.render(w, v, status, "accounts", "settings", accountsView{all, problem})
}

// removeAccount lets somebody in no more.
func (c *console) removeAccount(w http.ResponseWriter, v *visit) error {
	returned, err := c.desk.RemoveAccount(v.Context(), v.actor(), v.PathValue("name"))
	if errors.Is(err, desk.ErrInvalid) {
		return c.renderAccounts(w, v, http.StatusUnprocessableEntity, err.Error())
	}
	if err != nil {
		return err
	}
	return c.back(w, v, "/accounts", v.speech.count("accounts.removed", returned), "")
}

// restoreAccount takes that back.
func (c *console) restoreAccount(w http.ResponseWriter, v *visit) error {
	_, err := c.desk.RestoreAccount(v.Context(), v.actor(), v.PathValue("name"))
	if errors.Is(err, desk.ErrInvalid) {
		return c.renderAccounts(w, v, http.StatusUnprocessableEntity, err.Error())
	}
	if err != nil {
		return err
	}
	return c.back(w, v, "/accounts", v.say("accounts.restored"), "")
}
