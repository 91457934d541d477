package store

import (
	"context"
	"database/sql"
	"fmt"
	"reflect"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"constat/collector/store/query"
)

// loaded are the tables that Load fills, by the type of their rows.
var loaded = map[reflect.Type]string{
	reflect.TypeFor[query.Absence]():         "absences",
	reflect.TypeFor[query.Article]():         "articles",
	reflect.TypeFor[query.ArticleFault]():    "article_faults",
	reflect.TypeFor[query.ArticleRating]():   "article_ratings",
	reflect.TypeFor[query.ArticleVersion]():  "article_versions",
	reflect.TypeFor[query.Diagnosis]():       "diagnoses",
	reflect.TypeFor[query.Endpoint]():        "endpoints",
	reflect.TypeFor[query.EndpointPlace]():   "endpoint_places",
	reflect.TypeFor[query.Gear]():            "gear",
	reflect.TypeFor[query.GearFact]():        "gear_facts",
	reflect.TypeFor[query.LatestFact]():      "latest_facts",
	reflect.TypeFor[query.Notice]():          "notices",
	reflect.TypeFor[query.Payload]():         "payloads",
	reflect.TypeFor[query.Peripheral]():      "peripherals",
	reflect.TypeFor[query.PeripheralPlace](): "peripheral_places",
	reflect.TypeFor[query.Person]():          "people",
	reflect.TypeFor[query.Site]():            "sites",
	reflect.TypeFor[query.Skill]():           "skills",
	reflect.TypeFor[query.Snapshot]():        "snapshots",
	reflect.TypeFor[query.Ticket]():          "tickets",
	reflect.TypeFor[query.TicketEntry]():     "ticket_entries",
	reflect.TypeFor[query.TicketLink]():      "ticket_links",
	reflect.TypeFor[query.TicketSubject]():   "ticket_subjects",
	reflect.TypeFor[query.TicketTurn]():      "ticket_turns",
	reflect.TypeFor[query.TicketWord]():      "ticket_words",
	reflect.TypeFor[query.User]():            "users",
	reflect.TypeFor[query.ProcedureRun]():    "procedure_runs",
	reflect.TypeFor[query.ProcedureVoice]():  "procedure_voices",
}

// Load puts many new rows in at once, in one transaction: each of lists is a slice
// of the rows of one table. It is for a database that nobody works with yet; what a
// row means and whether it fits the others is its maker's business.
func (s *Store) Load(ctx context.Context, lists ...any) error {
	var tables []bulk
	for _, list := range lists {
		b, err := bulkOf(list)
		if err != nil {
			return err
		}
		if b.Next() {
			tables = append(tables, b)
		}
	}
	if s.queue != nil {
		return explain(s.loadSQLite(ctx, tables))
	}
	return explain(s.loadPostgres(ctx, tables))
}

// bulk gives the rows of a table one after the other, as COPY wants them.
type bulk struct {
	table   string
	columns []string
	rows    reflect.Value
	at      *int
}

func bulkOf(list any) (bulk, error) {
	rows := reflect.ValueOf(list)
	if rows.Kind() != reflect.Slice || loaded[rows.Type().Elem()] == "" {
		return bulk{}, fmt.Errorf("%T are no rows of a table that can be loaded", list)
	}
	row := rows.Type().Elem()
	b := bulk{table: loaded[row], rows: rows, at: new(int)}
	for i := range row.NumField() {
		b.columns = append(b.columns, columnName(row.Field(i).Name))
	}
	return b, nil
}

func (b bulk) Next() bool { return *b.at < b.rows.Len() }

func (b bulk) Values() ([]any, error) {
	row := b.rows.Index(*b.at)
	*b.at++
	values := make([]any, row.NumField())
	for i := range values {
		values[i] = row.Field(i).Interface()
	}
	return values, nil
}

func (b bulk) Err() error { return nil }

func (s *Store) loadSQLite(ctx context.Context, tables []bulk) error {
	tx, err := s.writes.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	for _, b := range tables {
		if err := b.insert(ctx, tx); err != nil {
			return fmt.Errorf("table %s: %w", b.table, err)
		}
	}
	return tx.Commit()
}

func (b bulk) insert(ctx context.Context, tx *sql.Tx) error {
	places := strings.TrimSuffix(strings.Repeat("?, ", len(b.columns)), ", ")
	insert, err := tx.PrepareContext(ctx, fmt.Sprintf("INSERT INTO %s (%s) VALUES (%s)", b.table, strings.Join(b.columns, ", "), places))
	if err != nil {
		return err
	}
	defer insert.Close()
	for b.Next() {
		values, _ := b.Values()
		if _, err := insert.ExecContext(ctx, values...); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) loadPostgres(ctx context.Context, tables []bulk) error {
	conn, err := s.writes.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	return conn.Raw(func(driver any) error {
		return pgx.BeginFunc(ctx, driver.(*stdlib.Conn).Conn(), func(tx pgx.Tx) error {
			for _, b := range tables {
				if _, err := tx.CopyFrom(ctx, pgx.Identifier{b.table}, b.columns, b); err != nil {
					return fmt.Errorf("table %s: %w", b.table, err)
				}
			}
			return nil
		})
	})
}

// Tidy lets PostgreSQL learn what there is after many rows came at once, as it does
// by itself in the course of a day.
func (s *Store) Tidy(ctx context.Context) error {
	if s.queue != nil {
		return nil
	}
	_, err := s.writes.ExecContext(ctx, "VACUUM ANALYZE")
	return explain(err)
}
