package main

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"constat/collector/gear"
	"constat/internal/identity"
)

// Metrics are served to this machine, to others only with a token, and never by
// way of a proxy without one.
func TestMetricsAreGuarded(t *testing.T) {
	dir := t.TempDir()
	core, err := openCore(t.Context(), &settings{Data: dir, HTTP: "127.0.0.1:0", GRPC: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	defer core.close()
	key, err := identity.NewKeyFile(filepath.Join(dir, "other.key"))
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	watch := gear.NewWatch(core.store, key, core.catalog, log)
	srv := &server{core: core, log: log, settings: &settings{}}
	user, err := core.accounts.Create(t.Context(), "probe", "", "technician", "")
	if err != nil {
		t.Fatal(err)
	}
	token, err := core.accounts.NewToken(t.Context(), user.ID, "prometheus", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	handler := srv.metrics(watch)
	for name, c := range map[string]struct {
		from    string
		headers map[string]string
		want    int
	}{
		"this machine":             {"127.0.0.1:4711", nil, http.StatusOK},
		"this machine, IPv6":       {"[::1]:4711", nil, http.StatusOK},
		"another":                  {"192.0.2.7:4711", nil, http.StatusUnauthorized},
		"another with a token":     {"192.0.2.7:4711", map[string]string{"Authorization": "Bearer " + token}, http.StatusOK},
		"another with a wrong one": {"192.0.2.7:4711", map[string]string{"Authorization": "Bearer x" + token}, http.StatusUnauthorized},
		"a proxy on this machine":  {"127.0.0.1:4711", map[string]string{"X-Forwarded-For": "192.0.2.7"}, http.StatusUnauthorized},
		"nobody knows from where":  {"nonsense", nil, http.StatusUnauthorized},
	} {
		r := httptest.NewRequest("GET", "/metrics", nil)
		r.RemoteAddr = c.from
		for k, v := range c.headers {
			r.Header.Set(k, v)
		}
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		if w.Code != c.want || c.want == http.StatusOK != strings.Contains(w.Body.String(), "constat_gear_samples_total") {
			t.Errorf("%s: %d", name, w.Code)
		}
	}
}
