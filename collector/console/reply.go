package console

import (
	"fmt"
	"net/http"

	"constat/collector/desk"
)

// keepDraft keeps what somebody writes while they write it, and tells colleagues
// on the same ticket that they do. Who drops it comes back to the ticket.
func (c *console) keepDraft(w http.ResponseWriter, v *visit) error {
	number, err := ticketNumber(v)
	if err != nil {
		return err
	}
	if v.PostFormValue("drop") != "" {
		if err := c.desk.KeepDraft(v.Context(), v.actor(), number, desk.Draft{}); err != nil {
			return err
		}
		return c.back(w, v, fmt.Sprintf("/tickets/%d", number), "flash.draftGone", fmt.Sprintf("ticket-%d", number))
	}
	draft := desk.Draft{
		Entry: v.PostFormValue("entry"), Kind: v.PostFormValue("kind"), Text: v.PostFormValue("text"), Minutes: v.PostFormValue("minutes"),
		Seen: v.PostFormValue("seenMessage"),
	}
	if typed := v.PostFormValue("resolution"); typed != v.PostFormValue("resolutionWas") {
		draft.Resolution = typed
	}
	if err := c.desk.KeepDraft(v.Context(), v.actor(), number, draft); err != nil {
		return err
	}
	if err := c.desk.Types(v.Context(), v.actor(), number, draft.Text != ""); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// begun puts what somebody began in a ticket, and has not sent, into its form.
func (c *console) begun(v *visit, number int32, written *reply) error {
	draft, err := c.desk.Draft(v.Context(), v.actor(), number)
	if err != nil || draft.Empty() {
		return err
	}
	written.Entry, written.Kind, written.Text, written.Minutes = draft.Entry, draft.Kind, draft.Text, draft.Minutes
	if draft.Resolution != "" {
		written.Resolution = &draft.Resolution
	}
	written.Begun, written.Seen = true, &draft.Seen
	return nil
}
