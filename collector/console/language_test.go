package console

import (
	"io/fs"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"google.golang.org/protobuf/reflect/protoreflect"

	"constat/internal/fault"
	constatv1 "constat/proto/constat/v1"
)

// catalogue reads the ids of one language's messages.
func catalogue(t *testing.T, lang string) map[string]any {
	t.Helper()
	content, err := fs.ReadFile(locales, "locales/"+lang+".yaml")
	if err != nil {
		t.Fatal(err)
	}
	messages := map[string]any{}
	if err := yaml.Unmarshal(content, &messages); err != nil {
		t.Fatal(err)
	}
	return messages
}

func TestEveryMessageStandsInEveryLanguage(t *testing.T) {
	english := catalogue(t, "en")
	for _, lang := range languages {
		messages := catalogue(t, lang)
		for id, message := range messages {
			if _, there := english[id]; !there {
				t.Errorf("%s.yaml: %s is not in en.yaml: add it there or take it out", lang, id)
			}
			if text, _ := message.(string); text == "" {
				if forms, _ := message.(map[string]any); len(forms) == 0 {
					t.Errorf("%s.yaml: %s is empty", lang, id)
				}
			}
		}
		for id := range english {
			if _, there := messages[id]; !there {
				t.Errorf("%s.yaml: %s is missing", lang, id)
			}
		}
	}
}

// usedIDs finds the ids of messages in templates and code.
var usedIDs = regexp.MustCompile(`(?:\bt|\bn|say|count|back\(w, v, [^"]*(?:"[^"]*"[^"]*)??,|Title:|Next:|Label:|Problem =) ?\(?"([a-z][A-Za-z]*(?:\.[A-Za-z]+)+)"`)

func TestEveryMessageUsedExists(t *testing.T) {
	english := catalogue(t, "en")
	files, err := filepath.Glob("templates/*.html")
	if err != nil {
		t.Fatal(err)
	}
	code, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, file := range append(files, code...) {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range usedIDs.FindAllStringSubmatch(string(content), -1) {
			found++
			if _, there := english[match[1]]; !there {
				t.Errorf("%s uses the message %q, which no catalogue has", file, match[1])
			}
		}
	}
	if found < 100 {
		t.Errorf("only %d uses found: the search is broken", found)
	}
}

func TestWordsOfTheVocabularyAreTranslated(t *testing.T) {
	words := map[string][]string{
		"status":      {"new", "open", "pending", "solved", "closed", "merged"},
		"priority":    {"low", "normal", "high", "urgent"},
		"impact":      {"low", "normal", "high"},
		"urgency":     {"low", "normal", "high", "critical"},
		"certainty":   {"confirmed", "probable", "possible"},
		"verdict":     {"healthy", "fault", "undetermined"},
		"observation": {"observed", "unsupported", "denied", "failed", "withheld"},
		"phase":       {"observing", "judging", "uploading"},
		"trigger":     {"user", "technician", "schedule", "event", "command", "collector"},
		"scope":       {"switch", "subnet", "site", "printer", "service"},
		"channel":     {"agent", "tray", "console", "mail", "chat", "phone", "portal", "api"},
		"outcome":     {"fixed", "notFixed", "refused", "expired", "failed", "undone"},
		"entry":       {"message", "note", "diagnosis", "remedy", "sla"},
		"role":        {"technician", "lead", "administrator"},
		"complaint":   complaints,
	}
	groups := (&constatv1.Snapshot{}).ProtoReflect().Descriptor().Fields()
	for i := range groups.Len() {
		if name := string(groups.Get(i).Name()); name != "manifest" {
			words["group"] = append(words["group"], name)
		}
	}
	catalog, err := fault.Compiled()
	if err != nil {
		t.Fatal(err)
	}
	for _, term := range catalog.GetTerms() {
		words["term"] = append(words["term"], term.GetName())
	}
	for _, f := range catalog.GetFaults() {
		words["domain"] = append(words["domain"], f.GetDomain())
		words["remedy"] = append(words["remedy"], f.GetRemedies()...)
	}
	for lang, s := range newSpeeches() {
		for kind, list := range words {
			for _, word := range list {
				id := "word." + kind + "." + word
				if s.say(id) == id {
					t.Errorf("%s.yaml: %s is missing", lang, id)
				}
			}
		}
	}
}

func TestEveryFactHasALabel(t *testing.T) {
	seen := map[protoreflect.FullName]bool{}
	var visit func(protoreflect.MessageDescriptor)
	visit = func(m protoreflect.MessageDescriptor) {
		if seen[m.FullName()] {
			return
		}
		seen[m.FullName()] = true
		for i := range m.Fields().Len() {
			field := m.Fields().Get(i)
			for _, lang := range languages {
				if labels[lang][string(field.Name())] == "" {
					t.Errorf("locales/facts.tsv: no label in %s for %s: add a line", lang, field.FullName())
				}
			}
			if isFacts(field) {
				visit(field.Message())
			}
		}
	}
	groups := (&constatv1.Snapshot{}).ProtoReflect().Descriptor().Fields()
	for i := range groups.Len() {
		if groups.Get(i).Name() != "manifest" {
			visit(groups.Get(i).Message())
		}
	}
}

func TestLabelsAreWellFormed(t *testing.T) {
	content, err := fs.ReadFile(locales, "locales/facts.tsv")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for i, line := range strings.Split(strings.TrimSuffix(string(content), "\n"), "\n") {
		if strings.HasPrefix(line, "#") {
			continue
		}
		columns := strings.Split(line, "\t")
		if len(columns) != 3 || slices.Contains(columns, "") {
			t.Errorf("facts.tsv:%d: want a field's name, English and French, with tabs between, got %q", i+1, line)
		}
		names = append(names, columns[0])
	}
	if !slices.IsSorted(names) {
		t.Error("facts.tsv: the lines are not sorted by name")
	}
	if len(slices.Compact(slices.Clone(names))) != len(names) {
		t.Error("facts.tsv: a name stands there twice")
	}
}

func TestPickLanguage(t *testing.T) {
	for _, test := range []struct{ chosen, account, header, want string }{
		{"", "", "", "en"},
		{"", "", "fr-CH, fr;q=0.9, en;q=0.8", "fr"},
		{"", "", "de, ja;q=0.5", "en"},
		{"", "fr-FR", "en", "fr"},
		{"en", "fr", "fr", "en"},
		{"xx", "", "fr", "fr"},
		{"", "", strings.Repeat("a-", 5000), "en"},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Accept-Language", test.header)
		if got := pickLanguage(test.chosen, test.account, r); got != test.want {
			t.Errorf("pickLanguage(%q, %q, %.20q) = %q, want %q", test.chosen, test.account, test.header, got, test.want)
		}
	}
}
