//go:build unix

package local

import (
	"os"
	"testing"
)

func TestALeftSocketIsReplaced(t *testing.T) {
	left := Socket(t.TempDir())
	if err := os.WriteFile(left, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := Listen(left)
	if err != nil {
		t.Fatalf("a left socket stopped a new agent: %v", err)
	}
	l.Close()
}
