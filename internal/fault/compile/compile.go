// Package compile makes a catalog of faults from what people write: it decodes
// the YAML, checks every text, reference and rule, and says with file, line and
// column what is wrong. An agent links none of it; it judges with the result.
package compile

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/goccy/go-yaml"
	"github.com/klauspost/compress/zstd"
	"google.golang.org/protobuf/proto"

	"constat/internal/fault"
	constatv1 "constat/proto/constat/v1"
)

const (
	termsName   = "terms.yaml"
	maxFileSize = 1 << 20
)

// Load reads a catalog and makes it ready to judge with; see Compile.
func Load(fsys fs.FS) (*fault.Catalog, error) {
	c, err := Compile(fsys)
	if err != nil {
		return nil, err
	}
	return fault.Open(c)
}

// Compile reads a catalog, one YAML file per domain beside terms.yaml, and
// checks all of it. The error joins every problem found, each with file, line
// and column, and what was expected there. The same files give the same bytes.
func Compile(fsys fs.FS) (*constatv1.Catalog, error) {
	r, err := read(fsys)
	if err != nil {
		return nil, err
	}
	if len(r.problems) == 0 { // rules are checked in a catalog that makes sense
		r.check()
	}
	return r.catalog, errors.Join(r.problems...)
}

// Pack makes of a message what programs carry, as small as it gets: it is made
// once, and lies on every machine.
func Pack(m proto.Message) ([]byte, error) {
	content, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		return nil, err
	}
	w, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedBestCompression), zstd.WithEncoderConcurrency(1))
	if err != nil {
		return nil, err
	}
	return w.EncodeAll(content, nil), w.Close()
}

// Extend reads what a team wrote beside a base that is known to be sound: faults
// and terms that are new, or that take the place of those with the same id or
// name. It gives the whole, and the team's part alone.
func Extend(base, team fs.FS) (whole, own *constatv1.Catalog, err error) {
	read := func(fsys fs.FS) ([]*file, error) { return decodeAll(fsys, sha256.New()) }
	sound, err := read(base)
	if err != nil {
		return nil, nil, err
	}
	added, err := read(team)
	if err != nil {
		return nil, nil, err
	}
	mine := map[string]bool{}
	for _, f := range added {
		for _, e := range f.entries {
			mine["fault "+e.ID.text] = true
		}
		for _, t := range f.terms {
			mine["term "+t.Name.text] = true
		}
	}
	r := &reader{catalog: &constatv1.Catalog{}, faults: map[string]*written{}}
	for _, f := range sound {
		f.entries = slices.DeleteFunc(f.entries, func(e entry) bool { return mine["fault "+e.ID.text] })
		if f.name == termsName {
			// A term asks those above it: one that is replaced stays in its place.
			for i, t := range f.terms {
				for _, a := range added {
					if j := slices.IndexFunc(a.terms, func(n term) bool { return n.Name.text == t.Name.text }); j >= 0 {
						f.terms[i] = a.terms[j]
						a.terms = slices.Delete(a.terms, j, j+1)
					}
				}
			}
		}
		r.read(f)
	}
	for _, f := range added {
		r.read(f)
	}
	r.resolve()
	if len(r.problems) == 0 {
		r.check()
	}
	if len(r.problems) > 0 {
		return nil, nil, errors.Join(r.problems...)
	}
	own = &constatv1.Catalog{}
	for _, f := range r.catalog.Faults {
		if mine["fault "+f.GetId()] {
			own.Faults = append(own.Faults, f)
		}
	}
	for _, t := range r.catalog.Terms {
		if mine["term "+t.GetName()] {
			own.Terms = append(own.Terms, t)
		}
	}
	for _, of := range []*constatv1.Catalog{r.catalog, own} {
		slices.SortFunc(of.Faults, func(a, b *constatv1.Catalog_Fault) int { return strings.Compare(a.GetId(), b.GetId()) })
	}
	return r.catalog, own, nil
}

// read decodes all files and checks everything but the expressions.
func read(fsys fs.FS) (*reader, error) {
	digest := sha256.New()
	files, err := decodeAll(fsys, digest)
	if err != nil {
		return nil, err
	}
	if len(files) == 0 {
		return nil, errors.New("no catalog here: expected files named <domain>.yaml")
	}
	r := &reader{catalog: &constatv1.Catalog{Version: hex.EncodeToString(digest.Sum(nil))[:12]}, faults: map[string]*written{}}
	for _, f := range files {
		r.read(f)
	}
	r.resolve()
	slices.SortFunc(r.catalog.Faults, func(a, b *constatv1.Catalog_Fault) int { return strings.Compare(a.GetId(), b.GetId()) })
	return r, nil
}

// decodeAll decodes all files, and puts what they hold into the digest.
func decodeAll(fsys fs.FS, digest hash.Hash) ([]*file, error) {
	names, err := fs.Glob(fsys, "*.yaml")
	if err != nil {
		return nil, err
	}
	files := make([]*file, len(names))
	var decoding sync.WaitGroup
	for i, name := range names { // Glob sorts
		content, err := fs.ReadFile(fsys, name)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(digest, "%s %d\n%s", name, len(content), content)
		files[i] = &file{name: name, domain: strings.TrimSuffix(path.Base(name), ".yaml"), size: len(content)}
		decoding.Go(func() { files[i].decode(content) })
	}
	decoding.Wait()
	return files, nil
}

// file is one of the catalog's files. Decoding YAML is most of what reading a
// catalog costs, so the files are decoded side by side.
type file struct {
	name, domain string
	size         int

	terms   termsFile  // of terms.yaml
	entries domainFile // of <domain>.yaml
	broken  error
}

func (f *file) decode(content []byte) {
	switch {
	case f.size > maxFileSize: // refused by read
	case f.name == termsName:
		f.broken = unmarshal(content, &f.terms)
	case slices.Contains(domains, f.domain):
		f.broken = unmarshal(content, &f.entries)
	}
}

// unmarshal decodes strictly. The YAML package panics on some malformed input
// (a tag on a scalar where a list is wanted), and catalogs are uploaded.
func unmarshal(content []byte, into any) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("malformed YAML (%v)", p)
		}
	}()
	return yaml.UnmarshalWithOptions(content, into, yaml.Strict())
}
