package fault_test

import (
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"constat/internal/fault"
	"constat/internal/fault/compile"
)

// twoViews is a fault that shows at the switch, and at the computer's socket.
const twoViews = `- id: cisco-one
  urgency: low
  title: {en: One, fr: Un}
  explanation: {en: One is wrong., fr: Un ne va pas.}
  advice:
    user: {en: Do it., fr: Faites-le.}
    technician: {en: Do it well., fr: Faites-le bien.}
  needs: [gear]
  rule: gear.interfaces.exists(p, p.admin_status == "down")
  views:
    - needs: [attachment, network]
      rule: attachment.port.admin_status == "down" && network.networking_enabled
  decisive: "true"
  evidence:
    - show: [gear.poll_result]
    - where: attachment.port.admin_status == "down"
      show: [attachment.evidence]
      component: attachment.evidence
  source: test
`

func TestViews(t *testing.T) {
	c, err := compile.Load(fstest.MapFS{"cisco.yaml": {Data: []byte(twoViews)}})
	if err != nil {
		t.Fatal(err)
	}
	f := c.Lookup("cisco-one")
	if want := []string{"gear", "attachment", "network"}; !slices.Equal(f.Needs, want) {
		t.Errorf("needs %v, want %v", f.Needs, want)
	}
	const (
		up   = `"interfaces": [{"name": "Gi1/0/5", "adminStatus": "up"}]`
		down = `"interfaces": [{"name": "Gi1/0/5", "adminStatus": "down"}]`
		shut = `"attachment": {"port": {"adminStatus": "down"}}, "network": {"networkingEnabled": true}`
		open = `"attachment": {"port": {"adminStatus": "up"}}, "network": {"networkingEnabled": true}`
	)
	for _, tt := range []struct {
		name, snapshot string
		want           fault.Truth
		missing        string
		unasked        bool
	}{
		{"an agent alone", `{"network": {"networkingEnabled": true}}`, fault.Unknown, "attachment gear", true},
		{"the switch alone", `{"gear": {` + down + `}}`, fault.True, "", false},
		{"the switch alone, in order", `{"gear": {` + up + `}}`, fault.False, "", false},
		{"the socket alone", `{` + shut + `}`, fault.True, "", false},
		{"the socket alone, in order", `{` + open + `}`, fault.False, "", false},
		{"either is enough", `{"gear": {` + up + `}, ` + shut + `}`, fault.True, "", false},
		{"both in order", `{"gear": {` + up + `}, ` + open + `}`, fault.False, "", false},
		{"asked, and no answer", `{"manifest": {"groups": [{"group": "gear", "observation": {"status": "failed"}}]}}`, fault.Unknown, "gear", false},
		{"one in order, the other without an answer", `{"manifest": {"groups": [{"group": "gear", "observation": {"status": "failed"}}]}, ` + open + `}`, fault.Unknown, "gear", false},
		{"the socket's port not read", `{"attachment": {}, "network": {"networkingEnabled": true}}`, fault.Unknown, "attachment.port", false},
	} {
		found := f.Judge(c.Facts(snapshot(t, tt.snapshot), time.Time{}))
		if found.Truth != tt.want || strings.Join(found.Missing, " ") != tt.missing || found.Unasked != tt.unasked {
			t.Errorf("%s: %v, missing %v, unasked %t; want %v, %q, %t",
				tt.name, found.Truth, found.Missing, found.Unasked, tt.want, tt.missing, tt.unasked)
		}
	}
}

// A line of evidence without a list is shown where its condition holds.
func TestEvidenceOnCondition(t *testing.T) {
	c, err := compile.Load(fstest.MapFS{"cisco.yaml": {Data: []byte(twoViews)}})
	if err != nil {
		t.Fatal(err)
	}
	const gear = `"gear": {"pollResult": "ok", "interfaces": [{"adminStatus": "down"}]}`
	for attachment, want := range map[string]string{
		`{"port": {"adminStatus": "down"}, "evidence": "lldp"}`: "gear.poll_result attachment.evidence",
		`{"port": {"adminStatus": "up"}, "evidence": "lldp"}`:   "gear.poll_result",
		`{"evidence": "lldp"}`:                                  "gear.poll_result",
	} {
		found := c.Lookup("cisco-one").Judge(c.Facts(snapshot(t, `{`+gear+`, "attachment": `+attachment+`}`), time.Time{}))
		var shown []string
		for _, e := range found.Evidence {
			shown = append(shown, e.Fact)
		}
		if strings.Join(shown, " ") != want || (found.Component == "lldp") != (len(shown) == 2) {
			t.Errorf("%s: %v about %q, want %s", attachment, shown, found.Component, want)
		}
	}
}

func TestViewsAreChecked(t *testing.T) {
	for broken, want := range map[string]string{
		"needs: [attachment, network]": "cisco.yaml:12:13: fault cisco-one: needs is [attachment], but the rule asks [attachment, network]",
		"attachment.port.admin_status": "cisco.yaml:12:",
		"rule: attachment":             "cisco.yaml:1:7: fault cisco-one: expected text for rule",
	} {
		replacement := map[string]string{
			"needs: [attachment, network]": "needs: [attachment]",
			"attachment.port.admin_status": "attachment.port.colour",
			"rule: attachment":             "# attachment",
		}[broken]
		_, err := compile.Load(fstest.MapFS{"cisco.yaml": {Data: []byte(strings.Replace(twoViews, broken, replacement, 1))}})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v; want %q", replacement, err, want)
		}
	}
}
