package account

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"constat/collector/store"
	"constat/collector/store/storetest"
)

func wantKind(t *testing.T, err, kind error) {
	t.Helper()
	if !errors.Is(err, kind) {
		t.Errorf("error %v, want the kind %v", err, kind)
	}
}

func TestSignIn(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		a := New(s)
		created, err := a.Create(t.Context(), "Léa Martin", "lea@example.org", "technician", "correct horse")
		if err != nil {
			t.Fatal(err)
		}
		if u, err := a.Authenticate(t.Context(), " LÉA martin", "correct horse"); err != nil || !reflect.DeepEqual(u, created) {
			t.Errorf("signed in as %v (%v), want %v", u, err, created)
		}
		if _, err := a.Create(t.Context(), "Max", "", "lead", ""); err != nil {
			t.Fatal(err)
		}
		for name, password := range map[string]string{
			"Léa Martin": "wrong horse", "nobody": "correct horse", "Max": "", "a\x00b": "x", "": "",
			strings.Repeat("x", 1<<20): strings.Repeat("y", 1<<20),
		} {
			_, err := a.Authenticate(t.Context(), name, password)
			wantKind(t, err, ErrBadCredentials)
		}
		if err := a.SetPassword(t.Context(), created.ID, "battery staple"); err != nil {
			t.Fatal(err)
		}
		_, err = a.Authenticate(t.Context(), "Léa Martin", "correct horse")
		wantKind(t, err, ErrBadCredentials)
		if _, err := a.Authenticate(t.Context(), "Léa Martin", "battery staple"); err != nil {
			t.Error(err)
		}
		wantKind(t, a.SetPassword(t.Context(), created.ID, "short"), ErrInvalid)
		wantKind(t, a.SetPassword(t.Context(), "no such id", "long enough"), ErrNotFound)
		users, err := a.Users(t.Context())
		if err != nil || len(users) != 2 || users[0].ID != created.ID {
			t.Errorf("users: %v (%v)", users, err)
		}
	})
}

func TestCreateRefusals(t *testing.T) {
	a := New(storetest.SQLite(t))
	if _, err := a.Create(t.Context(), "Léa", "", "lead", ""); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []struct {
		name, mail, role, password string
		kind                       error
	}{
		{"léa", "", "lead", "", ErrExists},
		{" ", "", "lead", "", ErrInvalid},
		{"a\nb", "", "lead", "", ErrInvalid},
		{"-", "", "lead", "", ErrInvalid},
		{strings.Repeat("x", 65), "", "lead", "", ErrInvalid},
		{"b", "nomail", "lead", "", ErrInvalid},
		{"b", "", "king", "", ErrInvalid},
		{"b", "", "lead", "1234567", ErrInvalid},
		{"b", "", "lead", strings.Repeat("x", 2000), ErrInvalid},
	} {
		_, err := a.Create(t.Context(), bad.name, bad.mail, bad.role, bad.password)
		wantKind(t, err, bad.kind)
	}
}

// A link lets in one of those who press it at once, and nobody after that.
func TestOneTimeLink(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		a := New(s)
		if _, err := a.Create(t.Context(), "Léa", "", "administrator", ""); err != nil {
			t.Fatal(err)
		}
		link, err := a.OneTimeLink(t.Context(), "léa", time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		var in atomic.Int32
		var all sync.WaitGroup
		for range 10 {
			all.Go(func() {
				u, err := a.RedeemLink(t.Context(), link)
				if err == nil && u.Name == "Léa" {
					in.Add(1)
				} else if !errors.Is(err, ErrLink) {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if in.Load() != 1 {
			t.Errorf("the link let in %d", in.Load())
		}
		old, err := a.OneTimeLink(t.Context(), "Léa", time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		a.now = func() time.Time { return time.Now().Add(2 * time.Hour) }
		_, err = a.RedeemLink(t.Context(), old)
		wantKind(t, err, ErrLink)
		_, err = a.OneTimeLink(t.Context(), "nobody", time.Hour)
		wantKind(t, err, ErrNotFound)
	})
}

func TestTokens(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		a := New(s)
		lea, err := a.Create(t.Context(), "Léa", "", "lead", "")
		if err != nil {
			t.Fatal(err)
		}
		short, err := a.NewToken(t.Context(), lea.ID, "script", time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		lasting, err := a.NewToken(t.Context(), lea.ID, "", 0)
		if err != nil {
			t.Fatal(err)
		}
		if u, err := a.TokenUser(t.Context(), short); err != nil || !reflect.DeepEqual(u, lea) {
			t.Errorf("%v %v", u, err)
		}
		a.now = func() time.Time { return time.Now().Add(2 * time.Hour) }
		_, err = a.TokenUser(t.Context(), short)
		wantKind(t, err, ErrToken)
		if _, err := a.TokenUser(t.Context(), lasting); err != nil {
			t.Error(err)
		}
		_, err = a.TokenUser(t.Context(), "")
		wantKind(t, err, ErrToken)
		_, err = a.NewToken(t.Context(), "nobody", "", 0)
		wantKind(t, err, ErrNotFound)
	})
}

// Five failures are free, then each costs twice the wait, for that name from that
// address only.
func TestThrottle(t *testing.T) {
	a := New(storetest.SQLite(t))
	now := time.Now()
	a.now = func() time.Time { return now }
	if _, err := a.Create(t.Context(), "Léa", "", "lead", "correct horse"); err != nil {
		t.Fatal(err)
	}
	here, there := From(t.Context(), "192.0.2.1"), From(t.Context(), "192.0.2.2")
	for range freeFailures {
		_, err := a.Authenticate(here, "Léa", "wrong")
		wantKind(t, err, ErrBadCredentials)
	}
	_, err := a.Authenticate(here, "Léa", "correct horse")
	wantKind(t, err, ErrThrottled)
	if _, err := a.Authenticate(there, "Léa", "correct horse"); err != nil {
		t.Error(err)
	}
	now = now.Add(time.Second)
	_, err = a.Authenticate(here, "Léa", "wrong")
	wantKind(t, err, ErrBadCredentials)
	now = now.Add(time.Second)
	_, err = a.Authenticate(here, "Léa", "correct horse")
	wantKind(t, err, ErrThrottled)
	now = now.Add(time.Second)
	if _, err := a.Authenticate(here, "Léa", "correct horse"); err != nil {
		t.Error(err)
	}
}

// The memory of failures is bounded, whoever tries however many names.
func TestThrottleMemory(t *testing.T) {
	th, now := newThrottle(), time.Now()
	for i := range 3 * maxRemembered {
		_ = th.begin(attempt{name: strings.Repeat("x", i%7), address: time.Duration(i).String()}, now)
	}
	if n := len(th.byWho); n > maxRemembered {
		t.Errorf("%d are remembered", n)
	}
	a := New(storetest.SQLite(t))
	for i := range 3 {
		_, err := a.Authenticate(t.Context(), strings.Repeat("x", 1<<20+i), "wrong")
		wantKind(t, err, ErrBadCredentials)
	}
	for who := range a.throttle.byWho {
		if len(who.name) > 64 {
			t.Errorf("a name of %d bytes is remembered", len(who.name))
		}
	}
}

// Who tries many passwords at once gets no more answers than one by one.
func TestThrottleAtOnce(t *testing.T) {
	a := New(storetest.SQLite(t))
	now := time.Now()
	a.now = func() time.Time { return now }
	var all sync.WaitGroup
	var tried atomic.Int32
	for range 10 * freeFailures {
		all.Go(func() {
			_, err := a.Authenticate(t.Context(), "Léa", "wrong")
			if errors.Is(err, ErrBadCredentials) {
				tried.Add(1)
			} else if !errors.Is(err, ErrThrottled) {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if tried.Load() != freeFailures {
		t.Errorf("%d passwords were tried at once, want %d", tried.Load(), freeFailures)
	}
}

// A new password ends the links made before it, and marks the sessions.
func TestNewPasswordEndsTheOld(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		a := New(s)
		lea, err := a.Create(t.Context(), "Léa", "", "lead", "")
		if err != nil {
			t.Fatal(err)
		}
		link, err := a.OneTimeLink(t.Context(), "Léa", time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		if err := a.SetPassword(t.Context(), lea.ID, "correct horse"); err != nil {
			t.Fatal(err)
		}
		_, err = a.RedeemLink(t.Context(), link)
		wantKind(t, err, ErrLink)
		after, err := a.User(t.Context(), lea.ID)
		if err != nil || after.Credential == lea.Credential {
			t.Errorf("the credential stayed %q (%v)", after.Credential, err)
		}
	})
}

// A stored password that this version cannot have written is an error, not a
// costly calculation.
func FuzzMatches(f *testing.F) {
	f.Add("$argon2id$v=19$m=8,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")
	f.Add("$argon2id$v=19$m=4294967295,t=1,p=1$AA$AA")
	f.Add("")
	f.Fuzz(func(t *testing.T, stored string) {
		if right, err := matches(t.Context(), stored, "password"); right && err == nil {
			t.Errorf("%q matches", stored)
		}
	})
}

// Users stand where people look for them, on every engine alike: its own order is not
// asked.
func TestUsersAreListedAsPeopleLookForThem(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		a := New(s)
		want := []string{"_bot", "ann", "Ann-Marie", "Émile", "Emilie", "poste 2", "poste 10", "Žofie", "山田"}
		for _, i := range []int{4, 8, 1, 6, 3, 0, 7, 5, 2} {
			if _, err := a.Create(t.Context(), want[i], "", "technician", ""); err != nil {
				t.Fatal(err)
			}
		}
		users, err := a.Users(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, u := range users {
			got = append(got, u.Name)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
	})
}
