package wine

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Go tells Windows of each UDP socket to keep quiet about networks that can't be
// reached (SIO_UDP_NETRESET, go.dev/issue/68614), and gives up a socket whose
// system does not know the request. Wine 10 does not: programs are built for it
// with that one error passed over.
const (
	udpRequest = "windows.SIO_UDP_NETRESET, (*byte)(unsafe.Pointer(&flag)), size, nil, 0, &ret, nil, 0)\n\t\tif err != nil {"
	udpPassed  = "windows.SIO_UDP_NETRESET, (*byte)(unsafe.Pointer(&flag)), size, nil, 0, &ret, nil, 0)\n\t\tif err != nil && err != syscall.Errno(10045) {"
)

// overlay writes the changed file of Go's library, and the list that the
// compiler wants, and returns the latter's name.
func overlay() (string, error) {
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return "", fmt.Errorf("go env GOROOT: %w", err)
	}
	original := filepath.Join(strings.TrimSpace(string(root)), "src/net/fd_windows.go")
	text, err := os.ReadFile(original)
	if err != nil {
		return "", err
	}
	if !strings.Contains(string(text), udpRequest) {
		return "", fmt.Errorf("%s is another than expected: look whether Wine still needs it changed", original)
	}
	changed := filepath.Join(scratch, "fd_windows.go")
	list, err := json.Marshal(map[string]any{"Replace": map[string]string{original: changed}})
	if err != nil {
		return "", err
	}
	name := filepath.Join(scratch, "overlay.json")
	if err := os.WriteFile(changed, []byte(strings.Replace(string(text), udpRequest, udpPassed, 1)), 0o644); err != nil {
		return "", err
	}
	return name, os.WriteFile(name, list, 0o644)
}
