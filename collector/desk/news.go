package desk

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"constat/collector/store"
	"constat/collector/store/query"
	constatv1 "constat/proto/constat/v1"
)

// Which tickets news of the gear are for: the newest unsolved ones.
const (
	newsDays    = 7 * 24 * time.Hour
	maxNewsRows = 200
)

// readNews judges unsolved tickets again when the device at the other end of
// their machine's cable was read since: the port may have been shut after the
// ticket was opened. Each conclusion stands in a ticket once, however often the
// device changes its mind.
func (d *Desk) readNews(ctx context.Context) error {
	q, now := d.store.Read(), d.now()
	read, err := q.GearReadSince(ctx, store.Millis(d.newsRead))
	if err != nil || read == 0 {
		return err
	}
	rows, err := q.OpenJudged(ctx, store.Millis(now.Add(-newsDays)), maxNewsRows)
	if err != nil {
		return err
	}
	for _, row := range rows {
		socket, err := d.Socket(ctx, row.EndpointID)
		if errors.Is(err, ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		if socket == nil || !socket.ReadAt.AsTime().After(d.newsRead) {
			continue
		}
		if err := d.tellNews(ctx, row); err != nil {
			return err
		}
	}
	d.newsRead = now.Add(-sweepEvery) // a device is read before that is stored
	return nil
}

// tellNews adds what is concluded now to a ticket, where that is another cause
// than all that stand there.
func (d *Desk) tellNews(ctx context.Context, row query.OpenJudgedRow) error {
	found := &constatv1.Diagnosis{}
	if err := store.UnpackMessage(row.Content, found); err != nil {
		return err
	}
	again, err := (&intake{desk: d, q: d.store.Read(), endpoint: row.EndpointID}).again(ctx, found)
	if err != nil || again == nil || slices.Equal(causes(again), causes(found)) {
		return err
	}
	before, err := d.store.Read().DiagnosisContent(ctx, row.EndpointID, againID(found.GetId()))
	switch {
	case err == nil:
		told := &constatv1.Diagnosis{}
		if err := store.UnpackMessage(before, told); err != nil || slices.Equal(causes(again), causes(told)) {
			return err
		}
		again.Id = newsID(found.GetId(), again)
	case !errors.Is(err, sql.ErrNoRows):
		return err
	}
	var hints []string
	err = d.store.Write(ctx, func(ctx context.Context, q *query.Queries) error {
		in := &intake{desk: d, q: q, endpoint: row.EndpointID}
		if added, err := in.addDiagnosis(ctx, again); err != nil || added == 0 {
			return err
		}
		err := in.attach(ctx, row.Number, again)
		hints = in.hints
		return err
	})
	if err == nil {
		d.hint(hints...)
	}
	return err
}

// newsID is the id of a later conclusion from an agent's diagnosis: the same for
// the same causes.
func newsID(id string, again *constatv1.Diagnosis) string {
	return uuid.NewSHA1(uuid.MustParse(id), []byte("with later news: "+strings.Join(causes(again), " "))).String()
}
