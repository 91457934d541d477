package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"

	"constat/collector/store/query"
)

// openPostgres opens a pool of connections to a server.
func openPostgres(ctx context.Context, url string, schema int64) (*Store, error) {
	config, err := pgx.ParseConfig(url)
	if err != nil {
		// The parser's error quotes the url with its password taken out.
		return nil, fmt.Errorf("the database address is not understood: %w; it looks like postgres://user@host:5432/name", err)
	}
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = 10 * time.Second
	}
	db := stdlib.OpenDB(*config)
	db.SetMaxOpenConns(16)
	db.SetMaxIdleConns(16)
	// A connection is renewed now and then, so that a server that came back
	// behind the same name is used.
	db.SetConnMaxLifetime(30 * time.Minute)
	err = migrate(ctx, db, goose.DialectPostgres, schema)
	if err == nil && schema == newest {
		err = partition(ctx, db, time.Now())
	}
	if err != nil {
		db.Close()
		where := net.JoinHostPort(config.Host, strconv.Itoa(int(config.Port)))
		if strings.HasPrefix(config.Host, "/") {
			where = config.Host
		}
		return nil, fmt.Errorf("database %s on %s: %w", config.Database, where, explain(err))
	}
	return &Store{reads: db, writes: db, query: query.New(db)}, nil
}

// postgresAdvice says what to do about an error of PostgreSQL, by SQLSTATE or by
// its class (https://www.postgresql.org/docs/15/errcodes-appendix.html).
var postgresAdvice = map[string]string{
	"28000": "the user may not connect: look at pg_hba.conf",
	"28P01": "the password is wrong: correct it in the database address",
	"3D000": "the database does not exist: make it with createdb",
	"42501": "the user lacks a right: make it the owner of the database",
	"25006": "the server is read-only, a standby perhaps: give the address of the primary",
	"53100": "the server's disk is full: make room, and the collector goes on by itself",
	"53300": "the server has no connection left: raise max_connections",
	"57":    "the server is starting or stopping: wait, and look into its log",
}

func adviceOnPostgres(err error) string {
	var refusal *pgconn.PgError
	if errors.As(err, &refusal) {
		if advice := postgresAdvice[refusal.Code]; advice != "" {
			return advice
		}
		return postgresAdvice[refusal.Code[:min(2, len(refusal.Code))]]
	}
	var connect *pgconn.ConnectError
	var network *net.OpError
	if errors.As(err, &connect) || errors.As(err, &network) || errors.Is(err, sql.ErrConnDone) {
		return "PostgreSQL does not answer: see that it runs and that the address is right"
	}
	return ""
}

// explain puts what to do in front of an error of the engine, where that is known.
func explain(err error) error {
	if err == nil {
		return nil
	}
	for _, advice := range []string{adviceOnSQLite(err), adviceOnPostgres(err)} {
		if advice != "" {
			return fmt.Errorf("%s (%w)", advice, err)
		}
	}
	return err
}
