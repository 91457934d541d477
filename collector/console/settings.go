package console

import "net/http"

// setting is a page, or a place outside the console, where something is set. Its
// texts are settings.ID and settings.ID.text.
type setting struct {
	ID string
	// Href is empty where it is set elsewhere: the text says where.
	Href string
	// Role that the page is for; empty: for all of the team.
	Role string
}

// settings are all there are, by whom they are about.
var settings = []struct {
	ID       string
	Settings []setting
}{
	{"mine", []setting{{"notices", "/notices/rule", ""}, {"views", "/tickets", ""}, {"password", "/password", ""}}},
	{"team", []setting{
		{"team", "/team", ""}, {"service", "/service", ""}, {"answers", "/answers", ""}, {"forms", "/forms", ""}, {"maintenance", "/maintenance", ""},
	}},
	{"knowledge", []setting{{"articles", "/articles", ""}, {"procedures", "/procedures", ""}, {"faults", "/faults", ""}}},
	{"house", []setting{
		{"delivery", "/delivery", "administrator"}, {"sites", "/endpoints", ""}, {"accounts", "/accounts", "administrator"},
		{"agents", "", "administrator"}, {"gear", "/gear", ""}, {"style", "/style", ""},
	}},
}

// settings shows where everything is set, in one sentence each.
func (c *console) settings(w http.ResponseWriter, v *visit) error {
	return c.render(w, v, http.StatusOK, "settings", "settings", settings)
}
