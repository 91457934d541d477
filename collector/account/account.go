// Package account knows the people and programs that sign in to the collector:
// users with passwords and roles, links that sign in once, and API tokens.
//
// Of secrets it keeps only hashes: argon2id of passwords, SHA-256 of links and
// tokens, which are random enough for that.
package account

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"

	"constat/collector/store"
	"constat/collector/store/query"
)

var (
	// ErrBadCredentials is all that a failed sign-in says: not whether the name
	// exists.
	ErrBadCredentials = errors.New("name or password is wrong")
	// ErrThrottled: too many failures; the text says for how long.
	ErrThrottled = errors.New("too many attempts")
	// ErrLink: the one-time link was used before, has expired, or never was.
	ErrLink = errors.New("this sign-in link was used already or has expired: have a new one made")
	// ErrToken: the API token is unknown, has expired, or its user is disabled.
	ErrToken = errors.New("this token is not valid or has expired: have a new one made")
	// ErrNotFound: there is no such user.
	ErrNotFound = errors.New("there is no such user")
	// ErrExists: the name is taken.
	ErrExists = errors.New("there is a user of this name already")
	// ErrInvalid: a name, role or password cannot be used; the text says why.
	ErrInvalid = errors.New("invalid")
)

// Roles are what a user may be, from the least to the most.
var Roles = []string{"requester", "technician", "lead", "administrator"}

// User is somebody who may sign in.
type User struct {
	ID, Name, Mail string
	// Role is requester | technician | lead | administrator.
	Role string
	// Sites are those that they are limited to; none: they see all.
	Sites []string
	// Person is the id of a requester among the people who ask for help.
	Person string
	// Language is the BCP 47 tag they read in; empty: as their browser says.
	Language string
	// Credential is another one after each change of the password, so that a
	// session can end with the password it began by. It tells nothing of it.
	Credential string
}

// Accounts is the register of users. It is safe for use by many goroutines.
type Accounts struct {
	store    *store.Store
	now      func() time.Time
	throttle *throttle
}

// New makes the register over a store.
func New(s *store.Store) *Accounts {
	return &Accounts{store: s, now: time.Now, throttle: newThrottle()}
}

// Create adds a user. An empty password lets nobody in before one is set through
// a one-time link.
//
// A requester is the person who is known by that account name, or becomes one; so
// only who may make users says whose tickets somebody sees.
func (a *Accounts) Create(ctx context.Context, name, mail, role, password string, sites ...string) (User, error) {
	name, mail = strings.TrimSpace(name), strings.TrimSpace(mail)
	if err := checkName(name); err != nil {
		return User{}, err
	}
	if !slices.Contains(Roles, role) {
		return User{}, invalid("there is no role %q: it is one of %s", role, strings.Join(Roles, ", "))
	}
	if len(mail) > 254 || mail != "" && !strings.Contains(mail, "@") {
		return User{}, invalid("%q is not a mail address", mail)
	}
	var hash string
	var err error
	if password != "" {
		if hash, err = a.hashPassword(ctx, password); err != nil {
			return User{}, err
		}
	}
	id, err := uuid.NewV7()
	if err != nil {
		return User{}, err
	}
	var takes int32 // tickets, by themselves: who leads or runs the house has other work
	if role == "technician" {
		takes = 1
	}
	var person string
	var kept []string
	err = a.store.Write(ctx, func(ctx context.Context, q *query.Queries) error {
		var err error
		if kept, err = keepSites(ctx, q, role, sites); err != nil {
			return err
		}
		if role == "requester" {
			if person, err = becomePerson(ctx, q, name, mail, a.now()); err != nil {
				return err
			}
		}
		added, err := q.AddUser(ctx, query.AddUserParams{
			ID: id.String(), Name: name, NameKey: nameKey(name), Mail: mail, Role: role,
			Password: hash, CreatedAt: a.now().UnixMilli(), TakesTickets: takes,
			Sites: strings.Join(kept, "\n"), PersonID: person,
		})
		if err != nil || added > 0 {
			return err
		}
		if present, err := q.UserByName(ctx, nameKey(name)); err == nil && present.DisabledAt != 0 {
			return &sentence{ErrExists, fmt.Sprintf("%s was here and was removed; what they did keeps the name: restore them, or take another name", present.Name)}
		}
		return ErrExists
	})
	if err != nil {
		return User{}, err
	}
	return User{ID: id.String(), Name: name, Mail: mail, Role: role, Sites: kept, Person: person, Credential: credential(hash)}, nil
}

// becomePerson gives the id of the person of an account name, whom it makes known
// when they are not.
func becomePerson(ctx context.Context, q *query.Queries, name, mail string, now time.Time) (string, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return "", err
	}
	_, err = q.AddPerson(ctx, query.AddPersonParams{ID: id.String(), Account: nameKey(name), Name: name, Mail: mail, CreatedAt: now.UnixMilli()})
	if err != nil {
		return "", err
	}
	person, err := q.PersonByAccount(ctx, nameKey(name))
	return person.ID, err
}

// keepSites gives the names of sites as they are known, and makes new ones known.
func keepSites(ctx context.Context, q *query.Queries, role string, sites []string) ([]string, error) {
	kept, err := store.KeepSites(ctx, q, sites)
	if bad := (*store.BadSite)(nil); errors.As(err, &bad) {
		return nil, invalid("%s", bad)
	}
	if err == nil && role == "requester" && len(kept) > 0 {
		return nil, invalid("a requester sees their own tickets, at whatever site: leave the sites out")
	}
	return kept, err
}

// User gives the user with the id, ErrNotFound when there is none or they are
// disabled.
func (a *Accounts) User(ctx context.Context, id string) (User, error) {
	return one(a.store.Read().UserByID(ctx, id))
}

// Named gives the user of that name, upper or lower case, or ErrNotFound.
func (a *Accounts) Named(ctx context.Context, name string) (User, error) {
	if checkName(strings.TrimSpace(name)) != nil {
		return User{}, ErrNotFound // a name that cannot be stored is nobody's
	}
	return one(a.store.Read().UserByName(ctx, nameKey(name)))
}

// SetLanguage keeps in which language a user reads.
func (a *Accounts) SetLanguage(ctx context.Context, id, language string) error {
	return a.store.Write(ctx, func(ctx context.Context, q *query.Queries) error {
		_, err := q.SetLanguage(ctx, id, language)
		return err
	})
}

// Users lists all who may sign in, by name.
func (a *Accounts) Users(ctx context.Context) ([]User, error) {
	rows, err := a.store.Read().ListUsers(ctx)
	if err != nil {
		return nil, err
	}
	var users []User
	for _, row := range rows {
		if row.DisabledAt == 0 {
			users = append(users, user(row))
		}
	}
	store.ByName(users, func(u User) string { return u.Name })
	return users, nil
}

// OneTimeLink makes the secret of a link that signs the named user in once,
// within ttl.
func (a *Accounts) OneTimeLink(ctx context.Context, userName string, ttl time.Duration) (token string, err error) {
	u, err := a.Named(ctx, userName)
	if err != nil {
		return "", fmt.Errorf("%w: %q", err, userName)
	}
	token, hash := newSecret()
	now := a.now()
	err = a.store.Write(ctx, func(ctx context.Context, q *query.Queries) error {
		if err := q.DeleteExpiredLinks(ctx, now.UnixMilli()); err != nil {
			return err
		}
		return q.AddOneTimeLink(ctx, hash, u.ID, now.Add(ttl).UnixMilli())
	})
	return token, err
}

// RedeemLink signs in by a one-time link, which it uses up. Of two who press it
// at once, one gets in.
func (a *Accounts) RedeemLink(ctx context.Context, token string) (User, error) {
	var link query.TakeOneTimeLinkRow
	err := a.store.Write(ctx, func(ctx context.Context, q *query.Queries) (err error) {
		link, err = q.TakeOneTimeLink(ctx, hashSecret(token))
		return err
	})
	if errors.Is(err, sql.ErrNoRows) || err == nil && link.ExpiresAt <= a.now().UnixMilli() {
		return User{}, ErrLink
	}
	if err != nil {
		return User{}, err
	}
	return a.User(ctx, link.UserID)
}

// NewToken makes an API token for a program that acts as the user; ttl 0: it
// holds until it is taken away. The token is shown once and kept nowhere.
func (a *Accounts) NewToken(ctx context.Context, userID, label string, ttl time.Duration) (token string, err error) {
	if _, err := a.User(ctx, userID); err != nil {
		return "", err
	}
	token, hash := newSecret()
	now := a.now()
	var expires int64
	if ttl > 0 {
		expires = now.Add(ttl).UnixMilli()
	}
	err = a.store.Write(ctx, func(ctx context.Context, q *query.Queries) error {
		return q.AddAPIToken(ctx, query.AddAPITokenParams{
			SecretHash: hash, UserID: userID, Label: label, CreatedAt: now.UnixMilli(), ExpiresAt: expires,
		})
	})
	return token, err
}

// TokenUser gives the user whose API token it is, or ErrToken.
func (a *Accounts) TokenUser(ctx context.Context, token string) (User, error) {
	row, err := a.store.Read().APIToken(ctx, hashSecret(token))
	if errors.Is(err, sql.ErrNoRows) || err == nil && row.ExpiresAt != 0 && row.ExpiresAt <= a.now().UnixMilli() {
		return User{}, ErrToken
	}
	if err != nil {
		return User{}, err
	}
	u, err := a.User(ctx, row.UserID)
	if errors.Is(err, ErrNotFound) {
		return User{}, ErrToken
	}
	return u, err
}

// one turns what a query for one row gave into a user.
func one(row query.User, err error) (User, error) {
	if errors.Is(err, sql.ErrNoRows) || err == nil && row.DisabledAt != 0 {
		return User{}, ErrNotFound
	}
	if err != nil {
		return User{}, err
	}
	return user(row), nil
}

func user(row query.User) User {
	u := User{
		ID: row.ID, Name: row.Name, Mail: row.Mail, Role: row.Role, Language: row.Language, Person: row.PersonID,
		Credential: credential(row.Password),
	}
	if row.Sites != "" {
		u.Sites = strings.Split(row.Sites, "\n")
	}
	return u
}

// credential marks a stored password without telling it.
func credential(stored string) string {
	sum := sha256.Sum256([]byte("credential " + stored))
	return hex.EncodeToString(sum[:16])
}

// checkName keeps names short enough to show and free of what cannot be typed.
func checkName(name string) error {
	if name == "" || utf8.RuneCountInString(name) > 64 {
		return invalid("a user's name has 1 to 64 characters")
	}
	for _, r := range name {
		if r < ' ' || r == 0x7f || r == utf8.RuneError {
			return invalid("a user's name cannot hold the character %U", r)
		}
	}
	if !strings.ContainsFunc(name, func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }) {
		return invalid("a user's name has at least one letter or digit")
	}
	return nil
}

// nameKey makes names of users the same that differ by case only.
func nameKey(name string) string { return strings.ToLower(strings.TrimSpace(name)) }

// newSecret makes 256 random bits, as text for a link and as the hash to keep.
func newSecret() (text string, hash []byte) {
	secret := make([]byte, 32)
	rand.Read(secret)
	text = base64.RawURLEncoding.EncodeToString(secret)
	return text, hashSecret(text)
}

func hashSecret(text string) []byte {
	sum := sha256.Sum256([]byte(text))
	return sum[:]
}

type sentence struct {
	kind error
	text string
}

func (s *sentence) Error() string { return s.text }
func (s *sentence) Unwrap() error { return s.kind }

func invalid(format string, args ...any) error {
	return &sentence{ErrInvalid, fmt.Sprintf(format, args...)}
}
