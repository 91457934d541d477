package store

import (
	"context"
	"database/sql"

	"github.com/pressly/goose/v3"
)

// searchIndex is migration 14: tickets found by an index of their words, which
// each engine has of its own. ticket_words stays the truth; the indexes follow it
// by themselves, so that a backup needs none of them.
func searchIndex(dialect goose.Dialect) *goose.Migration {
	statements := searchSQLite
	if dialect == goose.DialectPostgres {
		statements = searchPostgres
	}
	return goose.NewGoMigration(14, &goose.GoFunc{RunTx: func(ctx context.Context, tx *sql.Tx) error {
		if err := foldAnew(ctx, tx); err != nil {
			return err
		}
		for _, one := range statements {
			if _, err := tx.ExecContext(ctx, one); err != nil {
				return err
			}
		}
		return nil
	}}, nil)
}

// searchSQLite keeps no positions: every term stands for itself.
var searchSQLite = []string{
	`CREATE VIRTUAL TABLE ticket_search USING fts5(words, content = 'ticket_words', content_rowid = 'number',
		tokenize = "unicode61 remove_diacritics 2 tokenchars '-'", prefix = '2 3', detail = none, columnsize = 0)`,
	`INSERT INTO ticket_search (ticket_search) VALUES ('rebuild')`,
	`CREATE TRIGGER ticket_words_added AFTER INSERT ON ticket_words BEGIN
		INSERT INTO ticket_search (rowid, words) VALUES (new.number, new.words);
	END`,
	`CREATE TRIGGER ticket_words_changed AFTER UPDATE ON ticket_words BEGIN
		INSERT INTO ticket_search (ticket_search, rowid, words) VALUES ('delete', old.number, old.words);
		INSERT INTO ticket_search (rowid, words) VALUES (new.number, new.words);
	END`,
	`CREATE TRIGGER ticket_words_gone AFTER DELETE ON ticket_words BEGIN
		INSERT INTO ticket_search (ticket_search, rowid, words) VALUES ('delete', old.number, old.words);
	END`,
}

// firstLetters is migration 29: SQLite keeps the beginnings of one letter too, which
// are what is asked for when somebody begins to type, and else are put together of
// all words that begin so. PostgreSQL needs nothing of the kind.
func firstLetters(dialect goose.Dialect) *goose.Migration {
	return goose.NewGoMigration(29, &goose.GoFunc{RunTx: func(ctx context.Context, tx *sql.Tx) error {
		if dialect == goose.DialectPostgres {
			return nil
		}
		for _, one := range []string{
			`DROP TABLE ticket_search`,
			`CREATE VIRTUAL TABLE ticket_search USING fts5(words, content = 'ticket_words', content_rowid = 'number',
				tokenize = "unicode61 remove_diacritics 2 tokenchars '-'", prefix = '1 2 3', detail = none, columnsize = 0)`,
			`INSERT INTO ticket_search (ticket_search) VALUES ('rebuild')`,
		} {
			if _, err := tx.ExecContext(ctx, one); err != nil {
				return err
			}
		}
		return nil
	}}, nil)
}

// searchPostgres takes the words as they are: no parser and no dictionary, of
// which installations differ.
var searchPostgres = []string{
	`ALTER TABLE ticket_words ADD COLUMN terms tsvector
		GENERATED ALWAYS AS (array_to_tsvector(array_remove(string_to_array(words, ' '), ''))) STORED`,
	`CREATE INDEX ticket_words_by_term ON ticket_words USING gin (terms) WITH (fastupdate = off)`,
}

// ownTerms is migration 55: PostgreSQL's index holds whose a ticket is beside its words,
// since it would else read all that hold a word to give the few of one technician. A
// term that begins with "=" is never a word.
func ownTerms(dialect goose.Dialect) *goose.Migration {
	return goose.NewGoMigration(55, &goose.GoFunc{RunTx: func(ctx context.Context, tx *sql.Tx) error {
		if dialect != goose.DialectPostgres {
			return nil
		}
		for _, one := range []string{
			`ALTER TABLE ticket_words DROP COLUMN terms, ADD COLUMN terms tsvector`,
			`CREATE FUNCTION ticket_terms(words text, assignee text) RETURNS tsvector LANGUAGE sql IMMUTABLE AS
				$$ SELECT array_to_tsvector(array_remove(string_to_array(words, ' '), '') || ('=' || assignee)) $$`,
			`UPDATE ticket_words w SET terms = ticket_terms(words, COALESCE((SELECT assignee FROM tickets t WHERE t.number = w.number), ''))`,
			`CREATE INDEX ticket_words_by_term ON ticket_words USING gin (terms) WITH (fastupdate = off)`,
			`CREATE FUNCTION ticket_words_set() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
				NEW.terms := ticket_terms(NEW.words, COALESCE((SELECT assignee FROM tickets WHERE number = NEW.number), ''));
				RETURN NEW;
			END $$`,
			`CREATE TRIGGER ticket_words_set BEFORE INSERT OR UPDATE OF words ON ticket_words
				FOR EACH ROW EXECUTE FUNCTION ticket_words_set()`,
			`CREATE FUNCTION ticket_given() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
				UPDATE ticket_words SET terms = ticket_terms(words, NEW.assignee) WHERE number = NEW.number;
				RETURN NULL;
			END $$`,
			`CREATE TRIGGER ticket_given AFTER UPDATE OF assignee ON tickets
				FOR EACH ROW WHEN (OLD.assignee <> NEW.assignee) EXECUTE FUNCTION ticket_given()`,
			// A backup is restored with the words first.
			`CREATE TRIGGER ticket_begun AFTER INSERT ON tickets
				FOR EACH ROW WHEN (NEW.assignee <> '') EXECUTE FUNCTION ticket_given()`,
		} {
			if _, err := tx.ExecContext(ctx, one); err != nil {
				return err
			}
		}
		return nil
	}}, nil)
}

// foldAnew brings the words that were kept for comparing letters into the form of
// terms.
func foldAnew(ctx context.Context, tx *sql.Tx) error {
	const batch = 500
	type kept struct {
		number int64
		words  string
	}
	for after := int64(-1); ; {
		var all []kept
		rows, err := tx.QueryContext(ctx, "SELECT number, words FROM ticket_words WHERE number > $1 ORDER BY number LIMIT $2", after, batch)
		if err != nil {
			return err
		}
		for rows.Next() {
			var k kept
			if err := rows.Scan(&k.number, &k.words); err != nil {
				rows.Close()
				return err
			}
			all = append(all, k)
		}
		if err := rows.Err(); err != nil || len(all) == 0 {
			return err
		}
		for _, k := range all {
			if _, err := tx.ExecContext(ctx, "UPDATE ticket_words SET words = $2 WHERE number = $1", k.number, Words(MaxWords, k.words)); err != nil {
				return err
			}
		}
		after = all[len(all)-1].number
	}
}
