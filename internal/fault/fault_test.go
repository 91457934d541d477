package fault_test

import (
	"testing"

	"constat/internal/fault"
)

func TestTexts(t *testing.T) {
	text := fault.Text{EN: "The disk {component|of the system} is full", FR: "Le disque {component|} est plein"}
	for _, tt := range []struct{ lang, component, want string }{
		{"en", "/home", "The disk /home is full"},
		{"en", "", "The disk of the system is full"},
		{"de", "", "The disk of the system is full"},
		{"fr", "", "Le disque est plein"},
		{"fr-CA", "/home", "Le disque /home est plein"},
	} {
		if got := text.About(tt.lang, tt.component); got != tt.want {
			t.Errorf("%s, %q: %q, want %q", tt.lang, tt.component, got, tt.want)
		}
	}
	of := fault.Text{EN: "The licence of {component|a program} is over", FR: "La licence de {component|un logiciel} est terminée"}
	for component, want := range map[string]string{
		"":       "La licence d’un logiciel est terminée",
		"Office": "La licence d’Office est terminée",
		"Word":   "La licence de Word est terminée",
		"Écran":  "La licence d’Écran est terminée",
	} {
		if got := of.About("fr", component); got != want {
			t.Errorf("%q: %q, want %q", component, got, want)
		}
	}
	quoted := fault.Text{EN: "Choose “balanced”; then wait", FR: "Choisissez « équilibré » ; puis attendez"}
	if got := quoted.In("fr"); got != "Choisissez «\u00a0équilibré\u00a0»\u00a0; puis attendez" {
		t.Errorf("French punctuation may break from its word: %q", got)
	}
	if got := quoted.In("en"); got != quoted.EN {
		t.Errorf("English became %q", got)
	}
}
