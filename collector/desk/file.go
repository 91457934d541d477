package desk

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"net/http"
	"path"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"

	"constat/collector/store/query"
	deskv1 "constat/proto/constat/desk/v1"
	constatv1 "constat/proto/constat/v1"
)

// Limits of the files of one entry; the console tells them to who sends files.
const (
	MaxFiles     = 10
	MaxFile      = 10 << 20
	MaxFilesSize = 25 << 20
)

// file is one that is to be kept.
type file struct {
	name, mediaType          string
	hash, content, thumbnail []byte
}

// CheckFiles refuses files that are too large or too many.
func (d *Desk) CheckFiles(sent []*deskv1.NewFile) error { return checkFiles(sent) }

func checkFiles(sent []*deskv1.NewFile) error {
	if len(sent) > MaxFiles {
		return problem(ErrInvalid, "%d files are too many at once: send %d, then the others", len(sent), MaxFiles)
	}
	total := 0
	for _, f := range sent {
		if len(f.GetContent()) > MaxFile {
			return problem(ErrInvalid, "the file %q is too large: a file has %d MiB at most", fileName(f.GetName()), MaxFile>>20)
		}
		total += len(f.GetContent())
	}
	if total > MaxFilesSize {
		return problem(ErrInvalid, "the files are too large together: they have %d MiB at most at once", MaxFilesSize>>20)
	}
	return nil
}

// readFiles checks files, cleans their names and makes small pictures of those
// that are pictures.
func readFiles(sent []*deskv1.NewFile) ([]file, error) {
	if err := checkFiles(sent); err != nil {
		return nil, err
	}
	var files []file
	for _, f := range sent {
		sum := sha256.Sum256(f.GetContent())
		content := append([]byte{}, f.GetContent()...) // never nil: an empty file is a file
		files = append(files, file{fileName(f.GetName()), http.DetectContentType(content), sum[:], content, thumbnail(content)})
	}
	return files, nil
}

// keepFiles writes the files of a new entry. What is in them is kept once,
// however often it is sent.
func keepFiles(ctx context.Context, q *query.Queries, number int32, entry string, files []file) error {
	for i, f := range files {
		if err := q.PutContent(ctx, f.hash, f.content, f.thumbnail); err != nil {
			return err
		}
		_, err := q.AddAttachment(ctx, query.AddAttachmentParams{
			ID: newID(), Number: number, EntryID: entry, Position: int32(i), Name: f.name, Type: f.mediaType, Size: int32(len(f.content)), Hash: f.hash,
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// addFiles puts into entries of a ticket the files they have.
func addFiles(ctx context.Context, q *query.Queries, number int32, entries []*constatv1.TicketEntry) error {
	rows, err := q.AttachmentsOf(ctx, number)
	if err != nil {
		return err
	}
	byEntry := map[string][]*constatv1.TicketFile{}
	for _, row := range rows {
		byEntry[row.EntryID] = append(byEntry[row.EntryID], &constatv1.TicketFile{Id: row.ID, Name: row.Name, Type: row.Type, Size: row.Size, Shown: row.Shown == 1})
	}
	for _, e := range entries {
		e.Files = byEntry[e.GetId()]
	}
	return nil
}

// File gives a file of a ticket, by the number it has or had before it was
// merged. Nobody gets a file by the number of a ticket that it is not in.
func (d *Desk) File(ctx context.Context, number int32, id string) (*deskv1.GetTicketFileResponse, error) {
	q := d.store.Read()
	row, err := q.Attachment(ctx, fileID(id))
	if err := d.inTicket(ctx, q, err, row.Number, number, id); err != nil {
		return nil, err
	}
	return &deskv1.GetTicketFileResponse{Name: row.Name, Type: row.Type, Content: row.Content}, nil
}

// Thumbnail gives the small picture of a file of a ticket; ErrNotFound when it
// has none.
func (d *Desk) Thumbnail(ctx context.Context, number int32, id string) ([]byte, error) {
	q := d.store.Read()
	row, err := q.Thumbnail(ctx, fileID(id))
	if err := d.inTicket(ctx, q, err, row.Number, number, id); err != nil {
		return nil, err
	}
	if len(row.Thumbnail) == 0 {
		return nil, problem(ErrNotFound, "there is no small picture of this file")
	}
	return row.Thumbnail, nil
}

// fileID is an id as it is kept; one that is none stands for no file.
func fileID(id string) string {
	parsed, err := uuid.Parse(id)
	if err != nil {
		return ""
	}
	return parsed.String()
}

func (d *Desk) inTicket(ctx context.Context, q *query.Queries, err error, has, asked int32, id string) error {
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	if err == nil {
		if asked, err = target(ctx, q, asked); err != nil {
			return err
		}
	}
	if err == nil && reader(ctx).Role == "requester" { // a note's files are not for them
		found, lost := d.Ticket(ctx, asked)
		if lost != nil {
			return lost
		}
		if !slices.ContainsFunc(found.GetTimeline(), func(e *constatv1.TicketEntry) bool {
			return slices.ContainsFunc(e.GetFiles(), func(f *constatv1.TicketFile) bool { return f.GetId() == fileID(id) })
		}) {
			has = 0
		}
	}
	if err != nil || has != asked {
		return problem(ErrNotFound, "there is no file %s in ticket %d", line(id, 64), asked)
	}
	return nil
}

// maxFileName is in bytes; file systems have 255.
const maxFileName = 120

// fileName makes a name fit for every file system, and one that is read as it is
// stored: no path, no control characters, nothing that turns the direction of
// writing so that exe.gpj shows as another kind of file.
func fileName(name string) string {
	name = name[strings.LastIndexAny(name, `/\`)+1:]
	name = strings.Map(func(r rune) rune {
		switch {
		case strings.ContainsRune(`<>:"|?*`, r):
			return '_'
		case r == '\u200c' || r == '\u200d': // letters and emoji are joined by them
			return r
		case unicode.Is(unicode.Cf, r):
			return -1
		}
		return r
	}, strings.ToValidUTF8(name, "\uFFFD"))
	name = strings.Trim(line(name, 64<<10), ". ")
	if len(name) > maxFileName {
		end := path.Ext(name)
		if len(end) > 16 {
			end = ""
		}
		stem := name[:maxFileName-len(end)-len("…")]
		for !utf8.ValidString(stem) {
			stem = stem[:len(stem)-1]
		}
		name = stem + "…" + end
	}
	if name == "" {
		return "file"
	}
	return name
}
