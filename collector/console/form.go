package console

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"github.com/google/uuid"

	"constat/collector/desk"
	deskv1 "constat/proto/constat/desk/v1"
)

// formExample is a plausible beginning.
const formExample = `name: {en: New laptop, fr: Nouvel ordinateur portable}
help: {en: It takes two weeks., fr: Il faut compter deux semaines.}
category: peripheral
queue: Hardware
urgency: low
fields:
  - {key: model, kind: choice, required: true, label: {en: Model, fr: Modèle}, choices: [{en: Light, fr: Léger}, {en: Powerful, fr: Puissant}]}
  - {key: needed-by, kind: date, label: {en: Needed by, fr: Souhaité pour le}}
  - {key: why, kind: text, label: {en: Reason, fr: Raison}}
checklist:
  - {en: Order it, fr: Le commander}
  - {en: Set it up, fr: Le préparer}
`

// formsView is the list of what can be asked for.
type formsView struct {
	Forms   []*deskv1.RequestForm
	MayLead bool
}

// requestForms lists the forms of service requests.
func (c *console) requestForms(w http.ResponseWriter, v *visit) error {
	list, err := c.desk.Forms(v.Context(), v.actor(), mayLead(v))
	if err != nil {
		return err
	}
	return c.render(w, v, http.StatusOK, "forms", "articles", formsView{list, mayLead(v)})
}

// formView is a form as it is written.
type formView struct {
	*deskv1.RequestForm
	// Source as it was typed.
	Typed   string
	Problem string
}

func (c *console) newForm(w http.ResponseWriter, v *visit) error {
	if !mayLead(v) {
		return desk.ErrForbidden
	}
	return c.render(w, v, http.StatusOK, "form", "articles", formView{&deskv1.RequestForm{Id: uuid.Must(uuid.NewV7()).String(), State: "active"}, formExample, ""})
}

func (c *console) requestForm(w http.ResponseWriter, v *visit) error {
	f, err := c.desk.Form(v.Context(), v.actor(), v.PathValue("id"))
	if err != nil {
		return err
	}
	if !mayLead(v) {
		return desk.ErrForbidden
	}
	return c.render(w, v, http.StatusOK, "form", "articles", formView{f, f.GetSource(), ""})
}

// saveForm keeps what a lead wrote.
func (c *console) saveForm(w http.ResponseWriter, v *visit) error {
	version, _ := strconv.ParseInt(v.PostFormValue("version"), 10, 32)
	f := &deskv1.RequestForm{Id: v.PathValue("id"), State: v.PostFormValue("state"), Version: int32(version), Source: v.PostFormValue("source")}
	_, err := c.desk.SaveForm(v.Context(), v.actor(), f)
	switch {
	case errors.Is(err, desk.ErrInvalid):
		return c.render(w, v, http.StatusUnprocessableEntity, "form", "articles", formView{f, f.GetSource(), err.Error()})
	case errors.Is(err, desk.ErrConflict):
		return c.render(w, v, http.StatusConflict, "form", "articles", formView{f, f.GetSource(), v.say("form.conflict")})
	case err != nil:
		return err
	}
	return c.back(w, v, "/forms", "flash.saved", "form-"+f.GetId())
}

// askedField is a field of a form with what was typed into it.
type askedField struct {
	*deskv1.FormField
	Label, Value string
	Choices      []string
}

// asked gives what a form asks in the visitor's language.
func (v *visit) asked(f *deskv1.RequestForm) []askedField {
	var list []askedField
	for _, field := range f.GetFields() {
		one := askedField{FormField: field, Label: desk.InLanguage(field.GetLabel(), v.speech.language), Value: v.FormValue("ask-" + field.GetKey())}
		for _, choice := range field.GetChoices() {
			one.Choices = append(one.Choices, desk.InLanguage(choice.GetText(), v.speech.language))
		}
		list = append(list, one)
	}
	return list
}

// checkItem ticks something off, or takes that back.
func (c *console) checkItem(w http.ResponseWriter, v *visit) error {
	number, err := ticketNumber(v)
	if err != nil {
		return err
	}
	position, _ := strconv.ParseInt(v.PostFormValue("position"), 10, 32)
	_, err = c.desk.CheckItem(v.Context(), v.actor(), &deskv1.CheckItemRequest{Number: number, Position: int32(position), Done: v.PostFormValue("done") == "yes"})
	if err != nil {
		return err
	}
	return c.back(w, v, fmt.Sprintf("/tickets/%d", number), "flash.saved", "")
}
