package intake

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"constat/collector/desk"
	"constat/collector/store"
	"constat/internal/identity"
)

// AuthoritySetting is the name under which the CA is stored, sealed.
const AuthoritySetting = "authority"

// OpenAuthority gives the CA of the organisation whose database this is, and the
// key that seals its secrets. At the first start it makes both: the CA goes into
// the database, sealed, and the key into keyFile. Several collectors of one
// database share the CA; each needs a copy of the key file.
func OpenAuthority(ctx context.Context, s *store.Store, keyFile string, now time.Time) (*identity.Authority, *identity.SealingKey, error) {
	sealed, err := s.Setting(ctx, AuthoritySetting)
	first := errors.Is(err, store.ErrNoSetting)
	if err != nil && !first {
		return nil, nil, fmt.Errorf("cannot read the CA: %w", err)
	}
	key, err := identity.OpenKeyFile(keyFile)
	if identity.IsNoKeyFile(err) {
		if !first {
			return nil, nil, fmt.Errorf("the CA in this database is sealed and its key file %s is not there: put it back, or name the right one with --key-file", keyFile)
		}
		if key, err = identity.NewKeyFile(keyFile); errors.Is(err, fs.ErrExist) {
			key, err = identity.OpenKeyFile(keyFile)
		}
	}
	if err != nil {
		return nil, nil, err
	}
	if first {
		if sealed, err = makeAuthority(ctx, s, key, now); err != nil {
			return nil, nil, err
		}
	}
	text, err := key.Open(AuthoritySetting, sealed)
	if err != nil {
		return nil, nil, err
	}
	a, err := identity.ParseAuthority(text)
	if err != nil {
		return nil, nil, err
	}
	return a, key, nil
}

// makeAuthority makes a CA and stores it sealed, unless another collector was
// faster: then it gives that one's.
func makeAuthority(ctx context.Context, s *store.Store, key *identity.SealingKey, now time.Time) (sealed []byte, err error) {
	a, err := identity.NewAuthority(now)
	if err != nil {
		return nil, err
	}
	text, err := a.Marshal()
	if err != nil {
		return nil, err
	}
	mine, err := key.Seal(AuthoritySetting, text)
	if err != nil {
		return nil, err
	}
	if sealed, err = s.AddSetting(ctx, AuthoritySetting, mine); err != nil {
		return nil, fmt.Errorf("cannot store the CA: %w", err)
	}
	return sealed, nil
}

// NewToken makes an enrolment token that is good for so many uses until it
// expires, and gives its text, which is stored nowhere. The machines that enrol by
// it are of the site; empty: of none.
func NewToken(ctx context.Context, d *desk.Desk, a *identity.Authority, uses int, expires time.Time, label, site string) (string, error) {
	token, err := identity.NewToken(a.KeyHash())
	if err != nil {
		return "", err
	}
	if err := d.NewEnrolmentToken(ctx, token.SecretHash(), uses, expires, label); err != nil {
		return "", err
	}
	if site == "" {
		return token.Text(), nil
	}
	return token.Text(), d.SetTokenSite(ctx, token.SecretHash(), site)
}
