package house

import (
	"bytes"
	"encoding/json"
	"errors"
	"go/parser"
	"go/token"
	"io"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// pkg is what go list tells of a package.
type pkg struct {
	ImportPath   string
	Dir          string
	Name         string
	GoFiles      []string
	Imports      []string
	Deps         []string
	TestImports  []string
	XTestImports []string
}

const module = "constat/"

func list(t *testing.T, args ...string) []pkg {
	t.Helper()
	cmd := exec.Command("go", append([]string{"list", "-tags", "grpcnotrace", "-json=ImportPath,Dir,Name,GoFiles,Imports,Deps,TestImports,XTestImports"}, args...)...)
	cmd.Dir = filepath.Join("..", "..")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, stderr.String())
	}
	var all []pkg
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		err := d.Decode(&p)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

// arrows say which of our packages a part of the house may import. The longest
// prefix that fits a package counts.
var arrows = map[string][]string{
	"constat/proto":                      {"constat/proto"},
	"constat/internal/version":           {},
	"constat/internal/command":           {},
	"constat/internal/config":            {},
	"constat/internal/house":             {},
	"constat/internal/series":            {},
	"constat/internal/snapshot":          {"constat/proto"},
	"constat/internal/fault":             {"constat/proto", "constat/internal/snapshot"},
	"constat/internal/fault/compile":     {"constat/proto", "constat/internal/fault"},
	"constat/internal/diagnosis":         {"constat/proto", "constat/internal/snapshot", "constat/internal/fault"},
	"constat/internal/procedure":         {"constat/proto", "constat/internal/fault"},
	"constat/internal/procedure/shipped": {},
	"constat/internal/fault/catalog":     {},
	"constat/internal/procedure/compile": {"constat/proto", "constat/internal/fault", "constat/internal/diagnosis", "constat/internal/procedure"},
	"constat/internal/durable":           {},
	"constat/internal/snmp":              {},
	"constat/internal/snmp/printermib":   {"constat/internal/snmp", "constat/proto"},
	"constat/internal/identity":          {"constat/internal/durable"},
	"constat/internal/lab/visitor":       {"constat/internal", "constat/agent/page"},
	"constat/internal/lab":               {"constat/internal", "constat/proto", "constat/agent/host"},
	"constat/agent":                      {"constat/agent", "constat/internal", "constat/proto"},
	"constat/collector":                  {"constat/collector", "constat/internal", "constat/proto"},
	"constat/collector/store":            {"constat/collector/store", "constat/internal/series", "constat/internal/snapshot", "constat/proto"},
	"constat/collector/bus":              {},
	"constat/collector/kit":              {},
	"constat/collector/gear":             {"constat/collector/store", "constat/internal", "constat/proto"},
	"constat/collector/desk":             {"constat/collector/store", "constat/collector/bus", "constat/collector/desk", "constat/internal", "constat/proto"},
	"constat/collector/desk/plausible":   {"constat/collector/store", "constat/collector/desk", "constat/internal/fault", "constat/internal/procedure", "constat/internal/snapshot", "constat/proto"},
	"constat/collector/courier":          {"constat/collector/store", "constat/collector/bus", "constat/collector/desk", "constat/internal", "constat/proto"},
	"constat/collector/store/storetest":  {"constat/collector/store", "constat/internal/lab"},
	"constat/collector/store/query":      {},
	"constat/agent/host":                 {"constat/agent/host", "constat/agent/hidpp", "constat/agent/journal", "constat/agent/mixer", "constat/agent/wireguard", "constat/internal", "constat/proto"},
	"constat/agent/hidpp":                {"constat/proto"},
	"constat/agent/history":              {"constat/agent/host", "constat/internal", "constat/proto"},
	"constat/agent/page":                 {"constat/agent/local", "constat/internal/durable", "constat/proto"},
	"constat/agent/privileged":           {"constat/agent/hidpp", "constat/agent/journal", "constat/agent/mixer", "constat/agent/wireguard", "constat/proto"},
	"constat/agent/journal":              {},
	"constat/agent/remedy":               {"constat/agent/privileged", "constat/internal", "constat/proto"},
	"constat/agent/mixer":                {},
	"constat/agent/trigger":              {},
	"constat/agent/wireguard":            {},
	"constat/agent/local":                {"constat/proto"},
	"constat/agent/tray":                 {"constat/agent/local", "constat/agent/page", "constat/internal", "constat/proto"},
	"constat/agent/tray/program":         {"constat/agent/tray"},
	"constat/installers/bill":            {},
	"constat/installers/rpm":             {},
	"constat/installers/macos/pkg":       {},
	"constat/collector/console":          {"constat/collector/courier", "constat/collector/desk", "constat/collector/account", "constat/collector/store", "constat/internal", "constat/proto"},
}

// forTests are the packages that only tests import, and that may use the lab.
var forTests = []string{"constat/internal/lab", "constat/internal/lab/wire", "constat/internal/lab/vm", "constat/internal/lab/vm/guest", "constat/internal/lab/chrome", "constat/internal/lab/visitor", "constat/internal/lab/component", "constat/internal/lab/wine", "constat/internal/fault/fixture", "constat/collector/store/storetest"}

func TestArrows(t *testing.T) {
	for _, p := range list(t, "./...") {
		allowed, known := rule(p.ImportPath)
		if !known {
			t.Errorf("%s has no room in the house: add it to arrows", p.ImportPath)
			continue
		}
		for _, i := range p.Imports {
			if strings.HasPrefix(i, module) && !slices.ContainsFunc(allowed, func(a string) bool { return within(i, a) }) {
				t.Errorf("%s imports %s; it may import only %v", p.ImportPath, i, allowed)
			}
		}
		if slices.Contains(forTests, p.ImportPath) {
			continue
		}
		if slices.Contains(p.Imports, "constat/internal/lab") {
			t.Errorf("%s imports the lab, which is for tests only", p.ImportPath)
		}
	}
}

func rule(path string) (allowed []string, known bool) {
	longest := -1
	for prefix, a := range arrows {
		if within(path, prefix) && len(prefix) > longest {
			allowed, known, longest = a, true, len(prefix)
		}
	}
	return allowed, known
}

func within(path, prefix string) bool {
	return path == prefix || strings.HasPrefix(path, prefix+"/")
}

// TestAgentLinksNoDatabase keeps SQL, the message bus, the web console and what
// technicians' calls are made of out of what is installed on every machine.
func TestAgentLinksNoDatabase(t *testing.T) {
	unwanted := []string{"database/sql", "modernc.org/sqlite", "github.com/jackc/pgx", "github.com/nats-io", "html/template", "constat/collector", "constat/proto/constat/desk"}
	for _, p := range list(t, "./agent", "./agent/tray/program") {
		for _, dep := range p.Deps {
			for _, u := range unwanted {
				// uuid implements two of the interfaces of this one; it opens nothing.
				if within(dep, u) && dep != "database/sql/driver" {
					t.Errorf("%s links %s", p.ImportPath, dep)
				}
			}
		}
	}
}

// TestAgentOnlyEvaluates keeps the parser and the checker of rules, a tenth of
// the agent, out of it: it carries its catalog compiled.
func TestAgentOnlyEvaluates(t *testing.T) {
	unwanted := []string{"constat/internal/fault/compile", "cel.dev/cel-go/cel", "cel.dev/cel-go/parser", "github.com/antlr4-go/antlr"}
	for _, p := range list(t, "./agent", "./agent/tray/program") {
		for _, dep := range p.Deps {
			for _, u := range unwanted {
				if within(dep, u) {
					t.Errorf("%s links %s", p.ImportPath, dep)
				}
			}
		}
	}
}

// TestStoreKnowsNoHTTP keeps the database apart from how it is reached.
func TestStoreKnowsNoHTTP(t *testing.T) {
	for _, p := range list(t, "./collector/store") {
		if slices.Contains(p.Imports, "net/http") {
			t.Errorf("%s imports net/http", p.ImportPath)
		}
	}
}

// TestPackageDocs wants one comment a package that says what it is for.
func TestPackageDocs(t *testing.T) {
	for _, p := range list(t, "./...") {
		if len(p.GoFiles) == 0 {
			continue
		}
		found := 0
		for _, f := range p.GoFiles {
			parsed, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, f), nil, parser.ParseComments|parser.PackageClauseOnly)
			if err != nil {
				t.Fatal(err)
			}
			if parsed.Doc != nil && strings.TrimSpace(parsed.Doc.Text()) != "" && !strings.HasPrefix(parsed.Doc.Text(), "Code generated") {
				found++
			}
		}
		generated := strings.HasPrefix(p.ImportPath, "constat/proto") || strings.HasSuffix(p.ImportPath, "/query")
		if found != 1 && !generated {
			t.Errorf("%s has %d package comments, want one", p.ImportPath, found)
		}
	}
}

// TestNames refuses package names that say nothing.
func TestNames(t *testing.T) {
	for _, p := range list(t, "./...") {
		switch p.Name {
		case "util", "utils", "common", "helper", "helpers", "misc", "manager", "shared", "base":
			t.Errorf("%s: a package is named after what it is about, not %q", p.ImportPath, p.Name)
		}
	}
}
