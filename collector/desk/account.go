package desk

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"strings"

	"constat/collector/store"
	"constat/collector/store/query"
	deskv1 "constat/proto/constat/desk/v1"
	constatv1 "constat/proto/constat/v1"
)

// maxGone is how many tickets of people who are gone one look takes.
const maxGone = 200

// governs refuses who may not say who signs in.
func (a Actor) governs(what string) error {
	if err := a.require(what, "administrator", "system"); err != nil {
		return err
	}
	return a.requireEverywhere("who may sign in")
}

// Accounts are all who may sign in, by name, and behind them those who were removed.
func (d *Desk) Accounts(ctx context.Context, a Actor) ([]*deskv1.Account, error) {
	if err := a.governs("look at all accounts"); err != nil {
		return nil, err
	}
	q := d.store.Read()
	users, err := q.ListUsers(ctx)
	if err != nil {
		return nil, err
	}
	undone, err := q.CountUndone(ctx)
	if err != nil {
		return nil, err
	}
	open := map[string]int32{}
	for _, one := range undone {
		open[one.Assignee] = int32(one.Undone)
	}
	all := make([]*deskv1.Account, 0, len(users))
	for _, u := range users {
		one := accountMessage(u)
		if one.Role != "requester" {
			one.Open = open[u.Name]
		}
		all = append(all, one)
	}
	store.ByName(all, (*deskv1.Account).GetName)
	slices.SortStableFunc(all, func(a, b *deskv1.Account) int {
		return int(flag(a.GetRemovedAt() != nil) - flag(b.GetRemovedAt() != nil))
	})
	return all, nil
}

func accountMessage(u query.User) *deskv1.Account {
	return &deskv1.Account{
		Name: u.Name, Role: u.Role, Mail: u.Mail, Sites: userActor(u).Sites, CreatedAt: timestamp(u.CreatedAt), RemovedAt: timestamp(u.DisabledAt),
	}
}

// RemoveAccount lets somebody in no more, and tells how many of their tickets went to
// others or into the queue. Their name stays on what they did, and is not given to
// anybody else.
func (d *Desk) RemoveAccount(ctx context.Context, a Actor, name string) (returned int, err error) {
	if err := a.governs("remove accounts"); err != nil {
		return 0, err
	}
	err = d.store.Write(ctx, func(ctx context.Context, q *query.Queries) error {
		// One after the other, so that no two administrators remove each other; and
		// after whoever gives out tickets, or before.
		if _, err := q.NextNumber(ctx, "assignment"); err != nil {
			return err
		}
		user, err := q.UserByName(ctx, strings.ToLower(line(name, maxName)))
		switch {
		case errors.Is(err, sql.ErrNoRows) || err == nil && user.DisabledAt != 0:
			return problem(ErrNotFound, "nobody here is called %q", line(name, maxName))
		case err != nil:
			return err
		case user.ID == a.ID:
			return problem(ErrInvalid, "you cannot remove yourself: ask another administrator")
		}
		if err := keepsAdministrator(ctx, q, user); err != nil {
			return err
		}
		// No password fits what stands in its place, and every session began by another.
		if err := q.RemoveUser(ctx, user.ID, store.Millis(d.now()), "removed "+newID()); err != nil {
			return err
		}
		return errors.Join(q.DeleteLinksOf(ctx, user.ID), q.DeleteTokensOf(ctx, user.ID))
	})
	if err != nil {
		return 0, err
	}
	return d.returnOfGone(ctx)
}

// keepsAdministrator refuses to remove the last one who governs all sites.
func keepsAdministrator(ctx context.Context, q *query.Queries, leaving query.User) error {
	if leaving.Role != "administrator" {
		return nil
	}
	users, err := q.ListUsers(ctx)
	if err != nil {
		return err
	}
	for _, u := range users {
		if u.ID != leaving.ID && u.DisabledAt == 0 && u.Role == "administrator" && u.Sites == "" {
			return nil
		}
	}
	return problem(ErrInvalid, "%s is the last administrator: make another one first", leaving.Name)
}

// LimitAccount limits somebody to sites, with none to all of them, and tells how many
// of their tickets went to others or into the queue, because they do not see them any
// more.
func (d *Desk) LimitAccount(ctx context.Context, a Actor, name string, sites ...string) (limited *deskv1.Account, returned int, err error) {
	if err := a.governs("limit accounts"); err != nil {
		return nil, 0, err
	}
	var held []query.TicketsHeldByRow
	err = d.store.Write(ctx, func(ctx context.Context, q *query.Queries) error {
		// As with a removal: no two administrators limit each other, and nobody is given
		// a ticket meanwhile.
		if _, err := q.NextNumber(ctx, "assignment"); err != nil {
			return err
		}
		user, err := q.UserByName(ctx, strings.ToLower(line(name, maxName)))
		switch {
		case errors.Is(err, sql.ErrNoRows) || err == nil && user.DisabledAt != 0:
			return problem(ErrNotFound, "nobody here is called %q", line(name, maxName))
		case err != nil:
			return err
		case user.Role == "requester" && len(sites) > 0:
			return problem(ErrInvalid, "a requester sees their own tickets, at whatever site: leave the sites out")
		case len(sites) > 0:
			if err := keepsAdministrator(ctx, q, user); err != nil {
				return err
			}
		}
		kept, err := store.KeepSites(ctx, q, sites)
		if bad := (*store.BadSite)(nil); errors.As(err, &bad) {
			return problem(ErrInvalid, "%s", bad)
		}
		if err != nil {
			return err
		}
		user.Sites = strings.Join(kept, "\n")
		if _, err := q.SetSites(ctx, user.ID, user.Sites); err != nil {
			return err
		}
		limited = accountMessage(user)
		held, err = q.TicketsHeldBy(ctx, user.Name)
		held = slices.DeleteFunc(held, func(t query.TicketsHeldByRow) bool { return userActor(user).sees(t.Site) })
		return err
	})
	if err != nil {
		return nil, 0, err
	}
	for _, one := range held {
		var changed bool
		err := d.store.Write(ctx, func(ctx context.Context, q *query.Queries) error {
			changed = false
			t, err := q.LockTicket(ctx, one.Number)
			if err != nil || finished(t.Status) || t.Assignee != limited.GetName() {
				return err
			}
			user, err := q.UserByName(ctx, strings.ToLower(t.Assignee))
			if err != nil || userActor(user).sees(t.Site) {
				return err // somebody let them see it meanwhile
			}
			turn, err := q.Turn(ctx, t.Number)
			if err != nil && !errors.Is(err, sql.ErrNoRows) {
				return err
			}
			changed = true
			return d.passOn(ctx, q, t, &constatv1.FieldChange{Field: "unseen", Before: t.Assignee}, list(turn.LetLie))
		})
		if err != nil {
			return limited, returned, err
		}
		if changed {
			returned++
			d.hint(ticketSubject(one.Number))
		}
	}
	return limited, returned, nil
}

// RestoreAccount takes a removal back. The tickets stay where they went.
func (d *Desk) RestoreAccount(ctx context.Context, a Actor, name string) (*deskv1.Account, error) {
	if err := a.governs("restore accounts"); err != nil {
		return nil, err
	}
	var restored *deskv1.Account
	err := d.store.Write(ctx, func(ctx context.Context, q *query.Queries) error {
		user, err := q.UserByName(ctx, strings.ToLower(line(name, maxName)))
		if errors.Is(err, sql.ErrNoRows) {
			return problem(ErrNotFound, "nobody called %q was ever here", line(name, maxName))
		}
		if err != nil {
			return err
		}
		changed, err := q.RestoreUser(ctx, user.ID)
		if err == nil && changed == 0 {
			err = problem(ErrInvalid, "%s was not removed", user.Name)
		}
		user.DisabledAt = 0
		restored = accountMessage(user)
		return err
	})
	return restored, err
}

// returnOfGone gives the tickets of people who are gone to others. Whatever left one
// with them (a change at the same moment, a collector that stopped half-way) is
// mended by the next look.
func (d *Desk) returnOfGone(ctx context.Context) (returned int, err error) {
	for {
		numbers, err := d.store.Read().TicketsOfGone(ctx, maxGone)
		if err != nil || len(numbers) == 0 {
			return returned, err
		}
		passed := 0
		for _, number := range numbers {
			var changed bool
			err := d.store.Write(ctx, func(ctx context.Context, q *query.Queries) error {
				changed = false
				t, err := q.LockTicket(ctx, number)
				if err != nil || finished(t.Status) {
					return err
				}
				changed, err = d.passOnOfGone(ctx, q, t)
				return err
			})
			if err != nil {
				return returned, err
			}
			if changed {
				passed++
				d.hint(ticketSubject(number))
			}
		}
		if returned += passed; passed == 0 {
			return returned, nil // another collector was faster
		}
	}
}

// passOnOfGone gives a locked ticket to another when its assignee is gone, and tells
// whether they are.
func (d *Desk) passOnOfGone(ctx context.Context, q *query.Queries, t query.Ticket) (bool, error) {
	if t.Assignee == "" {
		return false, nil
	}
	user, err := q.UserByName(ctx, strings.ToLower(t.Assignee))
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil // a name that another desk brought along
	}
	if err != nil || user.DisabledAt == 0 {
		return false, err
	}
	turn, err := q.Turn(ctx, t.Number)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return false, err
	}
	return true, d.passOn(ctx, q, t, &constatv1.FieldChange{Field: "left", Before: t.Assignee}, list(turn.LetLie))
}
