package wine

import (
	"encoding/xml"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"constat/internal/identity"
)

// TestPolicies: what an administrator sets by the templates, the agent follows;
// and each text of a template is there in both languages.
func TestPolicies(t *testing.T) {
	dir := filepath.Join("..", "..", "..", "installers", "windows", "policy")
	var template struct {
		Policies []struct {
			Key      string `xml:"key,attr"`
			Elements struct {
				Text []struct {
					ID        string `xml:"id,attr"`
					ValueName string `xml:"valueName,attr"`
				} `xml:"text"`
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
	for _, language := range []string{"en-US", "fr-FR"} {
		var texts struct {
			Strings []struct {
				ID   string `xml:"id,attr"`
				Text string `xml:",chardata"`
			} `xml:"resources>stringTable>string"`
			Presentations []struct {
				ID string `xml:"id,attr"`
			} `xml:"resources>presentationTable>presentation"`
		}
		read(language+"/constat.adml", &texts)
		var there []string
		for _, s := range texts.Strings {
			there = append(there, "$(string."+s.ID+")")
			if s.Text == "" || !strings.Contains(admx, "$(string."+s.ID+")") {
				t.Errorf("%s: nobody asks for %s, or it is empty", language, s.ID)
			}
		}
		for _, p := range texts.Presentations {
			there = append(there, "$(presentation."+p.ID+")")
		}
		for part := range strings.SplitSeq(admx, `"`) {
			if strings.HasPrefix(part, "$(") && !slices.Contains(there, part) {
				t.Errorf("%s has no %s", language, part)
			}
		}
	}

	w := Start(t)
	install(w)
	token, err := identity.NewToken([32]byte{1})
	if err != nil {
		t.Fatal(err)
	}
	w.Write(`C:\lab\token.txt`, []byte(token.Text()))
	said := func() string {
		t.Helper()
		r := w.Try(agent, "enroll", "--data", `C:\lab\data`)
		if r.Code == 0 {
			t.Fatalf("enrolled: %s", r.Stdout)
		}
		return r.Stderr
	}
	if got := said(); !strings.Contains(got, "which collector?") {
		t.Errorf("without a policy: %s", got)
	}
	values := map[string]string{"Collector": "127.0.0.1:1", "TokenFile": `C:\\lab\\token.txt`, "Proxy": "direct"}
	var fixture strings.Builder
	for _, p := range template.Policies {
		for _, text := range p.Elements.Text {
			fixture.WriteString("[HKEY_LOCAL_MACHINE\\" + p.Key + "]\n\"" + text.ValueName + "\"=\"" + values[text.ValueName] + "\"\n\n")
		}
	}
	w.Registry("Windows Registry Editor Version 5.00\n\n" + fixture.String())
	if got := said(); !strings.Contains(got, "127.0.0.1:1") {
		t.Errorf("with one: %s", got)
	}
}
