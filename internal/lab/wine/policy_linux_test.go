package wine

import (
	"encoding/xml"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"constat/internal/identity"
)

// TestPolicies: what an administrator sets by the templates, the agent follows.
func TestPolicies(t *testing.T) {
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
	text, err := os.ReadFile(filepath.Join("..", "..", "..", "installers", "windows", "policy", "constat.admx"))
	if err == nil {
		err = xml.Unmarshal(text, &template)
	}
	if err != nil {
		t.Fatal(err)
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
