package compile

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"

	written "constat/internal/procedure/shipped"
	constatv1 "constat/proto/constat/v1"
)

// maxDrawing is how large a drawing may be. Lines that show a thing need less.
const maxDrawing = 4 << 10

// What a drawing may consist of: lines and plain shapes in the colour of the text,
// so that it is seen on light and dark, and nothing that moves, links or loads.
var (
	shapes     = []string{"svg", "title", "desc", "g", "path", "rect", "circle", "ellipse", "line", "polyline", "polygon"}
	attributes = []string{
		"xmlns", "viewBox", "fill", "stroke", "stroke-width", "stroke-linecap", "stroke-linejoin", "lang", "d", "x", "y", "x1", "y1", "x2", "y2",
		"cx", "cy", "r", "rx", "ry", "width", "height", "points", "transform",
	}
	colours     = []string{"none", "currentColor"}
	drawingForm = regexp.MustCompile(`^[a-z0-9-]+\.svg$`)
)

// drawings are those that a team's procedures may name, sorted: what ships, and
// what lies in the folder drawings beside them.
func drawings(fsys fs.FS) ([]*constatv1.Drawing, error) {
	var all []*constatv1.Drawing
	var problems []error
	for _, from := range []fs.FS{fsys, written.Files} {
		names, err := fs.Glob(from, "drawings/*")
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			if slices.ContainsFunc(all, func(d *constatv1.Drawing) bool { return d.GetName() == path.Base(name) }) {
				continue // a team's own takes the place of ours
			}
			d, err := drawing(from, name)
			if err != nil {
				problems = append(problems, fmt.Errorf("%s:%w", name, err))
				continue
			}
			all = append(all, d)
		}
	}
	slices.SortFunc(all, func(a, b *constatv1.Drawing) int { return strings.Compare(a.GetName(), b.GetName()) })
	return all, errors.Join(problems...)
}

// drawing reads one, and writes its shapes anew: what a browser is given has no
// text and nothing else that it could take for something that it is not. An error
// begins with its line.
func drawing(fsys fs.FS, name string) (*constatv1.Drawing, error) {
	if !drawingForm.MatchString(path.Base(name)) {
		return nil, errors.New("1: expected a name like paper-tray.svg")
	}
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	content, err := readAtMost(f, maxDrawing)
	if err != nil {
		return nil, fmt.Errorf("1: larger than %d bytes; expected a few lines that show the thing", maxDrawing)
	}
	d := &constatv1.Drawing{Name: path.Base(name), Title: &constatv1.Procedure_Text{}}
	decoder := xml.NewDecoder(bytes.NewReader(content))
	depth, language := 0, ""
	var plain bytes.Buffer
	words := 0 // how deep in a title or a description
	for {
		token, err := decoder.Token()
		line, _ := decoder.InputPos()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("%d: %w", line, err)
		}
		switch t := token.(type) {
		case xml.StartElement:
			if depth == 0 && t.Name.Local != "svg" || !slices.Contains(shapes, t.Name.Local) {
				return nil, fmt.Errorf("%d: a drawing has no <%s>; expected <svg> with %s", line, t.Name.Local, strings.Join(shapes[1:], ", "))
			}
			depth++
			language = ""
			if words > 0 || t.Name.Local == "title" || t.Name.Local == "desc" {
				words++
			} else {
				plain.WriteString("<" + t.Name.Local)
			}
			for _, a := range t.Attr {
				switch key := a.Name.Local; {
				case a.Name.Space != "" || !slices.Contains(attributes, key):
					return nil, fmt.Errorf("%d: a drawing has no %s; expected one of %s", line, key, strings.Join(attributes, ", "))
				case (key == "fill" || key == "stroke") && !slices.Contains(colours, a.Value):
					return nil, fmt.Errorf("%d: %s is %q; expected none or currentColor, which is seen on light and dark", line, key, a.Value)
				case key == "lang" && t.Name.Local == "title":
					language = a.Value
				}
				if words == 0 {
					plain.WriteString(" " + a.Name.Local + `="`)
					_ = xml.EscapeText(&plain, []byte(a.Value))
					plain.WriteString(`"`)
				}
			}
			if words == 0 {
				plain.WriteString(">")
			}
		case xml.EndElement:
			depth--
			language = ""
			if words > 0 {
				words--
			} else {
				plain.WriteString("</" + t.Name.Local + ">")
			}
		case xml.CharData:
			switch said := strings.TrimSpace(string(t)); language {
			case "en":
				d.Title.En += said
			case "fr":
				d.Title.Fr += said
			}
		case xml.Directive, xml.ProcInst:
			return nil, fmt.Errorf("%d: expected <svg> and what is in it, and nothing else", line)
		}
	}
	if d.GetTitle().GetEn() == "" || d.GetTitle().GetFr() == "" {
		return nil, errors.New(`1: expected <title lang="en"> and <title lang="fr">: what it shows`)
	}
	d.Svg = plain.Bytes()
	return d, nil
}
