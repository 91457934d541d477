package host

import (
	"net/netip"
	"testing"
)

// Whoever refuses a connection is there.
func TestKnock(t *testing.T) {
	if !knock(t.Context(), netip.MustParseAddr("127.0.0.1")) {
		t.Error("this machine does not answer itself")
	}
}
