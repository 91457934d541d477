package store_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"constat/collector/store"
	"constat/collector/store/query"
	"constat/collector/store/storetest"
)

func TestByName(t *testing.T) {
	names := strings.Fields("zoé Émile émile sw-10 Emilie sw-2 Žofie _bot élan Zoé 山田 📠 sw-2")
	want := strings.Fields("_bot 📠 élan émile Émile Emilie sw-2 sw-2 sw-10 zoé Zoé Žofie 山田")
	for range 3 {
		store.ByName(names, func(s string) string { return s })
		if !slices.Equal(names, want) {
			t.Fatalf("%q, want %q", names, want)
		}
		slices.Reverse(names)
	}
}

// The engines list machines as ByName does, page by page, whatever their collation.
func TestEndpointsInOrder(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		names := strings.Fields("zoé-pc pc-10 Émile-pc PC-2 emilie-pc pc-1 élan-pc _bot pc-2 山田")
		err := s.Write(t.Context(), func(ctx context.Context, q *query.Queries) error {
			for i, name := range names {
				one := query.AddEndpointParams{ID: fmt.Sprint(i), Hostname: name, NameKey: strings.ToLower(name), OrderKey: store.OrderKey(name)}
				if err := q.AddEndpoint(ctx, one); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for page := (store.EndpointFilter{Limit: 3}); ; {
			rows, err := s.Endpoints(t.Context(), page)
			if err != nil {
				t.Fatal(err)
			}
			for _, row := range rows {
				got = append(got, row.Hostname)
				page.AfterKey, page.AfterID = row.OrderKey, row.ID
			}
			if len(rows) < 3 {
				break
			}
		}
		store.ByName(names, func(s string) string { return s })
		if !slices.Equal(got, names) {
			t.Errorf("%q, want %q", got, names)
		}
	})
}
