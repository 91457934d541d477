package console

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// A title that the desk made is in the reader's language also where the timeline tells
// of a link, and the page says why the urgency is what it is.
func TestTimelineNamesTicketsInTheReadersLanguage(t *testing.T) {
	b := newBench(t)
	_, one := b.machineAsks("port-090", "Yann Le Goff", "L'imprimante ne sort rien.", "printing", printerDiagnosis)
	_, other := b.machineAsks("port-091", "Claire Martin", "Impossible de travailler, rien ne sort.", "printing", printerDiagnosis)
	marc := b.as("marc")
	page := fmt.Sprintf("/tickets/%d", one)
	marc.wants(marc.post(page+"/link", "kind", "related", "other", fmt.Sprint(other)), http.StatusOK)
	timeline := func(language string) string {
		p := marc.wants(marc.get(page, "Cookie", "constat-language="+language), http.StatusOK)
		for _, line := range strings.Split(p.body, "\n") {
			if strings.Contains(line, `class="entry line"`) && strings.Contains(line, fmt.Sprintf("#%d ", other)) {
				return line
			}
		}
		t.Fatalf("in %s the timeline tells of no link", language)
		return ""
	}
	for language, title := range map[string]string{"en": "is paused", "fr": "en pause"} {
		if line := timeline(language); !strings.Contains(line, title) {
			t.Errorf("in %s: %s", language, line)
		}
	}
	marc.wants(marc.get(fmt.Sprintf("/tickets/%d", other)), http.StatusOK, "raised for “impossible de travailler”")
}
