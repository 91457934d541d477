package install

import (
	"encoding/xml"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestPolicyTemplates reads the templates of group policies as Windows' editor
// does: what one part refers to is there in another one, once, in each language.
func TestPolicyTemplates(t *testing.T) {
	dir := filepath.Join("..", "..", "..", "installers", "windows", "policy")
	type named struct {
		Name string `xml:"name,attr"`
		Ref  string `xml:"ref,attr"`
		ID   string `xml:"id,attr"`
		Text string `xml:",chardata"`
	}
	var template struct {
		Target struct {
			Prefix    string `xml:"prefix,attr"`
			Namespace string `xml:"namespace,attr"`
		} `xml:"policyNamespaces>target"`
		Using []struct {
			Prefix string `xml:"prefix,attr"`
		} `xml:"policyNamespaces>using"`
		Categories []struct {
			named
			Parent *named `xml:"parentCategory"`
		} `xml:"categories>category"`
		Policies []struct {
			named
			Class        string `xml:"class,attr"`
			Key          string `xml:"key,attr"`
			Presentation string `xml:"presentation,attr"`
			Parent       named  `xml:"parentCategory"`
			Supported    named  `xml:"supportedOn"`
			Elements     struct {
				All []struct {
					XMLName   xml.Name
					ID        string `xml:"id,attr"`
					ValueName string `xml:"valueName,attr"`
				} `xml:",any"`
			} `xml:"elements"`
		} `xml:"policies>policy"`
	}
	read := func(name string, into any) string {
		t.Helper()
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err == nil {
			err = xml.Unmarshal(text, into)
		}
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		return string(text)
	}
	admx := read("constat.admx", &template)
	// once has each name in one place only, and none empty.
	once := func(what string, names []string) {
		t.Helper()
		for i, name := range names {
			if name == "" || slices.Contains(names[:i], name) {
				t.Errorf("%s: %q is there twice, or empty", what, name)
			}
		}
	}

	var prefixes, categories, policies, values []string
	for _, u := range template.Using {
		prefixes = append(prefixes, u.Prefix)
	}
	once("namespaces", append([]string{template.Target.Prefix}, prefixes...))
	for _, c := range template.Categories {
		categories = append(categories, c.Name)
	}
	once("categories", categories)
	resolves := func(what, ref string, own []string) {
		t.Helper()
		prefix, name, other := strings.Cut(ref, ":")
		if other && (!slices.Contains(prefixes, prefix) || name == "") || !other && !slices.Contains(own, ref) {
			t.Errorf("%s refers to %q, which is nowhere", what, ref)
		}
	}
	for _, c := range template.Categories {
		if c.Parent != nil {
			resolves("the category "+c.Name, c.Parent.Ref, categories)
		}
	}
	elements := map[string][]string{}
	for _, p := range template.Policies {
		policies = append(policies, p.Name)
		resolves("the policy "+p.Name, p.Parent.Ref, categories)
		resolves("the policy "+p.Name, p.Supported.Ref, nil)
		if p.Class != "Machine" || !strings.HasPrefix(p.Key, `Software\Policies\`) || len(p.Elements.All) == 0 {
			t.Errorf("the policy %s is for %s, in %s, with %d elements", p.Name, p.Class, p.Key, len(p.Elements.All))
		}
		for _, e := range p.Elements.All {
			elements[p.Presentation] = append(elements[p.Presentation], e.ID)
			values = append(values, p.Key+`\`+e.ValueName)
		}
		once("elements of "+p.Name, elements[p.Presentation])
	}
	once("policies", policies)
	once("values", values)

	languages, err := filepath.Glob(filepath.Join(dir, "*", "constat.adml"))
	if err != nil || len(languages) != 2 {
		t.Fatalf("templates in the languages %q, %v", languages, err)
	}
	for _, file := range languages {
		language := filepath.Base(filepath.Dir(file))
		var texts struct {
			Strings       []named `xml:"resources>stringTable>string"`
			Presentations []struct {
				named
				Boxes []struct {
					Ref   string `xml:"refId,attr"`
					Label string `xml:"label"`
				} `xml:",any"`
			} `xml:"resources>presentationTable>presentation"`
		}
		read(language+"/constat.adml", &texts)
		var there []string
		for _, s := range texts.Strings {
			there = append(there, "$(string."+s.ID+")")
			if strings.TrimSpace(s.Text) == "" {
				t.Errorf("%s: the text %s is empty", language, s.ID)
			}
		}
		for _, p := range texts.Presentations {
			reference := "$(presentation." + p.ID + ")"
			there = append(there, reference)
			var shown []string
			for _, box := range p.Boxes {
				shown = append(shown, box.Ref)
				if strings.TrimSpace(box.Label) == "" {
					t.Errorf("%s: %s has no label for %s", language, p.ID, box.Ref)
				}
			}
			if slices.Sort(shown); !slices.Equal(shown, slices.Sorted(slices.Values(elements[reference]))) {
				t.Errorf("%s: %s shows %q, and the policy has %q", language, p.ID, shown, elements[reference])
			}
		}
		once(language, there)
		var asked []string
		for part := range strings.SplitSeq(admx, `"`) {
			if strings.HasPrefix(part, "$(") {
				asked = append(asked, part)
			}
		}
		for _, a := range asked {
			if !slices.Contains(there, a) {
				t.Errorf("%s has no %s", language, a)
			}
		}
		for _, a := range there {
			if !slices.Contains(asked, a) {
				t.Errorf("%s: nobody asks for %s", language, a)
			}
		}
	}
}
