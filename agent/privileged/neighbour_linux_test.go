package privileged

import (
	"errors"
	"io/fs"
	"testing"
)

func TestConfirmNeighbourTakesOnlyNeighbours(t *testing.T) {
	for _, argument := range []string{"", "lo", "lo ", "lo not-an-address", " 192.0.2.1", "lo 192.0.2.1 eth0", "no-such-link 192.0.2.1"} {
		if _, err := confirmNeighbour(t.Context(), argument); err == nil {
			t.Errorf("%q was accepted", argument)
		}
	}
	if _, err := confirmNeighbour(t.Context(), "lo 192.0.2.1"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("an address that is nobody's neighbour: %v", err)
	}
}
