package store

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

//go:embed migrations/*.sql
var migrations embed.FS

// migrate brings the schema up to date. Of several collectors that start at
// once on PostgreSQL, one migrates and the others ask every second, for five
// minutes, whether it has.
func migrate(ctx context.Context, db *sql.DB, dialect goose.Dialect, schema int64) error {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	options := []goose.ProviderOption{goose.WithVerbose(false), goose.WithGoMigrations(searchIndex(dialect), firstLetters(dialect), endpointOrder(), ownTerms(dialect))}
	if dialect == goose.DialectPostgres {
		locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, 300))
		if err != nil {
			return err
		}
		options = append(options, goose.WithSessionLocker(locker))
	}
	provider, err := goose.NewProvider(dialect, db, files, options...)
	if err != nil {
		return err
	}
	if err := db.PingContext(ctx); err != nil {
		return err
	}
	found, known, err := provider.GetVersions(ctx)
	if err != nil {
		return err
	}
	if found > known {
		return fmt.Errorf("it was written by a newer collector (schema %d, this one knows %d): "+
			"install that version again, or restore a backup from before the update", found, known)
	}
	if schema > known {
		return fmt.Errorf("%w: it was written by a newer collector (schema %d, this one knows %d): install that version", ErrBackup, schema, known)
	}
	if schema != newest {
		if found > schema {
			return fmt.Errorf("it has schema %d, and the backup is of the older %d: restore into an empty one", found, schema)
		}
		_, err = provider.UpTo(ctx, schema)
		return err
	}
	if found == known {
		return nil
	}
	_, err = provider.Up(ctx)
	return err
}
