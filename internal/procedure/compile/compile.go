// Package compile makes procedures from the Markdown that people write, and says
// with file and line what is wrong in it. An agent links none of it; it walks
// through the result.
package compile

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"constat/internal/diagnosis"
	"constat/internal/fault"
	faultcompile "constat/internal/fault/compile"
	constatv1 "constat/proto/constat/v1"
)

// Bounds of a procedure. One that a person still reads is far below them.
const (
	maxFileSize = 256 << 10
	maxSteps    = 200
	maxText     = 2000
)

// Compile reads the procedures of a directory, ID.md each, with the drawings that
// they name, and checks all of them against the faults and terms of c. The error joins every problem found,
// each with file, line and what was expected there. The same files give the same
// bytes.
func Compile(fsys fs.FS, c *fault.Catalog) (*constatv1.Procedures, error) {
	names, err := fs.Glob(fsys, "*.md")
	if err != nil {
		return nil, err
	}
	digest := sha256.New()
	all := &constatv1.Procedures{}
	var problems []error
	pictures, err := drawings(fsys)
	if err != nil {
		problems = append(problems, err)
	}
	for _, name := range names { // Glob sorts
		f, err := fsys.Open(name)
		if err != nil {
			return nil, err
		}
		content, err := readAtMost(f, maxFileSize)
		if err != nil {
			problems = append(problems, fmt.Errorf("%s:1: %w", name, err))
			continue
		}
		fmt.Fprintf(digest, "%s %d\n%s", name, len(content), content)
		r := &reader{file: name, catalog: c, drawings: pictures}
		all.Procedures = append(all.Procedures, r.read(content, strings.TrimSuffix(path.Base(name), ".md")))
		problems = append(problems, r.problems...)
	}
	for _, d := range pictures { // sorted
		if slices.ContainsFunc(all.Procedures, func(p *constatv1.Procedure) bool {
			return slices.ContainsFunc(p.GetSteps(), func(s *constatv1.Procedure_Step) bool { return s.GetDrawing() == d.GetName() })
		}) {
			fmt.Fprintf(digest, "%s %d\n%s", d.GetName(), len(d.GetSvg()), d.GetSvg())
			all.Drawings = append(all.Drawings, d)
		}
	}
	all.Version = hex.EncodeToString(digest.Sum(nil))[:12]
	slices.SortFunc(all.Procedures, func(a, b *constatv1.Procedure) int { return strings.Compare(a.GetId(), b.GetId()) })
	return all, errors.Join(problems...)
}

// readAtMost refuses a file that is larger without reading the rest of it.
func readAtMost(f fs.File, most int) ([]byte, error) {
	defer f.Close()
	content := make([]byte, 0, 16<<10)
	buffer := make([]byte, 16<<10)
	for {
		n, err := f.Read(buffer)
		content = append(content, buffer[:n]...)
		switch {
		case len(content) > most:
			return nil, fmt.Errorf("larger than %d bytes; expected what a person reads: split it into several procedures", most)
		case errors.Is(err, io.EOF):
			return content, nil
		case err != nil:
			return nil, err
		}
	}
}

// Words that a procedure may use.
var (
	kinds   = []string{"check", "question", "manual", "remedy", "article"}
	systems = []string{"darwin", "linux", "windows"}
	// ends are where an answer can lead beside a step.
	ends = []string{"next", "done", "support"}
	// usual are answers that need no label of their own.
	usual = map[string]fault.Text{
		"yes":     {EN: "Yes", FR: "Oui"},
		"no":      {EN: "No", FR: "Non"},
		"unsure":  {EN: "I don’t know", FR: "Je ne sais pas"},
		"helped":  {EN: "It works now", FR: "Ça marche maintenant"},
		"not":     {EN: "Still not", FR: "Toujours pas"},
		"skipped": {EN: "I can’t do that", FR: "Je ne peux pas faire cela"},
	}
	// costs are how many seconds a step takes unless it says so.
	costs = map[string]int32{"check": 0, "question": 10, "manual": 60, "remedy": 30, "article": 180}
)

func complaints() []string {
	var ids []string
	for _, p := range diagnosis.Procedures() {
		ids = append(ids, p.ID)
	}
	return ids
}

func verbs() []string { return faultcompile.Remedies() }
