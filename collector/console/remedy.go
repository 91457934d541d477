package console

import (
	"fmt"
	"net/http"

	deskv1 "constat/proto/constat/desk/v1"
	constatv1 "constat/proto/constat/v1"
)

// askRemedy asks the person at a ticket's machine for their consent to a remedy.
// The page shows by itself what comes of it.
func (c *console) askRemedy(w http.ResponseWriter, v *visit) error {
	number, err := ticketNumber(v)
	if err != nil {
		return err
	}
	if _, err := c.desk.RequestRemedy(v.Context(), v.actor(), &deskv1.RequestRemedyRequest{
		Ticket: number, Verb: v.PostFormValue("verb"), Fault: v.PostFormValue("fault"),
	}); err != nil {
		return err
	}
	http.Redirect(w, v.Request, fmt.Sprintf("/tickets/%d", number), http.StatusSeeOther)
	return nil
}

// proof is what a remedy was worth, in the reader's language; an older agent may
// tell English only.
func (s *speech) proof(r *constatv1.RemedyResult) string {
	if text := r.GetProof().GetFr(); s.language == "fr" && text != "" {
		return text
	}
	return r.GetProof().GetEn()
}
