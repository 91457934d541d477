package privileged

import (
	"os"
	"path/filepath"
	"testing"
)

func TestSnapCandidates(t *testing.T) {
	file := filepath.Join(t.TempDir(), "state.json")
	state := `{"data":{"auth":{"macaroon":"secret"},"refresh-candidates":{"firefox":{"channel":"latest/stable","version":"129.0-1","side-info":{"name":"firefox","revision":"4300"}}},"snaps":{}},"changes":{}}`
	if err := os.WriteFile(file, []byte(state), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := candidatesIn(file)
	if want := `{"firefox":{"Version":"129.0-1"}}`; err != nil || string(got) != want {
		t.Errorf("%s, %v; want %s", got, err, want)
	}
	for _, state := range []string{"", "[]", `{"data":{"refresh-candidates":[1]}}`} {
		if err := os.WriteFile(file, []byte(state), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := candidatesIn(file); err == nil {
			t.Errorf("%q: %s", state, got)
		}
	}
}
