package desk

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"slices"

	"constat/collector/store"
	"constat/collector/store/query"
	constatv1 "constat/proto/constat/v1"
)

// EraseEndpoint forgets a machine, whose name is given to be sure, and tells how many
// of its tickets stay. What it observed goes, in one transaction: facts, diagnoses,
// remedies, runs, where it was seen, and what only it had. Its tickets stay with what
// people wrote, the faults that were found and what came of remedies, and say that it
// was erased. Its certificates stay known, so that they are refused. It takes an
// administrator who is not limited to sites.
func (d *Desk) EraseEndpoint(ctx context.Context, a Actor, id, hostname string) (tickets int, err error) {
	if err := a.governs("erase machines"); err != nil {
		return 0, err
	}
	id = line(id, 64)
	var numbers []int32
	err = d.store.Write(ctx, func(ctx context.Context, q *query.Queries) error {
		// Whatever is under way for it ends first; what comes after finds it gone.
		if _, err := q.LockEndpoint(ctx, id); err != nil {
			return err
		}
		e, err := q.EndpointByID(ctx, id)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			return problem(ErrNotFound, "there is no endpoint %s", id)
		case err != nil:
			return err
		case nameKey(line(hostname, maxName)) != e.NameKey:
			return problem(ErrInvalid, "the machine %s is not named %q: nothing was erased", id, line(hostname, maxName))
		}
		told, err := q.TicketsOfEndpoint(ctx, id)
		if err != nil {
			return err
		}
		if err := forgetEvidence(ctx, q, told, id); err != nil {
			return err
		}
		named, err := forgetNamed(ctx, q, id)
		if err != nil {
			return err
		}
		if numbers, err = q.DetachTickets(ctx, id); err != nil {
			return err
		}
		numbers = append(numbers, slices.DeleteFunc(named, func(n int32) bool { return slices.Contains(numbers, n) })...)
		for _, number := range told {
			if err := wordsAnew(ctx, q, number); err != nil {
				return err
			}
		}
		for _, number := range numbers {
			err := writeEntry(ctx, q, number, d.now(), &constatv1.TicketEntry{
				Id: newID(), Kind: "change", Actor: a.Name, ActorRole: entryRole(a), Changes: []*constatv1.FieldChange{{Field: "erased"}},
			})
			if err != nil {
				return err
			}
		}
		if err := q.RevokeCertificates(ctx, id, store.Millis(d.now())); err != nil {
			return err
		}
		// What is found by another table goes before that table.
		for _, erase := range []func(context.Context, string) error{
			q.EraseSteps, q.EraseCommands, q.EraseSnapshots, q.ErasePayloads, q.EraseFacts, q.EraseChanges, q.EraseDiagnoses, q.ErasePlace, q.EraseFindings,
			q.EraseStations, q.EraseStationAddresses, q.EraseMacs, q.EraseRuns, q.EraseInstances, q.EraseRemedies, q.ErasePeripherals, q.ErasePeripheralPlaces,
			q.EraseEndpoint,
		} {
			if err := erase(ctx, id); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	slog.Info("a machine was erased", "endpoint", id, "by", a.Name, "tickets", len(numbers))
	d.hint(endpointSubject(id))
	d.hintTickets(numbers)
	return len(numbers), nil
}

// forgetEvidence leaves of what a machine told in tickets which faults were found and
// what came of remedies, and nothing that it observed.
func forgetEvidence(ctx context.Context, q *query.Queries, numbers []int32, endpoint string) error {
	for _, number := range numbers {
		rows, err := q.ToldByEndpoints(ctx, number)
		if err != nil {
			return err
		}
		for _, row := range rows {
			told, err := entryMessage(row)
			if err != nil {
				return err
			}
			its := told.GetDiagnosis().GetEndpointId() == endpoint
			if told.GetRemedy() != nil {
				of, err := q.RemedyIsOf(ctx, endpoint, told.GetRemedy().GetId())
				if err != nil {
					return err
				}
				its = of > 0
			}
			if !its { // another machine told it in the same ticket
				continue
			}
			kept := &constatv1.TicketEntry{
				Diagnosis: conclusion(told.GetDiagnosis()), Remedy: outcome(told.GetRemedy()),
				Changes: told.GetChanges(), Assignment: told.GetAssignment(), Service: told.GetService(), Mentions: told.GetMentions(),
			}
			content, err := store.PackMessage(kept)
			if err != nil {
				return err
			}
			if err := q.SetEntryContent(ctx, number, row.ID, content); err != nil {
				return err
			}
		}
	}
	return nil
}

// wordsAnew has a ticket found by what is in it now, and by no machine's name or
// serial number that it is not about any more.
func wordsAnew(ctx context.Context, q *query.Queries, number int32) error {
	t, err := q.TicketView(ctx, number)
	if err != nil {
		return err
	}
	texts := []string{t.RequesterName, t.Ticket.Resolution}
	entries, err := q.Entries(ctx, number)
	if err != nil {
		return err
	}
	for _, e := range entries {
		texts = append(texts, e.Text)
	}
	files, err := q.AttachmentsOf(ctx, number)
	if err != nil {
		return err
	}
	for _, f := range files {
		texts = append(texts, f.Name)
	}
	if err := q.PutTicketWords(ctx, number, ""); err != nil {
		return err
	}
	return addWords(ctx, q, t.Ticket, texts...)
}

// conclusion is what a diagnosis came to, without what it came from.
func conclusion(d *constatv1.Diagnosis) *constatv1.Diagnosis {
	if d == nil {
		return nil
	}
	short := &constatv1.Diagnosis{Id: d.GetId(), Procedure: d.GetProcedure(), StartedAt: d.GetStartedAt(), ElapsedMs: d.GetElapsedMs(), Verdict: d.GetVerdict()}
	for _, c := range d.GetRootCauses() {
		short.RootCauses = append(short.RootCauses, &constatv1.RootCause{Fault: c.GetFault(), Certainty: c.GetCertainty()})
	}
	return short
}

// outcome is what came of a remedy, and who wanted it.
func outcome(r *constatv1.RemedyResult) *constatv1.RemedyResult {
	if r == nil {
		return nil
	}
	return &constatv1.RemedyResult{
		Id: r.GetId(), Verb: r.GetVerb(), Fault: r.GetFault(), RequestedBy: r.GetRequestedBy(), ConsentedBy: r.GetConsentedBy(),
		At: r.GetAt(), ConsentedAt: r.GetConsentedAt(), Outcome: r.GetOutcome(), Ticket: r.GetTicket(), ElapsedMs: r.GetElapsedMs(),
	}
}
