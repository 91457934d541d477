package host

import (
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	constatv1 "constat/proto/constat/v1"
)

// macAccounts are the people who are signed in, by what who(1) wrote.
func macAccounts(content []byte) (accounts []*constatv1.Account) {
	for _, session := range parseWho(content) {
		if n := len(accounts); n == 0 || accounts[n-1].GetUser() != session.GetUser() {
			accounts = append(accounts, &constatv1.Account{User: session.User})
		}
	}
	return accounts
}

// macUserName tells whether a text may be put behind other words of a program as the
// name of an account.
func macUserName(name string) bool {
	for _, c := range name {
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '.' || c == '_' || c == '-') {
			return false
		}
	}
	return name != "" && len(name) <= 64 && name[0] != '-' && name[0] != '.'
}

// macAccountKind tells whose an account is, by the record that dscl(1) read in this
// Mac's own directory: one that was made here has a copy of no other, that of a domain
// names the node it came from. nil of what is no record.
func macAccountKind(record []byte) *string {
	var kind *string
	for line := range strings.Lines(string(record[:min(len(record), 64<<10)])) {
		switch {
		case strings.HasPrefix(line, "OriginalNodeName:"):
			return set("domain")
		case strings.HasPrefix(line, "RecordName:"):
			kind = set("local")
		}
	}
	return kind
}

// macLocked reads pwpolicy -u NAME -authentication-allowed: whether too many wrong
// passwords keep an account out. nil where it says something else: what an
// administrator switched off was not locked.
func macLocked(content []byte) *bool {
	switch text := string(content[:min(len(content), 2000)]); {
	case strings.Contains(text, "Policy allows user"):
		return set(false)
	case strings.Contains(text, "is not allowed to authenticate") && strings.Contains(text, "Failed") && strings.Contains(text, "FailedLogin"),
		strings.Contains(text, "is not allowed to authenticate") && strings.Contains(text, "FailedAuthentication"):
		return set(true)
	}
	return nil
}

// macPasswordDays reads pwpolicy -getaccountpolicies: for how many days this Mac's own
// passwords are good; 0: nothing ends them. nil of what is no answer. The keys are
// those of pwpolicy(8).
func macPasswordDays(content []byte) *int32 {
	words, document, _ := strings.Cut(string(content), "<")
	if !strings.Contains(words, "account policies") {
		return nil
	}
	days := int32(0)
	if document == "" {
		return &days
	}
	tree, err := parseTree([]byte("<" + document))
	if err != nil {
		return nil
	}
	for _, policy := range tree.at("policyCategoryPasswordChange").list() {
		n := policy.at("policyParameters", "policyAttributeExpiresEveryNDays").small(1, 100_000)
		if n == nil {
			return nil // ended by something else
		}
		if days == 0 || *n < days {
			days = *n
		}
	}
	return &days
}

// macPasswordEnd notes until when a password of this Mac's own is good, by the record
// that dscl read (accountPolicyData, which root is shown): when it was set last.
func macPasswordEnd(a *constatv1.Account, days *int32, record []byte, now time.Time) {
	if a.GetKind() != "local" || days == nil {
		return
	}
	if *days == 0 {
		a.PasswordExpired = set(false)
		return
	}
	_, document, found := strings.Cut(string(record), "<")
	tree, err := parseTree([]byte("<" + document))
	if !found || err != nil {
		return
	}
	at, ok := tree.at("passwordLastSetTime").v.(float64) // <real>
	if !ok || !(at > 1e9 && at < 1e10) {
		return
	}
	until := time.Unix(int64(at), 0).AddDate(0, 0, int(*days))
	a.PasswordExpiresAt, a.PasswordExpired = timestamppb.New(until), set(until.Before(now))
}

// macDirectory is the Active Directory that a Mac belongs to; nil where it is none's.
func macDirectory(tree node) *constatv1.Directory {
	domain, joined := macJoin(tree)
	if !joined {
		return nil
	}
	return &constatv1.Directory{Name: &domain, Kind: set("activeDirectory")}
}

// macTicketOf notes the ticket of a person, if there is one.
func macTicketOf(accounts []*constatv1.Account, user string, until time.Time) {
	for _, a := range accounts {
		if a.GetUser() == user && !until.IsZero() {
			a.TicketExpiresAt = timestamppb.New(until)
		}
	}
}

// macTicket is until when the ticket is good that other tickets are got with, by
// what klist(1) wrote with --json (Heimdal, kuser/klist.c: local times, and names of
// columns with spaces before them); the zero time where there is none.
func macTicket(tree node, zone *time.Location) (until time.Time) {
	for _, ticket := range tree.at("tickets").list() {
		values := map[string]string{}
		for _, key := range ticket.keys() {
			values[strings.TrimSpace(key)] = strings.TrimSpace(ticket.at(key).text())
		}
		at, err := time.ParseInLocation("20060102150405", values["Expires"], zone)
		if err == nil && strings.HasPrefix(values["Principal"], "krbtgt/") && at.Year() > 2000 && at.Year() < 2200 && at.After(until) {
			until = at
		}
	}
	return until
}

// macDirectoryState tells whether Open Directory reaches an Active Directory, by the
// lines of odutil(1) with “show nodenames”: a node and Online or Offline. nil where it
// has none.
func macDirectoryState(content []byte) *string {
	var state *string
	for line := range strings.Lines(string(content)) {
		fields := strings.Fields(line)
		if len(fields) < 2 || !strings.HasPrefix(strings.TrimSpace(line), "/Active Directory/") {
			continue
		}
		switch fields[len(fields)-1] {
		case "Online":
			return set("online")
		case "Offline":
			state = set("offline")
		}
	}
	return state
}
