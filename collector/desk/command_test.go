package desk_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"constat/collector/desk"
	deskv1 "constat/proto/constat/desk/v1"
	constatv1 "constat/proto/constat/v1"
)

// connect runs an endpoint's end of the control stream until the test ends; what
// is delivered comes out of the channel.
func (h *house) connect(t *testing.T, endpoint string) (commands chan *constatv1.Command, hangUp func() error) {
	t.Helper()
	if err := h.Connected(t.Context(), endpoint, "", &constatv1.Hello{AgentVersion: "1.2"}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	commands, ended := make(chan *constatv1.Command, 10), make(chan error, 1)
	go func() {
		ended <- h.Commands(ctx, endpoint, func(c *constatv1.Command) error {
			commands <- c
			return nil
		})
	}()
	hangUp = func() error {
		cancel()
		err := <-ended
		h.Disconnected(ctx, endpoint)
		return err
	}
	return commands, hangUp
}

// follow collects what Follow tells until it ends.
func (h *house) follow(t *testing.T, command string) (events []*deskv1.DiagnoseResponse, err error) {
	t.Helper()
	err = h.Follow(within(t), command, func(e *deskv1.DiagnoseResponse) error {
		events = append(events, e)
		return nil
	})
	return events, err
}

// Who names no procedure gets the one for the complaint, or the full one.
func TestDiagnoseWithoutProcedure(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		pc := h.enroll(t, "pc-1")
		other := draft("Odd")
		other.Complaint = "other"
		receipts := h.ingest(t, pc, ticketReport(draft("Nothing prints")), ticketReport(other))
		commands, hangUp := h.connect(t, pc)
		for _, asked := range []struct {
			request *deskv1.DiagnoseRequest
			want    string
		}{
			{&deskv1.DiagnoseRequest{Ticket: receipts[0].TicketNumber}, "printing"},
			{&deskv1.DiagnoseRequest{Ticket: receipts[1].TicketNumber}, "full"},
			{&deskv1.DiagnoseRequest{EndpointId: pc}, "full"},
		} {
			if _, err := h.Diagnose(t.Context(), tech, asked.request); err != nil {
				t.Fatal(err)
			}
			if got := (<-commands).GetDiagnose().GetProcedure(); got != asked.want {
				t.Errorf("%v runs %q, want %q", asked.request, got, asked.want)
			}
		}
		_, err := h.Diagnose(t.Context(), tech, &deskv1.DiagnoseRequest{EndpointId: pc, Procedure: "dance"})
		wantKind(t, err, desk.ErrInvalid)
		if err := hangUp(); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}

func TestDiagnoseNow(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		pc := h.enroll(t, "pc-1")
		number := h.ingest(t, pc, ticketReport(draft("Slow")))[0].TicketNumber
		commands, hangUp := h.connect(t, pc)
		id, err := h.Diagnose(t.Context(), tech, &deskv1.DiagnoseRequest{Ticket: number, Procedure: "slow"})
		if err != nil {
			t.Fatal(err)
		}
		command := <-commands
		if command.Id != id || command.RequestedBy != "Léa" || command.GetDiagnose().Procedure != "slow" {
			t.Errorf("delivered %v", command)
		}
		followed := make(chan []*deskv1.DiagnoseResponse, 1)
		go func() {
			events, err := h.follow(t, id)
			if err != nil {
				t.Error(err)
			}
			followed <- events
		}()
		for i := range int32(3) {
			if err := h.Progress(t.Context(), pc, &constatv1.Progress{CommandId: id, Phase: "observing", Group: "host", Done: i + 1, Total: 3}); err != nil {
				t.Fatal(err)
			}
		}
		found := diskFull()
		found.CommandId = id
		h.ingest(t, pc, diagnosisReport(found))
		if err := h.Finish(t.Context(), pc, &constatv1.CommandResult{CommandId: id, DiagnosisId: found.Id, Status: "done"}); err != nil {
			t.Fatal(err)
		}
		events := <-followed
		if last := events[len(events)-1]; last.GetDiagnosis().GetId() != found.Id {
			t.Errorf("the last event is %v", last)
		}
		got := h.ticket(t, number)
		if len(got.Timeline) != 2 || got.Timeline[1].Diagnosis.GetId() != found.Id || got.Ticket.RootCause != "tests-disk-full" {
			t.Errorf("the ticket: %v", got)
		}
		// Who comes too late is told the end.
		if events, err := h.follow(t, id); err != nil || len(events) != 1 {
			t.Errorf("afterwards: %v (%v)", events, err)
		}
		if err := hangUp(); !errors.Is(err, context.Canceled) {
			t.Errorf("the stream ended with %v", err)
		}
	})
}

// A command to an endpoint that is offline waits for it, says so, and is given
// again when the connection broke before its end.
func TestOfflineEndpoint(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		pc := h.enroll(t, "pc-1")
		id, err := h.Diagnose(t.Context(), tech, &deskv1.DiagnoseRequest{EndpointId: "PC-1", Procedure: "full"})
		if err != nil {
			t.Fatal(err)
		}
		heard := make(chan *deskv1.DiagnoseResponse, 10)
		ended := make(chan error, 1)
		go func() {
			ended <- h.Follow(within(t), id, func(e *deskv1.DiagnoseResponse) error { heard <- e; return nil })
		}()
		if e := <-heard; e.GetWaitingUntil() == nil {
			t.Errorf("first heard %v", e)
		}
		for range 2 {
			commands, hangUp := h.connect(t, pc)
			if c := <-commands; c.Id != id {
				t.Errorf("delivered %v", c)
			}
			hangUp()
		}
		if err := h.Finish(t.Context(), pc, &constatv1.CommandResult{CommandId: id, Status: "refused", Reason: "the user said no"}); err != nil {
			t.Fatal(err)
		}
		err = <-ended
		if wantKind(t, err, desk.ErrUnfinished); err.Error() != "the user said no" {
			t.Errorf("told %q", err)
		}
		commands, hangUp := h.connect(t, pc)
		hangUp()
		if len(commands) > 0 {
			t.Error("a finished command was delivered again")
		}
	})
}

// A diagnosis whose CommandResult got lost with the stream finds its ticket.
func TestResultLost(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		pc := h.enroll(t, "pc-1")
		number := h.ingest(t, pc, ticketReport(draft("Slow")))[0].TicketNumber
		id, err := h.Diagnose(t.Context(), tech, &deskv1.DiagnoseRequest{Ticket: number, Procedure: "slow"})
		if err != nil {
			t.Fatal(err)
		}
		found := diskFull()
		found.CommandId = id
		h.ingest(t, pc, diagnosisReport(found))
		if events, err := h.follow(t, id); err != nil || events[0].GetDiagnosis().GetId() != found.Id {
			t.Errorf("followed %v (%v)", events, err)
		}
		if got := h.ticket(t, number); len(got.Timeline) != 2 {
			t.Errorf("the ticket: %v", got)
		}
	})
}

// A result that came before its diagnosis is waited for, and one of an older
// agent that names no command is known by its id.
func TestResultFirst(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		pc := h.enroll(t, "pc-1")
		number := h.ingest(t, pc, ticketReport(draft("Slow")))[0].TicketNumber
		id, err := h.Diagnose(t.Context(), tech, &deskv1.DiagnoseRequest{Ticket: number, Procedure: "slow"})
		if err != nil {
			t.Fatal(err)
		}
		found := diskFull()
		if err := h.Finish(t.Context(), pc, &constatv1.CommandResult{CommandId: id, DiagnosisId: found.Id, Status: "done"}); err != nil {
			t.Fatal(err)
		}
		h.ingest(t, pc, diagnosisReport(found))
		if events, err := h.follow(t, id); err != nil || events[0].GetDiagnosis().GetId() != found.Id {
			t.Errorf("followed %v (%v)", events, err)
		}
		if got := h.ticket(t, number); len(got.Timeline) != 2 {
			t.Errorf("the ticket: %v", got)
		}
	})
}

func TestCommandExpires(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		pc := h.enroll(t, "pc-1")
		number := h.ingest(t, pc, ticketReport(draft("Slow")))[0].TicketNumber
		id, err := h.Diagnose(t.Context(), tech, &deskv1.DiagnoseRequest{Ticket: number, Procedure: "slow"})
		if err != nil {
			t.Fatal(err)
		}
		h.SetClock(time.Now().Add(2 * time.Hour))
		for range 2 {
			if err := h.Sweep(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		_, err = h.follow(t, id)
		wantKind(t, err, desk.ErrUnfinished)
		got := h.ticket(t, number)
		if len(got.Timeline) != 2 || got.Timeline[1].Kind != "note" {
			t.Errorf("the ticket does not say so, once: %v", got)
		}
		commands, hangUp := h.connect(t, pc)
		hangUp()
		if len(commands) > 0 {
			t.Error("an expired command was delivered")
		}
	})
}

func TestDiagnoseRefusals(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		pc, other := h.enroll(t, "twin"), h.enroll(t, "other")
		if _, err := h.Enroll(t.Context(), h.token, &constatv1.EnrollRequest{Hostname: "Twin"}, certificate); err != nil {
			t.Fatal(err)
		}
		bare, err := h.Create(t.Context(), tech, &deskv1.CreateTicketRequest{Draft: draft("x")})
		if err != nil {
			t.Fatal(err)
		}
		if err := h.RevokeEndpoint(t.Context(), desk.System, other, "lost"); err != nil {
			t.Fatal(err)
		}
		for _, bad := range []struct {
			request *deskv1.DiagnoseRequest
			kind    error
		}{
			{&deskv1.DiagnoseRequest{EndpointId: pc, Procedure: "rm -rf"}, desk.ErrInvalid},
			{&deskv1.DiagnoseRequest{EndpointId: "twin", Procedure: "full"}, desk.ErrInvalid},
			{&deskv1.DiagnoseRequest{EndpointId: "nowhere\x00", Procedure: "full"}, desk.ErrNotFound},
			{&deskv1.DiagnoseRequest{EndpointId: other, Procedure: "full"}, desk.ErrInvalid},
			{&deskv1.DiagnoseRequest{Ticket: bare.Number, Procedure: "full"}, desk.ErrInvalid},
			{&deskv1.DiagnoseRequest{Ticket: 999, Procedure: "full"}, desk.ErrNotFound},
		} {
			_, err := h.Diagnose(t.Context(), tech, bad.request)
			wantKind(t, err, bad.kind)
		}
		id, err := h.Diagnose(t.Context(), tech, &deskv1.DiagnoseRequest{EndpointId: pc, Procedure: "full"})
		if err != nil {
			t.Fatal(err)
		}
		err = h.Finish(t.Context(), other, &constatv1.CommandResult{CommandId: id, Status: "refused"})
		wantKind(t, err, desk.ErrNotFound)
		err = h.Progress(t.Context(), other, &constatv1.Progress{CommandId: id})
		wantKind(t, err, desk.ErrNotFound)
		err = h.Finish(t.Context(), pc, &constatv1.CommandResult{CommandId: id, Status: "exploded"})
		wantKind(t, err, desk.ErrInvalid)
		_, err = h.follow(t, "no such\x00command")
		wantKind(t, err, desk.ErrNotFound)
	})
}

func TestWatch(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		ticket, err := h.Create(t.Context(), tech, &deskv1.CreateTicketRequest{Draft: draft("x")})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		changed, ended := make(chan struct{}, 100), make(chan error, 1)
		go func() { ended <- h.Watch(ctx, ticket.Number, func() { changed <- struct{}{} }) }()
		// What happened before Watch looked first is nothing new to it: repeat.
		for heard := false; !heard; {
			if _, err := h.AddEntry(t.Context(), tech, &deskv1.AddEntryRequest{Number: ticket.Number, Id: newID(), Kind: "note", Text: "x"}); err != nil {
				t.Fatal(err)
			}
			select {
			case <-changed:
				heard = true
			default:
			}
		}
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		wantKind(t, h.Watch(t.Context(), 99, func() {}), desk.ErrNotFound)
	})
}
