package store

import (
	"bytes"
	"context"
	"database/sql"
	"slices"
	"strings"

	"github.com/pressly/goose/v3"
	"golang.org/x/text/collate"
	"golang.org/x/text/language"
)

// ByName puts a list in the order in which people look for names: É beside E, upper
// case beside lower case, sw-2 before sw-10. The engines' own orders differ, also from
// one installation to the next.
func ByName[T any](list []T, name func(T) string) {
	if len(list) < 2 {
		return
	}
	type keyed struct {
		key  []byte
		name string
		one  T
	}
	order, buffer := collate.New(language.Und, collate.Numeric), &collate.Buffer{}
	sorted := make([]keyed, len(list))
	for i, one := range list {
		sorted[i] = keyed{order.KeyFromString(buffer, name(one)), name(one), one}
	}
	slices.SortStableFunc(sorted, func(a, b keyed) int {
		if c := bytes.Compare(a.key, b.key); c != 0 {
			return c
		}
		return strings.Compare(a.name, b.name)
	})
	for i, k := range sorted {
		list[i] = k.one
	}
}

// OrderKey is by which the engines put a name where ByName does.
func OrderKey(name string) []byte {
	return collate.New(language.Und, collate.Numeric).KeyFromString(&collate.Buffer{}, name)
}

// endpointOrder gives the machines that were there before it their keys.
func endpointOrder() *goose.Migration {
	return goose.NewGoMigration(52, &goose.GoFunc{RunTx: func(ctx context.Context, tx *sql.Tx) error {
		rows, err := tx.QueryContext(ctx, "SELECT id, hostname FROM endpoints")
		if err != nil {
			return err
		}
		names := map[string]string{}
		for rows.Next() {
			var id, name string
			if err := rows.Scan(&id, &name); err != nil {
				rows.Close()
				return err
			}
			names[id] = name
		}
		if err := rows.Err(); err != nil {
			return err
		}
		for id, name := range names {
			if _, err := tx.ExecContext(ctx, "UPDATE endpoints SET order_key = $1 WHERE id = $2", OrderKey(name), id); err != nil {
				return err
			}
		}
		return nil
	}}, nil)
}
