package page

import (
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"testing"

	"constat/internal/lab"
)

// Another user of this machine, with the right address, gets nothing.
func TestOtherUsersAreRefused(t *testing.T) {
	lab.Need(t, "root", os.Geteuid() == 0)
	curl, err := exec.LookPath("curl")
	lab.Need(t, "curl", err == nil)
	setpriv, err := exec.LookPath("setpriv")
	lab.Need(t, "setpriv", err == nil)
	p := open(t)
	out, err := exec.Command(setpriv, "--reuid", "65534", "--regid", "65534", "--clear-groups", curl, "-s", "-o", "/dev/null", "-w", "%{http_code}", "http://"+p.address+"/").CombinedOutput()
	if err != nil || string(out) != "403" {
		t.Errorf("another user got %s, %v", out, err)
	}
	answer, err := http.Get("http://" + p.address + "/")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if body, err := io.ReadAll(answer.Body); err != nil || answer.StatusCode != http.StatusOK {
		t.Errorf("we got %d %s, %v", answer.StatusCode, body, err)
	}
}

func FuzzOwner(f *testing.F) {
	from, to := netip.MustParseAddrPort("127.0.0.1:4660"), netip.MustParseAddrPort("127.0.0.1:22136")
	row := "   0: 0100007F:1234 0100007F:5678 01 00000000:00000000 00:00000000 00000000  1000        0 5 1 0 20 4 30 10 -1\n"
	f.Add([]byte("  sl  local_address rem_address   st\n" + row))
	f.Add([]byte(strings.Repeat(" ", 100)))
	f.Add([]byte("0: :1234 0100007F:5678 1 2 3 4 5 6"))
	f.Fuzz(func(t *testing.T, table []byte) {
		_, _ = owner(table, from, to)
	})
	if uid, err := owner([]byte(row), from, to); littleEndian && (uid != 1000 || err != nil) {
		f.Error(fmt.Sprint(uid, err))
	}
	if _, err := owner([]byte(row), to, from); err == nil {
		f.Error("the other direction is the same connection")
	}
}
