package visitor

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"constat/agent/page"
	"constat/internal/fault"
	"constat/internal/lab/chrome"
)

// Visitor is one of them.
type Visitor struct {
	*chrome.Tab
	catalog *fault.Catalog
	pages   map[string]*page.Page // by their language
	// Again is how often Finds may look once more, at a machine that may be too slow to
	// be read in time.
	Again int
}

// At is a visitor at the agent that listens on a socket.
func At(t *testing.T, socket string) *Visitor {
	t.Helper()
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
	t.Setenv("XDG_STATE_HOME", t.TempDir())
	catalog, err := fault.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	v := &Visitor{Tab: chrome.Start(t), catalog: catalog, pages: map[string]*page.Page{}}
	for _, language := range []string{"en", "fr"} {
		if v.pages[language], err = page.Serve(t.Context(), socket, language); err != nil {
			t.Fatal(err)
		}
	}
	return v
}

// During has what goes wrong be a test's, until the function it returns is called.
func (v *Visitor) During(t testing.TB) (end func()) {
	outer := v.TB
	v.TB = t
	return func() { v.TB = outer }
}

// Goes opens a view in a language; "" is the start.
func (v *Visitor) Goes(view, language string) {
	v.Helper()
	file, err := v.pages[language].Way(view)
	if err != nil {
		v.Fatal(err)
	}
	v.Enter(file)
}

// Asks complains of something, and waits for the answer.
func (v *Visitor) Asks(complaint, language string) {
	v.Helper()
	v.Goes(complaint, language)
	v.Until("document.querySelector('h2') && !document.querySelector('progress')")
}

// Found is the sentence that an answer begins with; "" where nothing was found.
func (v *Visitor) Found() string {
	v.Helper()
	return v.Eval("document.querySelector('.lead')?.textContent ?? ''")
}

// Finds complains of something, and wants the answer to begin with the catalog's words
// for a fault.
func (v *Visitor) Finds(complaint, language, id string) {
	v.Helper()
	want := v.catalog.Lookup(id).Explanation.In(language)
	v.Asks(complaint, language)
	for again := 0; again < v.Again && v.Found() != want; again++ {
		v.Asks(complaint, language)
	}
	if found := v.Found(); found != want {
		v.Fatalf("the page begins with %q, want %q; it says\n%s", found, want, v.Eval("document.body.innerText"))
	}
	if v.Walks(complaint, id) {
		v.Asks(complaint, language)
	}
}

// Walks keeps pictures of an answer, or of the start, in both languages, where pictures
// are wanted: it is a walk for somebody who looks at them.
func (v *Visitor) Walks(complaint, name string) bool {
	v.Helper()
	if os.Getenv("CONSTAT_SCREENSHOTS") == "" {
		return false
	}
	for _, language := range []string{"en", "fr"} {
		if complaint == "" {
			v.Goes("", language)
		} else {
			v.Asks(complaint, language)
		}
		for _, width := range []int{1280, 320} {
			v.Look(width, "light")
			v.Keep(fmt.Sprintf("%s-%s-%d", name, language, width))
		}
	}
	v.Look(1280, "light")
	return true
}

// Waits is how long a person looks at the page, from the click on the nth complaint
// until something matches a selector: the middle of five times.
func (v *Visitor) Waits(n int, until string) time.Duration {
	v.Helper()
	var all []time.Duration
	for range 5 {
		v.Goes("", "en")
		v.Until(fmt.Sprintf("document.querySelectorAll('.choices button').length > %d", n))
		ms, err := strconv.ParseFloat(v.Eval(fmt.Sprintf(`new Promise((there) => {
			const begun = performance.now();
			new MutationObserver((_, all) => {
				if (!document.querySelector(%q)) return;
				all.disconnect();
				there(performance.now() - begun);
			}).observe(document.body, { childList: true, subtree: true });
			document.querySelectorAll('.choices button')[%d].click();
		})`, until, n)), 64)
		if err != nil {
			v.Fatal(err)
		}
		all = append(all, time.Duration(ms*float64(time.Millisecond)))
	}
	slices.Sort(all)
	return all[len(all)/2]
}
