package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	constatv1 "constat/proto/constat/v1"
)

func readSignIn(ctx context.Context, r *reader) (proto.Message, *constatv1.Observation) {
	o := observed("org.freedesktop.login1, /etc/passwd, faillock, days of /etc/shadow, /etc/krb5.conf, /etc/sssd, SSSD and its log, /tmp/krb5cc_*")
	s := &constatv1.SignIn{}
	now := time.Now()
	local, err := r.file("/etc/passwd")
	if err != nil {
		return nil, failed(o.Source, err)
	}
	known := parsePasswd(local)
	limits := r.lockouts()

	// Whoever is signed in, and whoever failed to.
	var users []string
	sessions, err := sessions(ctx, r)
	if err != nil {
		gap(o, "accounts", err)
	}
	for _, session := range sessions {
		users = append(users, session.GetUser())
	}
	tallies, tallyErr := r.names(limits.dir)
	for _, name := range tallies {
		if info, err := r.stat(limits.dir + "/" + name); err == nil && info.Mode().IsRegular() && info.Size() > 0 {
			users = append(users, name)
		}
	}
	slices.Sort(users)
	users = slices.DeleteFunc(slices.Compact(users), func(name string) bool { return name == "" })
	for _, user := range users[:min(len(users), maxAccounts)] {
		a := &constatv1.Account{User: set(user), Kind: set("domain")}
		if entry, isLocal := known[user]; isLocal {
			a.Kind = set("local")
			passwordFacts(ctx, r, a, o, now)
			a.TemporaryProfile = homeMissing(r, entry)
		}
		switch {
		case limits.counts && (tallyErr == nil || errors.Is(tallyErr, fs.ErrNotExist)):
			a.Locked = lockedOut(ctx, r, limits.faillock, user, o, now)
		case limits.counts || limits.err != nil:
		case a.GetKind() == "local":
			a.Locked = set(false) // failures are not counted here, so nobody is locked for them
		default:
			gap(o, "accounts.locked", errDirectoryLocks)
		}
		s.Accounts = append(s.Accounts, a)
	}
	switch {
	case limits.counts && tallyErr != nil && !errors.Is(tallyErr, fs.ErrNotExist):
		gap(o, "accounts.locked", tallyErr)
	case !limits.counts && limits.err != nil:
		gap(o, "accounts.locked", limits.err)
	}

	if s.Directory, err = directory(r); err != nil {
		gap(o, "directory", err)
	}
	if s.Directory != nil {
		directoryState(ctx, r, s.Directory, o)
		if tickets(ctx, r, s.Directory, s.Accounts, o); s.Directory.ClockOffsetSeconds == nil {
			gap(o, "directory.clock_offset_seconds", fmt.Errorf("no ticket of the last day in a file tells of the domain's clock: %w", errors.ErrUnsupported))
		}
		if refusal := kerberosRefusal(ctx, r, o, now); refusal != "" {
			// The log does not tell who it was at its usual level.
			s.Accounts = append(s.Accounts, &constatv1.Account{Kind: set("domain"), LastRefusal: set(refusal)})
		}
	}
	return s, o
}

// ask asks the process with the rights, if there is one.
func (r *reader) ask(ctx context.Context, verb, argument string) ([]byte, error) {
	if r.Privileged == nil {
		return nil, fs.ErrPermission
	}
	return r.Privileged(ctx, verb, argument)
}

// directoryState adds what SSSD says of the domain.
func directoryState(ctx context.Context, r *reader, d *constatv1.Directory, o *constatv1.Observation) {
	gap(o, "directory.trust_ok", fmt.Errorf("whether the domain takes this machine's own password is not tried: %w", errors.ErrUnsupported))
	content, err := r.ask(ctx, "directory", "")
	if err != nil {
		gap(o, "directory.state", fmt.Errorf("whether the domain answers, from SSSD: %w", err))
		return
	}
	if domain, found := domainOf(d, parseDomains(content)); found {
		domain.merge(d)
	}
	if d.State == nil {
		gap(o, "directory.state", fmt.Errorf("SSSD does not tell of this domain: %w", errors.ErrUnsupported))
	}
}

// kerberosRefusal is why the domain refused a sign-in last; "" when it is not
// known to have refused any of late.
func kerberosRefusal(ctx context.Context, r *reader, o *constatv1.Observation, now time.Time) string {
	content, err := r.ask(ctx, "kerberos-refusals", "")
	if err != nil {
		gap(o, "accounts.last_refusal", fmt.Errorf("SSSD's log of refused sign-ins: %w", err))
		return ""
	}
	return lastRefusal(content, r.zone(), now)
}

// tickets adds until when the tickets of those who are signed in are good. No
// ticket in sight is not told as none: it may be kept elsewhere.
func tickets(ctx context.Context, r *reader, d *constatv1.Directory, accounts []*constatv1.Account, o *constatv1.Observation) {
	if krb5, err := r.file("/etc/krb5.conf"); err == nil && ticketsElsewhere(krb5) {
		gap(o, "accounts.ticket_expires_at", fmt.Errorf("tickets are kept elsewhere than in files of /tmp, and are not read there: %w", errors.ErrUnsupported))
		return
	}
	numbers, err := r.names("/run/systemd/users")
	if err != nil {
		gap(o, "accounts.ticket_expires_at", fmt.Errorf("who is signed in, by number: %w", err))
		return
	}
	for _, number := range numbers[:min(len(numbers), maxAccounts)] {
		state, err := r.file("/run/systemd/users/" + number)
		if err != nil {
			continue // signed out meanwhile
		}
		name := signedInAs(state)
		i := slices.IndexFunc(accounts, func(a *constatv1.Account) bool { return name != "" && a.GetUser() == name })
		if i < 0 {
			continue // a service's account
		}
		text, err := r.ask(ctx, "ticket-end", number)
		if err != nil {
			gap(o, "accounts.ticket_expires_at", fmt.Errorf("tickets in files: %w", err))
			continue
		}
		end, ahead := parseTicket(string(text))
		if !end.IsZero() {
			accounts[i].TicketExpiresAt = timestamppb.New(end)
		}
		// Of several, the one that differs most: it is the one that matters.
		if ahead != nil && (d.ClockOffsetSeconds == nil || math.Abs(*ahead) > math.Abs(*d.ClockOffsetSeconds)) {
			d.ClockOffsetSeconds = ahead
		}
	}
}

// directory tells which domain this machine is a member of; nil for none, or
// where err says why that is not known.
func directory(r *reader) (d *constatv1.Directory, err error) {
	config := func(name string) []byte {
		content, fileErr := r.file(name)
		if fileErr != nil && !errors.Is(fileErr, fs.ErrNotExist) {
			err = fileErr
		}
		return content
	}
	if _, err := r.stat("/etc"); err != nil {
		return nil, err
	}
	member := false
	for _, name := range []string{"/etc/krb5.keytab", "/etc/sssd/sssd.conf"} {
		_, statErr := r.stat(name)
		if statErr != nil && !errors.Is(statErr, fs.ErrNotExist) {
			err = statErr
		}
		member = member || statErr == nil
	}
	d = directoryOf(config("/etc/krb5.conf"), config("/etc/sssd/sssd.conf"), config("/etc/ipa/default.conf"), config("/etc/samba/smb.conf"), member)
	if d != nil {
		err = nil
	}
	return d, err
}

// lockouts is how accounts are locked for failed sign-ins.
type lockouts struct {
	faillock
	// counts: pam_faillock is in use. err is why nothing can be said; nil and no
	// counter means that this machine itself locks nobody.
	counts bool
	err    error
}

// maxStacks is how many services' stacks are read.
const maxStacks = 500

func (r *reader) lockouts() lockouts {
	content, _ := r.file("/etc/security/faillock.conf")
	l := lockouts{faillock: parseFaillock(content)}
	stacks, err := r.names("/etc/pam.d")
	if err != nil {
		l.err = fmt.Errorf("how sign-ins are checked: %w", err)
		return l
	}
	for _, name := range stacks[:min(len(stacks), maxStacks)] {
		stack, err := r.file("/etc/pam.d/" + name)
		if err != nil && !errors.Is(err, fs.ErrNotExist) && l.err == nil {
			l.err = err
		}
		for _, module := range countersIn(stack) {
			if module == "pam_faillock.so" {
				l.counts = true
			} else if l.err == nil {
				l.err = fmt.Errorf("what %s counts is not read: %w", module, errors.ErrUnsupported)
			}
		}
	}
	return l
}

// lockedOut tells whether too many wrong passwords locked an account. Its tally is
// for root and the user, so the process with the rights is asked; its size alone still
// tells that there are too few.
func lockedOut(ctx context.Context, r *reader, limits faillock, user string, o *constatv1.Observation, now time.Time) *bool {
	name := limits.dir + "/" + user
	tally, err := r.file(name)
	switch {
	case err == nil:
		return set(limits.locked(tally, now))
	case errors.Is(err, fs.ErrNotExist):
		return set(false)
	}
	if info, statErr := r.stat(name); statErr == nil && (info.Size() < int64(limits.deny)*tallySize || limits.deny == 0) {
		return set(false)
	}
	if errors.Is(err, fs.ErrPermission) && limits.dir == defaultTallies && r.Privileged != nil {
		if tally, err = r.Privileged(ctx, "failed-sign-ins", user); err == nil {
			return set(limits.locked(tally, now))
		}
	}
	gap(o, "accounts.locked", err)
	return nil
}

// passwordFacts asks the process with the rights for the days of a password.
func passwordFacts(ctx context.Context, r *reader, a *constatv1.Account, o *constatv1.Observation, now time.Time) {
	err := fs.ErrPermission
	var days []byte
	if r.Privileged != nil {
		days, err = r.Privileged(ctx, "password-days", a.GetUser())
	}
	var expires time.Time
	var mustChange bool
	if err == nil {
		expires, mustChange, err = passwordAge(string(days))
	}
	if err != nil {
		gap(o, "accounts.password_expired", fmt.Errorf("the days of a password: %w", err))
		return
	}
	a.PasswordExpired = set(mustChange || !expires.IsZero() && !now.Before(expires))
	if !expires.IsZero() {
		a.PasswordExpiresAt = timestamppb.New(expires)
	}
}

// homeMissing tells whether a user's home is not there; nil where this process
// may not look, as a service may not.
func homeMissing(r *reader, entry passwdEntry) *bool {
	_, err := r.stat(entry.home)
	switch {
	case err == nil:
		return set(false)
	case errors.Is(err, fs.ErrNotExist):
		return set(true)
	}
	return nil
}
