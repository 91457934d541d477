package console

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"constat/collector/desk"
	deskv1 "constat/proto/constat/desk/v1"
)

// merge makes a ticket part of the one whose number was typed, and shows that.
func (c *console) merge(w http.ResponseWriter, v *visit) error {
	number, err := ticketNumber(v)
	if err != nil {
		return err
	}
	written := reply{Into: strings.TrimSpace(v.PostFormValue("into"))}
	into, err := strconv.ParseInt(strings.TrimPrefix(written.Into, "#"), 10, 32)
	if err != nil {
		written.MergeProblem = v.say("merge.noNumber")
		return c.renderTicket(w, v, http.StatusUnprocessableEntity, number, written)
	}
	version, _ := strconv.ParseInt(v.PostFormValue("version"), 10, 32)
	merged, err := c.desk.Merge(v.Context(), v.actor(), &deskv1.MergeTicketRequest{
		Number: number, Version: int32(version), Into: int32(into),
	})
	for kind, status := range map[error]int{
		desk.ErrInvalid: http.StatusUnprocessableEntity, desk.ErrNotFound: http.StatusUnprocessableEntity, desk.ErrConflict: http.StatusConflict,
	} {
		if errors.Is(err, kind) {
			written.MergeProblem = err.Error()
			return c.renderTicket(w, v, status, number, written)
		}
	}
	if err != nil {
		return err
	}
	return c.back(w, v, fmt.Sprintf("/tickets/%d", merged.GetNumber()), "flash.merged", "")
}
