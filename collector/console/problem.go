package console

import (
	"crypto/rand"
	"errors"
	"mime/multipart"
	"net/http"

	"constat/collector/desk"
)

// problem is a page that says what is wrong and what to do next.
type problem struct {
	// Ids of messages.
	Title, Next string
	// Detail is the desk's own sentence about what was wrong with the input.
	Detail string
	// Text is what the visitor had typed, for them to copy.
	Text string
	// Reference finds the error in the log.
	Reference string
}

// explain answers with the page for an error; nil needs none.
func (c *console) explain(w http.ResponseWriter, v *visit, err error) {
	var tooLarge *http.MaxBytesError
	switch {
	case err == nil:
	case errors.Is(err, desk.ErrNotFound):
		c.problem(w, v, http.StatusNotFound, problem{Title: "problem.notFound.title", Next: "problem.notFound.next"})
	case errors.Is(err, desk.ErrForbidden):
		c.problem(w, v, http.StatusForbidden, problem{Title: "problem.forbidden.title", Next: "problem.forbidden.next", Detail: err.Error()})
	case errors.As(err, &tooLarge), errors.Is(err, multipart.ErrMessageTooLarge):
		c.problem(w, v, http.StatusRequestEntityTooLarge, problem{Title: "problem.tooLarge.title", Next: "problem.tooLarge.next"})
	case errors.Is(err, desk.ErrInvalid):
		c.problem(w, v, http.StatusUnprocessableEntity, problem{
			Title: "problem.invalid.title", Next: "problem.invalid.next", Detail: err.Error(), Text: v.PostFormValue("text"),
		})
	case v.Context().Err() != nil:
		// The visitor left; nobody reads an answer.
	default:
		c.broken(w, v, err)
	}
}

// broken answers for a mistake of ours: the visitor gets a reference, the log
// the error.
func (c *console) broken(w http.ResponseWriter, v *visit, err error) {
	reference := rand.Text()[:8]
	c.log.Error("a page could not be served", "reference", reference, "method", v.Method, "path", v.Pattern, "error", err)
	c.problem(w, v, http.StatusInternalServerError, problem{
		Title: "problem.broken.title", Next: "problem.broken.next", Reference: reference, Text: v.PostFormValue("text"),
	})
}

// problem writes a problem's page, or what a machine understands to one.
func (c *console) problem(w http.ResponseWriter, v *visit, status int, p problem) {
	if err := c.render(w, v, status, "problem", "", p); err != nil {
		c.log.Error("the page of an error could not be written", "error", err)
	}
}

// nothingHere answers for addresses the console does not have.
func (c *console) nothingHere(http.ResponseWriter, *visit) error { return desk.ErrNotFound }

// refuseCrossOrigin answers what http.CrossOriginProtection refused.
func (c *console) refuseCrossOrigin(w http.ResponseWriter, v *visit) error {
	c.problem(w, v, http.StatusForbidden, problem{Title: "problem.crossOrigin.title", Next: "problem.crossOrigin.next"})
	return nil
}
