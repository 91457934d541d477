package main

import (
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"constat-agent": main})
}

// TestCommands runs the program as people and scripts do; a case is a file.
func TestCommands(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(e *testscript.Env) error {
			e.Setenv("LANG", "en_GB.UTF-8")
			// Rights are given up as root; the work folder must stay reachable.
			return os.Chmod(e.WorkDir, 0o755)
		},
	})
}
