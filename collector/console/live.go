package console

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"constat/collector/account"
	"constat/collector/desk"
	deskv1 "constat/proto/constat/desk/v1"
	constatv1 "constat/proto/constat/v1"
)

// heartbeat keeps proxies from closing a stream on which nothing happens.
const heartbeat = 25 * time.Second

// live is the part of a page that moves.
type live struct {
	// Stream is the address of the page's events; empty: it has none.
	Stream string
	// Run is the diagnosis the page follows; nil: none.
	Run *run
}

// run is how far a diagnosis is, as the page shows it.
type run struct {
	Phase       string
	Groups      []*constatv1.Progress
	Done, Total int32
	// Waiting is set while the machine is offline: until when.
	Waiting *timestamppb.Timestamp
	// Verdict is set when it ended well, Problem when it did not.
	Verdict, Problem string
	// Diagnosis is shown in the panel itself where the page has no other place
	// for it.
	Diagnosis *constatv1.Diagnosis
}

// take adds an event to what is known of the run. Repeated events change
// nothing: a stream that was cut begins anew.
func (r *run) take(event *deskv1.DiagnoseResponse) {
	switch e := event.GetEvent().(type) {
	case *deskv1.DiagnoseResponse_WaitingUntil:
		r.Waiting = e.WaitingUntil
	case *deskv1.DiagnoseResponse_Progress:
		r.Waiting = nil
		r.Phase = cmp.Or(e.Progress.GetPhase(), r.Phase)
		r.Done, r.Total = max(r.Done, e.Progress.GetDone()), max(r.Total, e.Progress.GetTotal())
		known := func(p *constatv1.Progress) bool { return p.GetGroup() == e.Progress.GetGroup() }
		if e.Progress.GetGroup() != "" && !slices.ContainsFunc(r.Groups, known) {
			r.Groups = append(r.Groups, e.Progress)
		}
	case *deskv1.DiagnoseResponse_Diagnosis:
		r.Waiting, r.Verdict = nil, e.Diagnosis.GetVerdict()
	}
}

// liveOf gives the moving part of the page at an address, which follows a run
// when one is named.
func liveOf(address, command string) live {
	if command == "" {
		return live{Stream: address + "/events"}
	}
	return live{Stream: address + "/events?" + url.Values{"run": {command}}.Encode(), Run: &run{}}
}

// showRun answers the button that asked for a diagnosis: htmx gets the moving
// part of the page anew, a browser without script the whole page.
func (c *console) showRun(w http.ResponseWriter, v *visit, page, address, command string) error {
	at := address + "?" + url.Values{"run": {command}}.Encode()
	if v.Header.Get("HX-Request") == "" {
		http.Redirect(w, v.Request, at, http.StatusSeeOther)
		return nil
	}
	var out bytes.Buffer
	if err := c.write(&out, v.speech, page, "live", liveOf(address, command)); err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("HX-Replace-Url", at)
	_, err := out.WriteTo(w)
	return err
}

// diagnoseTicket asks a ticket's machine for a diagnosis, which will stand in
// the ticket whether anybody waits for it or not.
func (c *console) diagnoseTicket(w http.ResponseWriter, v *visit) error {
	number, err := ticketNumber(v)
	if err != nil {
		return err
	}
	command, err := c.desk.Diagnose(v.Context(), v.actor(), &deskv1.DiagnoseRequest{
		Ticket: number, Procedure: cmp.Or(v.PostFormValue("procedure"), "full"),
	})
	if err != nil {
		return err
	}
	return c.showRun(w, v, "ticket", fmt.Sprintf("/tickets/%d", number), command)
}

// ticketEvents tells a ticket's page what happens to it.
func (c *console) ticketEvents(w http.ResponseWriter, v *visit) error {
	number, err := ticketNumber(v)
	if err != nil {
		return err
	}
	if number, err = c.desk.Number(v.Context(), number); err != nil {
		return err
	}
	return c.stream(w, v, "ticket", func(ctx context.Context, send func(event) error) error {
		go c.onlook(ctx, v, number, send)
		return c.desk.Watch(ctx, number, func() { send(event{name: "changed"}) })
	})
}

// onlook sends who else looks at a ticket, each time that changes.
func (c *console) onlook(ctx context.Context, v *visit, number int32, send func(event) error) {
	err := c.desk.Look(ctx, v.actor(), number, func(others []desk.Onlooker) {
		var line strings.Builder
		if err := c.write(&line, v.speech, "ticket", "onlookers", others); err != nil {
			c.log.Error("who looks at a ticket could not be shown", "error", err)
			return
		}
		send(event{name: "onlookers", data: line.String()})
	})
	if ctx.Err() == nil {
		c.log.Warn("who looks at a ticket is not told any more", "error", err)
	}
}

// noticeEvents is the stream of pages on which nothing else moves.
func (c *console) noticeEvents(w http.ResponseWriter, v *visit) error {
	return c.stream(w, v, "notices", nil)
}

// endpointEvents tells a machine's page how its diagnosis goes.
func (c *console) endpointEvents(w http.ResponseWriter, v *visit) error {
	if _, err := c.desk.EndpointID(v.Context(), v.PathValue("id")); err != nil {
		return err
	}
	return c.stream(w, v, "endpoint", nil)
}

// event is one server-sent event.
type event struct {
	name, data string
}

// stream sends what watch tells and how the run in the address goes, until the
// visitor leaves or the console stops. With no watch it ends with the run.
func (c *console) stream(w http.ResponseWriter, v *visit, page string, watch func(context.Context, func(event) error) error) error {
	ctx, cancel := context.WithCancel(v.Context())
	defer cancel()
	defer context.AfterFunc(c.stopping, cancel)()

	events := make(chan event)
	send := func(e event) error {
		select {
		case events <- e:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	go c.ring(ctx, v, send)
	if watch != nil {
		go func() {
			if err := watch(ctx, send); err != nil && ctx.Err() == nil {
				c.log.Warn("a ticket is not watched any more", "error", err)
			}
		}()
	}
	if command := v.URL.Query().Get("run"); command != "" {
		go func() {
			c.follow(ctx, v, page, command, send)
			if watch == nil {
				send(event{name: "end"})
			}
		}()
	}

	out := http.NewResponseController(w)
	out.SetReadDeadline(time.Time{})
	out.SetWriteDeadline(time.Time{})
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no")
	w.WriteHeader(http.StatusOK)
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	text := ": here\n\n"
	for {
		if _, err := w.Write([]byte(text)); err != nil || out.Flush() != nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-beat.C:
			if user, err := c.accounts.User(ctx, v.user.ID); errors.Is(err, account.ErrNotFound) || err == nil && user.Credential != v.user.Credential {
				return nil // they may see nothing here any more
			}
			text = ": here\n\n"
		case e := <-events:
			text = e.String()
		}
	}
}

// ring sends how many notices the visitor has not read, each time that changes.
func (c *console) ring(ctx context.Context, v *visit, send func(event) error) {
	err := c.desk.WatchNotices(ctx, v.user.ID, func(unread int) {
		var bell strings.Builder
		if err := c.write(&bell, v.speech, "notices", "bell", unread); err != nil {
			c.log.Error("the bell could not be shown", "error", err)
			return
		}
		send(event{name: "bell", data: bell.String()})
	})
	if err != nil && ctx.Err() == nil {
		c.log.Warn("notices are not watched any more", "error", err)
	}
}

// String is the event on the wire.
func (e event) String() string {
	return "event: " + e.name + "\ndata: " + strings.ReplaceAll(e.data, "\n", "\ndata: ") + "\n\n"
}

// follow sends the panel of a run each time it moves, and at its end asks the
// page to load what has changed.
func (c *console) follow(ctx context.Context, v *visit, page, command string, send func(event) error) {
	r := &run{}
	show := func() error {
		var panel strings.Builder
		if err := c.write(&panel, v.speech, page, "run", r); err != nil {
			return err
		}
		return send(event{name: "run", data: panel.String()})
	}
	err := c.desk.Follow(ctx, command, func(e *deskv1.DiagnoseResponse) error {
		r.take(e)
		if page == "endpoint" {
			r.Diagnosis = e.GetDiagnosis()
		}
		return show()
	})
	switch {
	case ctx.Err() != nil:
		return
	case errors.Is(err, desk.ErrNotFound):
		r.Problem = v.say("run.gone")
	case err != nil:
		r.Problem = v.say("run.stopped") + " " + err.Error()
	}
	if err := show(); err != nil && ctx.Err() == nil {
		c.log.Error("the progress of a diagnosis could not be shown", "error", err)
	}
	send(event{name: "changed"})
}
