package desk

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"testing/fstest"

	"github.com/rogpeppe/go-internal/diff"
	"google.golang.org/protobuf/proto"

	"constat/internal/fault"
	faultcatalog "constat/internal/fault/catalog"
	faultcompile "constat/internal/fault/compile"
	"constat/internal/procedure"
	procedurecompile "constat/internal/procedure/compile"
	"constat/internal/procedure/shipped"
	deskv1 "constat/proto/constat/desk/v1"
	constatv1 "constat/proto/constat/v1"
)

// edition is what was made of a team's files.
type edition struct {
	knowledge *constatv1.Knowledge
	catalog   *fault.Catalog
	// own are the ids of the team's faults.
	own []string
}

// compileKnowledge checks all files. The error's lines name file, line and what was
// expected.
func (d *Desk) compileKnowledge(files []*deskv1.KnowledgeFile) (*edition, error) {
	faults, procedures, drawings, size := fstest.MapFS{}, fstest.MapFS{}, fstest.MapFS{}, 0
	for _, f := range files {
		size += len(f.GetText())
		name, into := "", faults
		switch path := f.GetPath(); {
		case strings.HasPrefix(path, faultsDir) && strings.HasSuffix(path, ".yaml"):
			name = strings.TrimPrefix(path, faultsDir)
		case strings.HasPrefix(path, proceduresDir) && strings.HasSuffix(path, ".md"):
			name, into = strings.TrimPrefix(path, proceduresDir), procedures
		case strings.HasPrefix(path, drawingsDir) && strings.HasSuffix(path, ".svg"):
			name, into = strings.TrimPrefix(path, drawingsDir), drawings
		}
		if name == "" || !fs.ValidPath(name) || strings.Contains(name, "/") {
			return nil, fmt.Errorf("%s:1: expected faults/DOMAIN.yaml, faults/terms.yaml, procedures/ID.md or procedures/drawings/NAME.svg", line(f.GetPath(), 200))
		}
		into[name] = &fstest.MapFile{Data: []byte(f.GetText())}
	}
	for name, file := range drawings {
		procedures["drawings/"+name] = file
	}
	if size > maxKnowledge {
		return nil, fmt.Errorf("%d bytes are more than the %d that all files may have together", size, maxKnowledge)
	}
	known, err := d.judgeable(faults)
	if err != nil {
		return nil, err
	}
	e := &edition{knowledge: &constatv1.Knowledge{Catalog: proto.CloneOf(known.knowledge.GetCatalog())}, catalog: known.catalog, own: slices.Clone(known.own)}
	e.knowledge.Procedures, err = procedurecompile.Compile(procedures, e.catalog)
	if own := e.knowledge.GetProcedures(); own != nil { // agents have those that ship
		own.Drawings = slices.DeleteFunc(own.Drawings, func(d *constatv1.Drawing) bool { return drawings[d.GetName()] == nil })
	}
	return e, err
}

// keptEditions is how many sets of faults are kept compiled: what is in force, and
// what a few people write.
const keptEditions = 8

// judgeable compiles a team's faults with those that ship, which takes a good part
// of a second, or finds them as they were compiled a moment ago: pages and previews
// ask again and again.
func (d *Desk) judgeable(faults fstest.MapFS) (*edition, error) {
	digest := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(faults)) {
		fmt.Fprintf(digest, "%s %d\n%s", name, len(faults[name].Data), faults[name].Data)
	}
	key := [sha256.Size]byte(digest.Sum(nil))
	d.mu.Lock()
	for _, k := range d.compiled {
		if k.key == key {
			d.mu.Unlock()
			return k.edition, nil
		}
	}
	d.mu.Unlock()
	whole, own, err := faultcompile.Extend(faultcatalog.Files, faults)
	if err != nil {
		return nil, err
	}
	e := &edition{knowledge: &constatv1.Knowledge{Catalog: own}}
	for _, f := range own.GetFaults() {
		e.own = append(e.own, f.GetId())
	}
	if e.catalog, err = fault.Open(whole); err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.compiled = append(d.compiled[max(0, len(d.compiled)+1-keptEditions):len(d.compiled):len(d.compiled)], compiled{key, e})
	return e, nil
}

// compiled is an edition of faults, by the digest of their files.
type compiled struct {
	key     [sha256.Size]byte
	edition *edition
}

// changed applies a change to files, sorted by path.
func changed(files []*deskv1.KnowledgeFile, c *deskv1.KnowledgeChange) []*deskv1.KnowledgeFile {
	by := map[string]*deskv1.KnowledgeFile{}
	for _, f := range append(slices.Clone(files), c.GetPut()...) {
		by[f.GetPath()] = f
	}
	for _, path := range c.GetRemove() {
		delete(by, path)
	}
	var all []*deskv1.KnowledgeFile
	for _, path := range slices.Sorted(maps.Keys(by)) {
		all = append(all, by[path])
	}
	return all
}

// differ words what changed between two sets of files.
func differ(before, after []*deskv1.KnowledgeFile) string {
	texts := map[string][2]string{}
	for _, f := range before {
		texts[f.GetPath()] = [2]string{f.GetText(), ""}
	}
	for _, f := range after {
		texts[f.GetPath()] = [2]string{texts[f.GetPath()][0], f.GetText()}
	}
	var out strings.Builder
	for _, path := range slices.Sorted(maps.Keys(texts)) {
		out.Write(diff.Diff("a/"+path, []byte(texts[path][0]), "b/"+path, []byte(texts[path][1])))
	}
	return out.String()
}

// grown refuses a procedure that says something else under the version that it
// had: its rates would count two things as one.
func (d *Desk) grown(before, after []*deskv1.KnowledgeFile, now *edition) error {
	former, err := d.compileKnowledge(before)
	if err != nil {
		return nil // of an older program
	}
	text := func(files []*deskv1.KnowledgeFile, id string) string {
		for _, f := range files {
			if f.GetPath() == proceduresDir+id+".md" {
				return f.GetText()
			}
		}
		return ""
	}
	builtin, err := procedure.Builtin()
	if err != nil {
		return err
	}
	// One that takes the place of what ships begins after its version.
	for _, p := range now.knowledge.GetProcedures().GetProcedures() {
		for _, old := range builtin.GetProcedures() {
			if ships, _ := fs.ReadFile(shipped.Files, p.GetId()+".md"); p.GetId() == old.GetId() && p.GetVersion() == old.GetVersion() && text(before, p.GetId()) == "" && text(after, p.GetId()) != string(ships) {
				return problem(ErrInvalid, "%s%s.md:1: it is not what ships, and its version is still %d; expected version: %d", proceduresDir, p.GetId(), p.GetVersion(), p.GetVersion()+1)
			}
		}
		for _, old := range former.knowledge.GetProcedures().GetProcedures() {
			if p.GetId() == old.GetId() && p.GetVersion() == old.GetVersion() && text(before, p.GetId()) != text(after, p.GetId()) {
				return problem(ErrInvalid, "%s%s.md:1: it changed, and its version is still %d; expected version: %d", proceduresDir, p.GetId(), p.GetVersion(), p.GetVersion()+1)
			}
		}
	}
	return nil
}
