package desk

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"constat/collector/store"
	"constat/collector/store/query"
	constatv1 "constat/proto/constat/v1"
)

// NewEnrolmentToken lets endpoints enrol who show the secret of this hash: that
// many, until it expires.
func (d *Desk) NewEnrolmentToken(ctx context.Context, secretHash []byte, uses int, expires time.Time, label string) error {
	if uses < 1 || uses > 1_000_000 {
		return problem(ErrInvalid, "a token is for 1 to 1000000 machines, not %d", uses)
	}
	now := d.now()
	if !expires.After(now) {
		return problem(ErrInvalid, "the token would have expired already, at %s", expires.Format(time.RFC3339))
	}
	return d.store.Write(ctx, func(ctx context.Context, q *query.Queries) error {
		return q.AddEnrolmentToken(ctx, query.AddEnrolmentTokenParams{
			SecretHash: secretHash, Label: line(label, maxName), UsesLeft: int32(uses),
			CreatedAt: store.Millis(now), ExpiresAt: store.Millis(expires),
		})
	})
}

// SetTokenSite says at which site the machines are that will enrol by a token.
func (d *Desk) SetTokenSite(ctx context.Context, secretHash []byte, name string) error {
	return d.store.Write(ctx, func(ctx context.Context, q *query.Queries) error {
		site, err := keepSite(ctx, q, name)
		if err != nil {
			return err
		}
		found, err := q.SetTokenSite(ctx, secretHash, site)
		if err == nil && found == 0 {
			return ErrTokenUnknown
		}
		return err
	})
}

// Enroll makes a machine an endpoint, or gives one that was enrolled before its
// identity back, and spends one use of the token. issue makes the certificate;
// it may be called again for the same enrolment. Only when all of it is stored
// does anything count, the token's use included.
func (d *Desk) Enroll(ctx context.Context, secretHash []byte, r *constatv1.EnrollRequest, issue func(endpointID string) (serial string, notAfter time.Time, err error)) (endpointID string, err error) {
	hostname, machine := line(r.GetHostname(), maxName), line(r.GetMachineHash(), maxName)
	hardware := line(r.GetHardwareHash(), maxName)
	family, version := line(r.GetOsFamily(), maxName), line(r.GetAgentVersion(), maxName)
	err = d.store.Write(ctx, func(ctx context.Context, q *query.Queries) error {
		now := d.now()
		site, err := spend(ctx, q, secretHash, now)
		if err != nil {
			return err
		}
		var known []query.Endpoint
		if machine != "" {
			if known, err = q.EndpointByMachine(ctx, machine, hardware); err != nil {
				return err
			}
		}
		if len(known) > 0 && sameHardware(hardware, known[0].HardwareHash) == nil {
			// Whose firmware tells nothing, and who live with one identity: who asks gets
			// another one, and whichever machine that is, they are two.
			runs, err := q.EndpointInstances(ctx, known[0].ID)
			if err != nil {
				return err
			}
			if len(alive(runs, now)) > 0 {
				if err := q.ForgetEndpointInstances(ctx, known[0].ID); err != nil {
					return err
				}
				known = nil
			}
		}
		if len(known) == 0 && machine != "" && hardware != "" {
			if known, err = reimaged(ctx, q, r, now); err != nil {
				return err
			}
		}
		if len(known) > 0 {
			endpointID = known[0].ID
			err := q.ReenrolEndpoint(ctx, query.ReenrolEndpointParams{
				ID: endpointID, Hostname: hostname, NameKey: nameKey(hostname), OrderKey: store.OrderKey(hostname), OsFamily: family,
				AgentVersion: version, LastSeenAt: store.Millis(now),
			})
			if err != nil {
				return err
			}
		} else {
			endpointID = newID()
			err := q.AddEndpoint(ctx, query.AddEndpointParams{
				ID: endpointID, Hostname: hostname, NameKey: nameKey(hostname), OrderKey: store.OrderKey(hostname), MachineHash: machine, OsFamily: family,
				AgentVersion: version, EnrolledAt: store.Millis(now), HardwareHash: hardware,
			})
			if err != nil {
				return err
			}
		}
		if hardware != "" {
			if err := q.SetEndpointHardware(ctx, endpointID, hardware); err != nil {
				return err
			}
			if err := q.ForgetCopies(ctx, hardware, endpointID); err != nil {
				return err
			}
		}
		if site != "" {
			if err := q.SetEndpointSite(ctx, endpointID, site); err != nil {
				return err
			}
		}
		serial, notAfter, err := issue(endpointID)
		if err != nil {
			return err
		}
		return recordCertificate(ctx, q, endpointID, serial, notAfter, now)
	})
	if err != nil {
		return "", err
	}
	return endpointID, nil
}

// reimaged gives the endpoint whose hardware a new system of the same kind runs on,
// once that has taken its place: its own key is the only one from then on. None,
// and so an endpoint of its own, where the firmware tells no serial, or another
// machine the same, where the former system lives, or came back after such a change.
func reimaged(ctx context.Context, q *query.Queries, r *constatv1.EnrollRequest, now time.Time) ([]query.Endpoint, error) {
	same, err := q.EndpointsByHardware(ctx, line(r.GetHardwareHash(), maxName))
	if err != nil || len(same) != 1 {
		return nil, err
	}
	e := same[0]
	if e.Serial == "" || e.MachineHash == "" || e.OsFamily != line(r.GetOsFamily(), maxName) || e.OnlineUntil > store.Millis(now) || e.FormerSeenAt != 0 {
		return nil, nil
	}
	if err := q.ReimageEndpoint(ctx, e.ID, line(r.GetMachineHash(), maxName), store.Millis(now)); err != nil {
		return nil, err
	}
	if err := q.RevokeCertificates(ctx, e.ID, store.Millis(now)); err != nil {
		return nil, err
	}
	if err := noteReimaged(ctx, q, e, cmp.Or(line(r.GetHostname(), maxName), e.OsFamily), now); err != nil {
		return nil, err
	}
	return same, q.ForgetEndpointInstances(ctx, e.ID)
}

// noteReimaged puts among an endpoint's changes that a new system took the place of
// the one before, in the place of the hundreds in which the two differ.
func noteReimaged(ctx context.Context, q *query.Queries, formerly query.Endpoint, name string, now time.Time) error {
	before := formerly.Hostname
	if formerly.OsName != "" {
		before = strings.TrimPrefix(before+", "+formerly.OsName, ", ")
	}
	const group = "installation"
	content, err := store.PackMessage(&constatv1.Change{At: timestamppb.New(now), Group: proto.String(group), Before: proto.String(cmp.Or(before, formerly.OsFamily)), After: proto.String(name)})
	if err != nil {
		return err
	}
	if err := q.AddChange(ctx, query.AddChangeParams{EndpointID: formerly.ID, At: store.Millis(now), GroupName: group, Content: content}); err != nil {
		return err
	}
	return q.ForgetFormerFacts(ctx, formerly.ID, []byte{})
}

// spend takes one use off a token that is good, and gives the site that it is for.
func spend(ctx context.Context, q *query.Queries, secretHash []byte, now time.Time) (site string, err error) {
	spent, err := q.SpendEnrolmentToken(ctx, secretHash)
	if err != nil {
		return "", err
	}
	token, err := q.EnrolmentToken(ctx, secretHash)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return "", ErrTokenUnknown
	case err != nil:
		return "", err
	case token.ExpiresAt <= store.Millis(now):
		return "", ErrTokenExpired
	case spent == 0:
		return "", ErrTokenSpent
	}
	return token.Site, nil
}

// RecordCertificate notes a certificate that was issued to an endpoint.
func (d *Desk) RecordCertificate(ctx context.Context, endpointID, serial string, notAfter time.Time) error {
	return d.store.Write(ctx, func(ctx context.Context, q *query.Queries) error {
		return recordCertificate(ctx, q, endpointID, serial, notAfter, d.now())
	})
}

func recordCertificate(ctx context.Context, q *query.Queries, endpointID, serial string, notAfter, now time.Time) error {
	found, err := q.SetCertificateExpiry(ctx, endpointID, store.Millis(notAfter))
	if err != nil {
		return err
	}
	if found == 0 {
		return problem(ErrNotFound, "this collector does not know endpoint %s: enrol again", endpointID)
	}
	return q.AddCertificate(ctx, query.AddCertificateParams{
		Serial: serial, EndpointID: endpointID, IssuedAt: store.Millis(now), NotAfter: store.Millis(notAfter),
	})
}

// CertificateState tells whose certificate it is and whether it was revoked. One
// that was never recorded here is ErrNotFound. It notes that a system lives on whose
// place a new one took.
func (d *Desk) CertificateState(ctx context.Context, serial string) (endpointID string, revoked bool, err error) {
	row, err := d.store.Read().CertificateBySerial(ctx, serial)
	if errors.Is(err, sql.ErrNoRows) {
		return "", false, problem(ErrNotFound, "this collector issued no certificate %s", line(serial, 64))
	}
	if err == nil && row.RevokedAt != 0 {
		err = d.noteFormer(ctx, row)
	}
	return row.EndpointID, row.RevokedAt != 0, err
}

// noteFormer remembers that a certificate was shown that was revoked when the
// machine was set up anew: one of the same hardware still has the system of before.
func (d *Desk) noteFormer(ctx context.Context, shown query.Certificate) error {
	e, err := d.store.Read().EndpointByID(ctx, shown.EndpointID)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	now := store.Millis(d.now())
	if err != nil || e.ReimagedAt == 0 || shown.RevokedAt != e.ReimagedAt || now-e.FormerSeenAt < time.Minute.Milliseconds() {
		return err
	}
	err = d.store.Write(ctx, func(ctx context.Context, q *query.Queries) error {
		return q.SeeFormerSystem(ctx, e.ID, now)
	})
	if err == nil {
		d.hint(endpointSubject(e.ID))
	}
	return err
}

// RevokeEndpoint ends all certificates of an endpoint, for good. It takes a lead.
// The machine may enrol again with a token, as a new endpoint.
func (d *Desk) RevokeEndpoint(ctx context.Context, a Actor, endpointID, reason string) error {
	if err := a.require("revoke an endpoint", "lead", "administrator", "system"); err != nil {
		return err
	}
	ctx = For(ctx, a)
	err := d.store.Write(ctx, func(ctx context.Context, q *query.Queries) error {
		now := store.Millis(d.now())
		if err := seesEndpointID(ctx, q, line(endpointID, 64)); err != nil {
			return err
		}
		found, err := q.RevokeEndpoint(ctx, line(endpointID, 64), now, line(reason, maxTitle))
		if err != nil {
			return err
		}
		if found == 0 {
			return problem(ErrNotFound, "there is no endpoint %s", line(endpointID, 64))
		}
		return q.RevokeCertificates(ctx, endpointID, now)
	})
	if err == nil {
		d.hint(endpointSubject(endpointID))
	}
	return err
}
