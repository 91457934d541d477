package wine

import (
	"path"
	"testing"
)

// TestPackages runs the tests of what only Windows has: the pipe between the
// service and this computer's users, the service's two halves and the link
// between them, the sealed key, whose a connection to the page is, a call of COM that
// hangs.
func TestPackages(t *testing.T) {
	w := shared(t)
	for pkg, only := range map[string]string{
		"constat/agent/host":       "ServiceThatHangs",
		"constat/agent/local":      ".",
		"constat/agent/privileged": "Worker|Restricted|Verbs",
		"constat/agent/page":       "OwnConnection|OwningProcess",
		"constat/agent/uplink":     "SealedKey",
		"constat/agent":            "Managed",
	} {
		t.Run(path.Base(pkg), func(t *testing.T) {
			w := &Windows{w.session, t}
			file := `C:\tests\` + path.Base(pkg) + `.exe`
			w.Copy(testsOf(t, pkg), file)
			t.Log(w.Run(file, "-test.v", "-test.timeout=5m", "-test.run="+only))
		})
	}
}
