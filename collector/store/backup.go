package store

import (
	"bufio"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"math/bits"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"
)

// A backup is a zstd frame of a header, the tables and an end. It is the same
// for both engines, so that what one wrote the other can read.
const (
	backupKind    = "constat-backup"
	backupVersion = 1
	// maxValue and maxLine bound what is read of a file that may be anything.
	maxValue = 256 << 20
	maxLine  = 1 << 20
)

// ErrBackup is wrapped by what is wrong with a backup file itself.
var ErrBackup = errors.New("the backup can't be used")

// backupHeader is the first line.
type backupHeader struct {
	Kind    string    `json:"kind"`
	Version int       `json:"version"`
	Schema  int64     `json:"schema"`
	Engine  string    `json:"engine"`
	TakenAt time.Time `json:"takenAt"`
}

// backupTable is the line before a table's rows.
type backupTable struct {
	Table   string   `json:"table"`
	Columns []string `json:"columns"`
	// Kinds of the columns: t text, i whole number, b bytes.
	Kinds string `json:"kinds"`
	// End is set in the line behind the last table instead.
	End *Contents `json:"end,omitempty"`
}

// Contents tells what a database holds: how many rows a table has, and a hash of
// them that their order does not change.
type Contents struct {
	Tables map[string]TableContents `json:"tables"`
}

// TableContents is one table's.
type TableContents struct {
	Rows int64  `json:"rows"`
	Hash string `json:"hash"`
}

// Rows are all tables' together.
func (c *Contents) Rows() (n int64) {
	for _, t := range c.Tables {
		n += t.Rows
	}
	return n
}

// differs names the first table in which two databases differ.
func (c *Contents) differs(other *Contents) error {
	for name, t := range c.Tables {
		if o := other.Tables[name]; o != t {
			return fmt.Errorf("table %s has %d rows (%.12s) in the backup and %d (%.12s) in the database", name, t.Rows, t.Hash, o.Rows, o.Hash)
		}
	}
	return nil
}

// table is one as the engine describes it, its columns sorted by name.
type table struct {
	name    string
	columns []string
	kinds   string
}

// kindOf are the types of the one dialect, as either engine names them.
var kindOf = map[string]byte{
	"text": 't', "bigint": 'i', "integer": 'i', "bytea": 'b',
}

type queryer interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// tables lists what the schema has, without goose's own table, without the
// partitions of others, and without what follows other tables by itself: the
// indexes of words.
func tables(ctx context.Context, db queryer, sqlite bool) ([]table, error) {
	ask := `SELECT table_name, column_name, data_type FROM information_schema.columns
		WHERE table_schema = current_schema() AND table_name <> 'goose_db_version' AND data_type <> 'tsvector'
		AND table_name NOT IN (SELECT relname FROM pg_class WHERE relispartition AND relnamespace = current_schema()::regnamespace)`
	if sqlite {
		ask = `SELECT m.name, c.name, c.type FROM pragma_table_list m JOIN pragma_table_info(m.name) c
			WHERE m.schema = 'main' AND m.type = 'table' AND m.name NOT LIKE 'sqlite\_%' ESCAPE '\' AND m.name <> 'goose_db_version'`
	}
	rows, err := db.QueryContext(ctx, ask)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []table
	var found [][3]string
	for rows.Next() {
		var f [3]string
		if err := rows.Scan(&f[0], &f[1], &f[2]); err != nil {
			return nil, err
		}
		found = append(found, f)
	}
	// Sorted here: the engines do not agree on the order of "name" and "name_key".
	slices.SortFunc(found, func(a, b [3]string) int { return slices.Compare(a[:], b[:]) })
	for _, f := range found {
		kind, ok := kindOf[strings.ToLower(f[2])]
		if !ok {
			return nil, fmt.Errorf("column %s.%s is of type %s, which a backup does not know", f[0], f[1], f[2])
		}
		if len(all) == 0 || all[len(all)-1].name != f[0] {
			all = append(all, table{name: f[0]})
		}
		t := &all[len(all)-1]
		t.columns, t.kinds = append(t.columns, f[1]), t.kinds+string(kind)
	}
	return all, rows.Err()
}

// tally adds rows up to a table's contents: hashes are added as numbers, so that
// the order, in which the engines differ, does not count.
type tally struct {
	rows int64
	sum  [4]uint64
	hash hash.Hash
}

func newTally() *tally { return &tally{hash: sha256.New()} }

func (t *tally) add(row []byte) {
	t.rows++
	t.hash.Reset()
	t.hash.Write(row)
	h := t.hash.Sum(nil)
	var carry uint64
	for i := range t.sum {
		t.sum[i], carry = bits.Add64(t.sum[i], binary.BigEndian.Uint64(h[8*i:]), carry)
	}
}

func (t *tally) contents() TableContents {
	var b []byte
	for _, n := range t.sum {
		b = binary.BigEndian.AppendUint64(b, n)
	}
	return TableContents{Rows: t.rows, Hash: hex.EncodeToString(b)}
}

// eachRow gives the rows of a table in the form of a backup.
func eachRow(ctx context.Context, db queryer, t table, do func(row []byte) error) error {
	rows, err := db.QueryContext(ctx, "SELECT "+strings.Join(t.columns, ", ")+" FROM "+t.name)
	if err != nil {
		return err
	}
	defer rows.Close()
	values := make([]any, len(t.columns))
	into := make([]any, len(t.columns))
	for i := range values {
		into[i] = &values[i]
	}
	var row []byte
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return err
		}
		if row, err = appendRow(row[:0], t, values); err != nil {
			return err
		}
		if err := do(row); err != nil {
			return err
		}
	}
	return rows.Err()
}

// appendRow writes a row: a number as a varint, text and bytes behind their
// length.
func appendRow(row []byte, t table, values []any) ([]byte, error) {
	for i, v := range values {
		var content []byte
		switch v := v.(type) {
		case int64:
			if t.kinds[i] != 'i' {
				return nil, fmt.Errorf("%s.%s holds a number", t.name, t.columns[i])
			}
			row = binary.AppendVarint(row, v)
			continue
		case string:
			content = []byte(v)
		case []byte:
			content = v
		default:
			return nil, fmt.Errorf("%s.%s holds a %T", t.name, t.columns[i], v)
		}
		if t.kinds[i] == 'i' {
			return nil, fmt.Errorf("%s.%s holds no number", t.name, t.columns[i])
		}
		row = binary.AppendUvarint(row, uint64(len(content)))
		row = append(row, content...)
	}
	return row, nil
}

// parseRow is the reverse of appendRow.
func parseRow(row []byte, kinds string) ([]any, error) {
	values := make([]any, 0, len(kinds))
	for i := range len(kinds) {
		if kinds[i] == 'i' {
			n, size := binary.Varint(row)
			if size <= 0 {
				return nil, errors.New("a row ends within a number")
			}
			values, row = append(values, n), row[size:]
			continue
		}
		length, size := binary.Uvarint(row)
		if size <= 0 || length > uint64(len(row)-size) {
			return nil, errors.New("a row ends within a value")
		}
		content := row[size : size+int(length)]
		row = row[size+int(length):]
		if kinds[i] == 't' {
			values = append(values, string(content))
		} else {
			values = append(values, append([]byte{}, content...))
		}
	}
	if len(row) > 0 {
		return nil, errors.New("a row is longer than its columns")
	}
	return values, nil
}

// Backup writes all that the database holds at one moment, while others go on
// reading and writing it. What is sealed in it stays sealed: the key file is
// not part of it.
func (s *Store) Backup(ctx context.Context, to io.Writer) (*Contents, error) {
	sqlite := s.queue != nil
	var options *sql.TxOptions
	if !sqlite {
		options = &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true}
	}
	tx, err := s.reads.BeginTx(ctx, options)
	if err != nil {
		return nil, explain(err)
	}
	defer tx.Rollback()
	header := backupHeader{Kind: backupKind, Version: backupVersion, Engine: s.Engine(), TakenAt: time.Now().UTC()}
	if err := tx.QueryRowContext(ctx, "SELECT max(version_id) FROM goose_db_version").Scan(&header.Schema); err != nil {
		return nil, explain(err)
	}
	all, err := tables(ctx, tx, sqlite)
	if err != nil {
		return nil, explain(err)
	}
	z, err := zstd.NewWriter(to, zstd.WithEncoderConcurrency(1))
	if err != nil {
		return nil, err
	}
	defer z.Close()
	out := bufio.NewWriterSize(z, 1<<16)
	line := json.NewEncoder(out)
	if err := line.Encode(header); err != nil {
		return nil, err
	}
	contents := &Contents{Tables: map[string]TableContents{}}
	for _, t := range all {
		if err := line.Encode(backupTable{Table: t.name, Columns: t.columns, Kinds: t.kinds}); err != nil {
			return nil, err
		}
		count := newTally()
		err := eachRow(ctx, tx, t, func(row []byte) error {
			count.add(row)
			// One more than its length: 0 ends the table.
			if _, err := out.Write(binary.AppendUvarint(nil, uint64(len(row))+1)); err != nil {
				return err
			}
			_, err := out.Write(row)
			return err
		})
		if err != nil {
			return nil, explain(err)
		}
		if err := out.WriteByte(0); err != nil {
			return nil, err
		}
		contents.Tables[t.name] = count.contents()
	}
	if err := line.Encode(backupTable{End: contents}); err != nil {
		return nil, err
	}
	if err := out.Flush(); err != nil {
		return nil, err
	}
	return contents, z.Close()
}

// backupReader reads a backup, and hands on what it finds in order.
type backupReader struct {
	in *bufio.Reader
	backupHeader
}

func openBackup(from io.Reader) (*backupReader, error) {
	z, err := zstd.NewReader(from, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxValue))
	if err != nil {
		return nil, err
	}
	b := &backupReader{in: bufio.NewReaderSize(z, 1<<16)}
	err = b.line(&b.backupHeader)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, incomplete(err)
	}
	if err != nil || b.Kind != backupKind {
		return nil, fmt.Errorf("%w: it is no backup of a collector", ErrBackup)
	}
	if b.Version != backupVersion {
		return nil, fmt.Errorf("%w: it is of format %d, and this version knows %d: install the version that wrote it, or a newer one", ErrBackup, b.Version, backupVersion)
	}
	return b, nil
}

// incomplete is what a file is that ends too early.
func incomplete(err error) error {
	return fmt.Errorf("%w: it is incomplete or damaged (%v): take another one", ErrBackup, err)
}

func (b *backupReader) line(into any) error {
	var line []byte
	for {
		part, err := b.in.ReadSlice('\n')
		line = append(line, part...)
		if len(line) > maxLine {
			return errors.New("a line is too long")
		}
		if err == nil {
			return json.Unmarshal(line, into)
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return err
		}
	}
}

// read calls begin for each table and then row for each of its rows, and checks
// at the end that all came.
func (b *backupReader) read(begin func(table) error, row func([]byte) error) (*Contents, error) {
	contents := &Contents{Tables: map[string]TableContents{}}
	var content []byte
	for {
		var head backupTable
		if err := b.line(&head); err != nil {
			return nil, incomplete(err)
		}
		if head.End != nil {
			if err := head.End.differs(contents); err != nil || len(head.End.Tables) != len(contents.Tables) {
				return nil, incomplete(fmt.Errorf("its tables are not what it says at its end: %v", err))
			}
			return contents, nil
		}
		if len(head.Columns) != len(head.Kinds) || strings.Trim(head.Kinds, "tib") != "" {
			return nil, incomplete(fmt.Errorf("table %q is not described", head.Table))
		}
		if err := begin(table{head.Table, head.Columns, head.Kinds}); err != nil {
			return nil, err
		}
		count := newTally()
		for {
			length, err := binary.ReadUvarint(b.in)
			if err != nil {
				return nil, incomplete(err)
			}
			if length == 0 {
				break
			}
			if length > maxValue {
				return nil, incomplete(fmt.Errorf("a row of %d bytes", length))
			}
			if content, err = readInto(b.in, content[:0], int(length-1)); err != nil {
				return nil, incomplete(err)
			}
			count.add(content)
			if err := row(content); err != nil {
				return nil, err
			}
		}
		contents.Tables[head.Table] = count.contents()
	}
}

// readInto reads so many bytes, and takes memory for them as they come.
func readInto(in io.Reader, into []byte, length int) ([]byte, error) {
	const step = 1 << 20
	for len(into) < length {
		at := len(into)
		into = append(into, make([]byte, min(step, length-at))...)
		if _, err := io.ReadFull(in, into[at:]); err != nil {
			return nil, err
		}
	}
	return into, nil
}

// CheckBackup reads a backup to its end and tells what is in it.
func CheckBackup(from io.Reader) (*Contents, error) {
	b, err := openBackup(from)
	if err != nil {
		return nil, err
	}
	return b.read(func(table) error { return nil }, func([]byte) error { return nil })
}

// Restore fills the empty database at url, of either engine, with a backup, and
// reads it back: what it returns is in both. Everything or nothing is restored.
func Restore(ctx context.Context, url string, from io.Reader) (*Contents, error) {
	b, err := openBackup(from)
	if err != nil {
		return nil, err
	}
	scheme, path, _ := strings.Cut(url, ":")
	if scheme != "sqlite" {
		return b.restore(ctx, url)
	}
	if _, err := os.Stat(path); err == nil {
		return nil, fmt.Errorf("there is a database already: %s; stop the collector and move that file away, or name another --data", path)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	unfinished := path + ".restoring"
	defer func() {
		for _, suffix := range []string{"", "-wal", "-shm", "-guard"} {
			_ = os.Remove(unfinished + suffix)
		}
	}()
	_ = os.Remove(unfinished)
	contents, err := b.restore(ctx, "sqlite:"+unfinished)
	if err != nil {
		return nil, err
	}
	return contents, os.Rename(unfinished, path)
}

func (b *backupReader) restore(ctx context.Context, url string) (*Contents, error) {
	s, err := open(ctx, url, b.Schema)
	if err != nil {
		return nil, err
	}
	contents, err := b.fill(ctx, s)
	if closed := s.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return nil, err
	}
	// From here on it is a database of this version.
	s, err = Open(ctx, url)
	if err != nil {
		return nil, err
	}
	return contents, s.Close()
}

// fill puts the rows in and compares what is there then.
func (b *backupReader) fill(ctx context.Context, s *Store) (*Contents, error) {
	sqlite := s.queue != nil
	tx, err := s.writes.BeginTx(ctx, nil)
	if err != nil {
		return nil, explain(err)
	}
	defer tx.Rollback()
	own, err := tables(ctx, tx, sqlite)
	if err != nil {
		return nil, explain(err)
	}
	var used int
	if err := tx.QueryRowContext(ctx, "SELECT count(*) FROM settings").Scan(&used); err != nil {
		return nil, explain(err)
	}
	if used > 0 {
		return nil, errors.New("the database is in use by a collector: restore into an empty one")
	}
	for _, t := range own {
		if _, err := tx.ExecContext(ctx, "DELETE FROM "+t.name); err != nil {
			return nil, explain(err)
		}
	}
	var into table
	var insert *sql.Stmt
	begin := func(t table) error {
		i := slices.IndexFunc(own, func(o table) bool { return o.name == t.name })
		if i < 0 || !slices.Equal(own[i].columns, t.columns) || own[i].kinds != t.kinds {
			return incomplete(fmt.Errorf("its table %q is not one of schema %d", t.name, b.Schema))
		}
		if insert != nil {
			insert.Close()
		}
		into = own[i]
		var err error
		var places []string
		for i := range into.columns {
			places = append(places, fmt.Sprintf("$%d", i+1))
		}
		insert, err = tx.PrepareContext(ctx, fmt.Sprintf("INSERT INTO %s (%s) VALUES (%s)",
			into.name, strings.Join(into.columns, ", "), strings.Join(places, ", ")))
		return err
	}
	written, err := b.read(begin, func(row []byte) error {
		values, err := parseRow(row, into.kinds)
		if err != nil {
			return incomplete(err)
		}
		if _, err := insert.ExecContext(ctx, values...); err != nil {
			return fmt.Errorf("table %s: %w", into.name, explain(err))
		}
		return nil
	})
	if insert != nil {
		insert.Close()
	}
	if err != nil {
		return nil, err
	}
	found := &Contents{Tables: map[string]TableContents{}}
	for _, t := range own {
		count := newTally()
		if err := eachRow(ctx, tx, t, func(row []byte) error { count.add(row); return nil }); err != nil {
			return nil, explain(err)
		}
		found.Tables[t.name] = count.contents()
	}
	if err := written.differs(found); err != nil {
		return nil, fmt.Errorf("the database did not keep what the backup holds: %w", err)
	}
	return found, explain(tx.Commit())
}
