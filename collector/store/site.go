package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"constat/collector/store/query"
)

// BadSite is why a name of a site can't be used: no site can be called so, or it is
// another spelling of several that were there before spellings counted as one.
type BadSite struct {
	Name  string
	Known []string
}

func (e *BadSite) Error() string {
	if len(e.Known) == 0 {
		return fmt.Sprintf("%q is no name of a site", e.Name)
	}
	return fmt.Sprintf("%q could be any of the sites %s: write it exactly as one of them", e.Name, strings.Join(e.Known, ", "))
}

// maxSiteName is how long a name of a site is at most.
const maxSiteName = 100

// KeepSites is Site for a list as somebody wrote it; each comes once.
func KeepSites(ctx context.Context, q *query.Queries, names []string) ([]string, error) {
	var kept []string
	for _, name := range names {
		name = strings.Join(strings.Fields(name), " ")
		if name == "" || len(name) > maxSiteName || strings.ContainsFunc(name, unicode.IsControl) || !utf8.ValidString(name) {
			return nil, &BadSite{Name: name}
		}
		known, err := Site(ctx, q, name)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(kept, known) {
			kept = append(kept, known)
		}
	}
	return kept, nil
}

// Site gives the name of a site as it is known, whatever its letters' case, and
// makes a new one known; empty for none. Whatever keeps the name of a site keeps
// what this gives, in the same transaction.
func Site(ctx context.Context, q *query.Queries, name string) (string, error) {
	if name == "" {
		return "", nil
	}
	known, err := sites(ctx, q)
	if err != nil {
		return "", err
	}
	if slices.Contains(known, name) {
		_, err := q.AddSite(ctx, name, name) // a user's limit may have named it first
		return name, err
	}
	alike := slices.DeleteFunc(known, func(k string) bool { return !strings.EqualFold(k, name) })
	switch len(alike) {
	case 0:
	case 1:
		return alike[0], nil
	default:
		return "", &BadSite{Name: name, Known: alike}
	}
	key := strings.ToLower(name)
	added, err := q.AddSite(ctx, name, key)
	if err != nil || added > 0 {
		return name, err
	}
	// Somebody else was quicker.
	first, err := q.SiteByKey(ctx, key)
	if errors.Is(err, sql.ErrNoRows) {
		return name, nil
	}
	return first, err
}

// sites are those that are known: where something is, or to which users are limited.
func sites(ctx context.Context, q *query.Queries) ([]string, error) {
	known, err := q.Sites(ctx)
	if err != nil {
		return nil, err
	}
	limits, err := q.SitesOfUsers(ctx)
	for _, lines := range limits {
		for name := range strings.SplitSeq(lines, "\n") {
			if !slices.Contains(known, name) {
				known = append(known, name)
			}
		}
	}
	return known, err
}

// Sites lists the sites that are known, by name.
func (s *Store) Sites(ctx context.Context) ([]string, error) {
	known, err := sites(ctx, s.query)
	ByName(known, func(name string) string { return name })
	return known, err
}
