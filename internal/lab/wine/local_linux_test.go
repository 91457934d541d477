package wine

import "testing"

// TestLocalLink: the tests of the link between the service and this computer's
// users, over named pipes.
func TestLocalLink(t *testing.T) {
	w := shared(t)
	w.Copy(testsOf(t, "constat/agent/local"), `C:\local.exe`)
	t.Log(w.Run(`C:\local.exe`, "-test.v", "-test.timeout=60s"))
}
