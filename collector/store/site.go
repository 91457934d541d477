package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"

	"constat/collector/store/query"
)

// TwoSites is why a name of a site can't be used: it is another spelling of several
// that were there before spellings counted as one.
type TwoSites struct {
	Name  string
	Known []string
}

func (e *TwoSites) Error() string {
	return fmt.Sprintf("%q could be any of the sites %s: write it exactly as one of them", e.Name, strings.Join(e.Known, ", "))
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
		return "", &TwoSites{Name: name, Known: alike}
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
	slices.Sort(known)
	return known, err
}
