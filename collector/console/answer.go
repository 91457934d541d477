package console

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"constat/collector/desk"
	deskv1 "constat/proto/constat/desk/v1"
)

// answersView is the list of what is written once and sent often.
type answersView struct {
	Query   string
	Answers []*deskv1.Answer
}

// answers lists the team's answers and the visitor's own.
func (c *console) answers(w http.ResponseWriter, v *visit) error {
	view := answersView{Query: v.URL.Query().Get("q")}
	var err error
	if view.Answers, err = c.desk.Answers(v.Context(), v.actor(), view.Query); err != nil {
		return err
	}
	return c.render(w, v, http.StatusOK, "answers", "articles", view)
}

// answerForm is an answer as it is written.
type answerForm struct {
	*deskv1.Answer
	// Texts has one for each language of the console, empty or not, and those of
	// other languages that are there.
	Texts     []*deskv1.AnswerText
	Variables []string
	// MayShare: the visitor may make it the team's. MayChange: it is theirs to change.
	MayShare, MayChange bool
	Problem             string
}

func (c *console) newAnswer(w http.ResponseWriter, v *visit) error {
	one := &deskv1.Answer{Id: uuid.Must(uuid.NewV7()).String()}
	if !mayLead(v) {
		one.Owner = v.user.Name
	}
	return c.renderAnswerForm(w, v, http.StatusOK, answerForm{Answer: one})
}

func (c *console) answer(w http.ResponseWriter, v *visit) error {
	one, err := c.desk.Answer(v.Context(), v.actor(), v.PathValue("id"))
	if err != nil {
		return err
	}
	return c.renderAnswerForm(w, v, http.StatusOK, answerForm{Answer: one, Texts: one.GetTexts()})
}

func (c *console) renderAnswerForm(w http.ResponseWriter, v *visit, status int, form answerForm) error {
	form.Texts = inEach(v.speech, form.Texts, func(language string) *deskv1.AnswerText { return &deskv1.AnswerText{Language: language} })
	form.Variables, form.MayShare = desk.AnswerVariables, mayLead(v)
	form.MayChange = form.MayShare || form.GetOwner() != ""
	return c.render(w, v, status, "answer", "articles", form)
}

// saveAnswer keeps what the form says.
func (c *console) saveAnswer(w http.ResponseWriter, v *visit) error {
	if err := v.ParseForm(); err != nil {
		return err
	}
	version, _ := strconv.ParseInt(v.PostFormValue("version"), 10, 32)
	one := &deskv1.Answer{Id: v.PathValue("id"), Site: v.PostFormValue("site"), Queue: v.PostFormValue("queue"), Version: int32(version)}
	if v.PostFormValue("whose") == "own" {
		one.Owner = v.user.Name
	}
	tongues, titles, bodies := v.PostForm["language"], v.PostForm["title"], v.PostForm["body"]
	for i := range min(len(tongues), len(titles), len(bodies)) {
		one.Texts = append(one.Texts, &deskv1.AnswerText{Language: tongues[i], Title: titles[i], Body: bodies[i]})
	}
	form := answerForm{Answer: one, Texts: one.GetTexts()}
	saved, err := c.desk.SaveAnswer(v.Context(), v.actor(), one)
	switch {
	case errors.Is(err, desk.ErrInvalid):
		form.Problem = err.Error()
		return c.renderAnswerForm(w, v, http.StatusUnprocessableEntity, form)
	case errors.Is(err, desk.ErrConflict):
		form.Problem = v.say("answer.conflict")
		return c.renderAnswerForm(w, v, http.StatusConflict, form)
	case err != nil:
		return err
	}
	return c.back(w, v, "/answers", "flash.saved", "answer-"+saved.GetId())
}

// deleteAnswer takes an answer away.
func (c *console) deleteAnswer(w http.ResponseWriter, v *visit) error {
	if err := c.desk.DeleteAnswer(v.Context(), v.actor(), v.PathValue("id")); err != nil {
		return err
	}
	return c.back(w, v, "/answers", "flash.removed", "")
}

// ticketAnswersView is what can be answered to a ticket.
type ticketAnswersView struct {
	Number  int32
	Query   string
	Answers []*deskv1.FilledAnswer
}

// ticketAnswers lists the answers that fit a ticket, with its values in them. The
// ticket's page takes the list out of it.
func (c *console) ticketAnswers(w http.ResponseWriter, v *visit) error {
	number, err := ticketNumber(v)
	if err != nil {
		return err
	}
	view := ticketAnswersView{Number: number, Query: v.URL.Query().Get("q")}
	view.Answers, err = c.desk.FillAnswers(v.Context(), v.actor(), &deskv1.FillAnswersRequest{Number: number, Query: view.Query})
	if err != nil {
		return err
	}
	return c.render(w, v, http.StatusOK, "ticket-answers", "tickets", view)
}

// prefilled begins a reply with an answer, where the address names one.
func (c *console) prefilled(v *visit, number int32, written *reply) error {
	id := v.URL.Query().Get("answer")
	if id == "" {
		return nil
	}
	list, err := c.desk.FillAnswers(v.Context(), v.actor(), &deskv1.FillAnswersRequest{Number: number, Id: id, Language: v.URL.Query().Get("language")})
	switch {
	case err != nil:
		return err
	case len(list) == 0:
		written.Problem = v.say("answer.gone")
	default:
		// After what they began, which stays.
		written.Kind, written.Text = "message", strings.TrimLeft(written.Text+"\n\n"+list[0].GetText(), "\n")
		if written.Problem = ""; len(list[0].GetMissing()) > 0 {
			written.Problem = v.say("answer.unfilled", "Variable", fmt.Sprint(list[0].GetMissing()[0]))
		}
	}
	return nil
}
