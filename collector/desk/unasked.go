package desk

import (
	"context"
	"slices"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"constat/collector/store"
	"constat/collector/store/query"
	"constat/internal/diagnosis"
	constatv1 "constat/proto/constat/v1"
)

const (
	// unaskedHolds is how long a diagnosis that nobody asked for waits for the
	// ticket it belongs to.
	unaskedHolds = 24 * time.Hour
	// A trouble that so many machines of a place have makes the desk ask some of
	// the others there, each at most once in peersAgain.
	peersAlarmed, peersAsked = 2, 5
	peersAgain               = time.Hour
)

// unasked tells whether a diagnosis came to nobody's question: by itself, or because
// the desk asked a machine for what its neighbours have.
func unasked(ctx context.Context, q *query.Queries, endpoint string, found *constatv1.Diagnosis) (bool, error) {
	switch {
	case slices.Contains([]string{"event", "schedule"}, found.GetTrigger()):
		return found.GetCommandId() == "", nil
	case found.GetTrigger() != "command":
		return false, nil
	}
	commands, err := q.CommandsOfDiagnosis(ctx, endpoint, found.GetCommandId(), found.GetId())
	ofATicket := slices.ContainsFunc(commands, func(c query.Command) bool { return c.Ticket != 0 })
	return len(commands) > 0 && !ofATicket, err
}

// belongs tells whether a diagnosis says something about what a ticket's
// requester complained of.
func belongs(found *constatv1.Diagnosis, complaint string) bool {
	if found.GetVerdict() == "healthy" {
		return false
	}
	procedure, known := diagnosis.Lookup(complaint)
	if !known || found.GetProcedure() == complaint || complaint == "full" {
		return true // who says nothing of the matter may mean anything
	}
	return found.GetProcedure() == "full" && slices.ContainsFunc(found.GetRootCauses(), func(c *constatv1.RootCause) bool {
		return slices.Contains(procedure.Domains, c.GetDomain()) || slices.Contains(procedure.Faults, c.GetFault())
	})
}

// bringHome brings a diagnosis that came by itself to the machine's newest ticket
// that it belongs to. Without one it stays with the machine until one comes.
func (in *intake) bringHome(ctx context.Context, found *constatv1.Diagnosis) error {
	if free, err := unasked(ctx, in.q, in.endpoint, found); err != nil || !free {
		return err
	}
	tickets, err := in.q.UnsolvedOf(ctx, in.endpoint)
	if err != nil {
		return err
	}
	for _, t := range tickets {
		if belongs(found, t.Category) {
			return in.attach(ctx, t.Number, found)
		}
	}
	return nil
}

// kept is the newest diagnosis that waits for a ticket like this one; nil: none.
func (d *Desk) kept(ctx context.Context, q *query.Queries, endpoint, complaint string) (*constatv1.Diagnosis, error) {
	if endpoint == "" {
		return nil, nil
	}
	rows, err := q.FindingDiagnoses(ctx, endpoint, store.Millis(d.now().Add(-unaskedHolds)))
	if err != nil {
		return nil, err
	}
	for _, content := range rows {
		found := &constatv1.Diagnosis{}
		if err := store.UnpackMessage(content, found); err != nil {
			return nil, err
		}
		if !belongs(found, complaint) {
			continue
		}
		if free, err := unasked(ctx, q, endpoint, found); err != nil || free {
			return found, err
		}
	}
	return nil, nil
}

// askOf puts a diagnosis down for a machine in the desk's own name: for a ticket
// that came without one, or because others there have a trouble. The machine is
// told by a hint, or when it looks.
func (d *Desk) askOf(ctx context.Context, q *query.Queries, endpoint, procedure string, ticket int32) error {
	if _, known := diagnosis.Lookup(procedure); !known {
		procedure = "full"
	}
	now := d.now()
	command := &constatv1.Command{
		Id: newID(), RequestedBy: System.Name, ExpiresAt: timestamppb.New(now.Add(commandLife)),
		Verb: &constatv1.Command_Diagnose{Diagnose: &constatv1.DiagnoseCommand{Procedure: procedure, Ticket: ticket}},
	}
	content, err := store.PackMessage(command)
	if err != nil {
		return err
	}
	return q.AddCommand(ctx, query.AddCommandParams{
		ID: command.Id, EndpointID: endpoint, Ticket: ticket, Content: content,
		CreatedAt: store.Millis(now), ExpiresAt: store.Millis(now.Add(commandLife)),
	})
}

// askPeers asks machines at the same switch or in the same subnet, when several
// there have the same trouble of the network: it may be theirs too, and who has it
// need not say so first.
func (in *intake) askPeers(ctx context.Context, found *constatv1.Diagnosis) error {
	if found.GetVerdict() != "fault" || found.GetCommandId() != "" {
		return nil
	}
	cause := found.GetRootCauses()[0]
	if cause.GetCertainty() == "possible" || !slices.Contains([]string{"network", "cisco"}, cause.GetDomain()) {
		return nil
	}
	place, err := in.place(ctx)
	if err != nil {
		return err
	}
	now := in.desk.now()
	standing := store.Millis(now.Add(-findingHolds))
	ask := query.PeersToAskParams{
		Itself: in.endpoint, Now: store.Millis(now), Fault: cause.GetFault(), Lately: store.Millis(now.Add(-peersAgain)), MaxRows: peersAsked,
	}
	if place.SwitchID != "" {
		on, err := in.q.SharedOnSwitch(ctx, cause.GetFault(), standing, place.SwitchID)
		if err != nil {
			return err
		}
		if on.Endpoints >= peersAlarmed {
			ask.SwitchID = place.SwitchID
		}
	}
	if place.Subnet != "" {
		inside, err := in.q.SharedInSubnet(ctx, cause.GetFault(), standing, place.Subnet)
		if err != nil {
			return err
		}
		if inside.Endpoints >= peersAlarmed {
			ask.Subnet = place.Subnet
		}
	}
	if ask.SwitchID == "" && ask.Subnet == "" {
		return nil
	}
	peers, err := in.q.PeersToAsk(ctx, ask)
	if err != nil {
		return err
	}
	for _, peer := range peers {
		if err := in.desk.askOf(ctx, in.q, peer, "internet", 0); err != nil {
			return err
		}
		in.hints = append(in.hints, endpointSubject(peer))
	}
	return nil
}
