package page

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"sync"

	"constat/internal/durable"
)

const (
	// maxDraftBody bounds what is kept at once, and maxDrafts how many.
	maxDraftBody = 256 << 10
	maxDrafts    = 100
)

// drafts are what this user typed and did not send yet, in a file of theirs: so it
// outlives the tab, the browser and the tray, whose next page has another address.
type drafts struct {
	mu sync.Mutex
}

// stateDir is where this user's programs keep what they remember.
func stateDir() (string, error) {
	switch runtime.GOOS {
	case "windows":
		return os.UserCacheDir() // %LocalAppData%, where nothing is cleared
	case "darwin":
		return os.UserConfigDir()
	}
	// specifications.freedesktop.org/basedir-spec
	if dir := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return dir, nil
	}
	home, err := os.UserHomeDir()
	return filepath.Join(home, ".local", "state"), err
}

// edit takes up changes, of which empty ones remove, and gives all that is kept.
// Another session of the user may have written in between.
func (d *drafts) edit(changes map[string]string) (map[string]string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	dir, err := stateDir()
	if err != nil {
		return nil, err
	}
	file := filepath.Join(dir, "constat", "drafts.json")
	kept := map[string]string{}
	content, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(content, &kept)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if len(changes) == 0 {
		return kept, nil
	}
	maps.Copy(kept, changes)
	maps.DeleteFunc(kept, func(_, text string) bool { return text == "" })
	if len(kept) > maxDrafts {
		return nil, fmt.Errorf("more than %d drafts", maxDrafts)
	}
	if len(kept) == 0 {
		if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		return kept, nil
	}
	if content, err = json.Marshal(kept); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return nil, err
	}
	return kept, durable.Write(file, content, 0o600)
}

// keep takes changes of drafts, and answers with all of them.
func (p *Page) keep(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxDraftBody))
	if err != nil {
		refuse(w, http.StatusRequestEntityTooLarge, "tooLarge", errors.New("that is too much to keep"))
		return
	}
	changes := map[string]string{}
	if err := json.Unmarshal(body, &changes); err != nil {
		refuse(w, http.StatusBadRequest, "invalid", err)
		return
	}
	kept, err := p.drafts.edit(changes)
	if err != nil {
		refuse(w, http.StatusInsufficientStorage, "notKept", err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(kept) // the page may be gone
}
