package console

import (
	"errors"
	"net/http"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"constat/collector/desk"
)

// serviceView is the page of what is promised.
type serviceView struct {
	Text string
	// Example is shown while nothing is promised.
	Example string
	// MayChange is true of administrators.
	MayChange bool
	Problem   string
	// Changed counts the tickets under way that a change met; below 0: no change.
	Changed int
}

// serviceExample is a plausible beginning.
const serviceExample = `zone: Europe/Paris
hours: |
  mon-fri 08:30-12:00 13:00-17:30
  closed 01-01 05-01 12-25
warnPercent: 80
escalatePercent: 200
tell: {warned: [assignee], missed: [assignee, leads], escalated: [assignee, leads, administrators]}
returnAfter: 30m
unassignedAfter: 1h
closeAfter: 7
vip: [direction@example.org]
deadlines:
  - {name: Payroll, from: 25, until: 31, words: [payroll, salaires]}
urgent: {firstResponse: 30m, nextResponse: 1h, solution: 4h}
high:   {firstResponse: 1h, nextResponse: 4h, solution: 8h}
normal: {firstResponse: 4h, nextResponse: 8h, solution: 24h}
low:    {firstResponse: 8h, solution: 80h}
`

// service shows what is promised.
func (c *console) service(w http.ResponseWriter, v *visit) error {
	text, err := c.desk.ServiceLevels(v.Context())
	if err != nil {
		return err
	}
	return c.renderService(w, v, http.StatusOK, serviceView{Text: text, Changed: -1})
}

func (c *console) renderService(w http.ResponseWriter, v *visit, status int, view serviceView) error {
	view.Example, view.MayChange = serviceExample, v.user.Role == "administrator"
	return c.render(w, v, status, "service", "team", view)
}

// setService promises what the form says.
func (c *console) setService(w http.ResponseWriter, v *visit) error {
	if !v.PostForm.Has("text") { // cut short on its way; empty would mean that nothing is promised
		return desk.ErrInvalid
	}
	view := serviceView{Text: v.PostFormValue("text"), Changed: -1}
	changed, err := c.desk.SetServiceLevels(v.Context(), v.actor(), view.Text)
	if errors.Is(err, desk.ErrInvalid) {
		view.Problem = err.Error()
		return c.renderService(w, v, http.StatusUnprocessableEntity, view)
	}
	if err != nil {
		return err
	}
	view.Changed = changed
	return c.renderService(w, v, http.StatusOK, view)
}

// late tells whether a moment has passed.
func (c *console) late(t *timestamppb.Timestamp) bool { return t != nil && t.AsTime().Before(c.now()) }

// soon tells whether a moment is less than an hour away.
func (c *console) soon(t *timestamppb.Timestamp) bool {
	return t != nil && t.AsTime().Sub(c.now()) < time.Hour
}
