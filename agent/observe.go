package main

import (
	"context"
	"crypto/x509"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/types/known/timestamppb"

	"constat/agent/history"
	"constat/agent/host"
	"constat/agent/privileged"
	"constat/internal/command"
	"constat/internal/diagnosis"
	"constat/internal/fault"
	"constat/internal/version"
	constatv1 "constat/proto/constat/v1"
)

// observer is what a command needs to look at this machine and to judge what
// it saw, after the rights were cut.
type observer struct {
	config host.Config
	// catalog is nil where nothing is to be judged, and in the service, which
	// reads it for each diagnosis.
	catalog *fault.Catalog
	helper  *privileged.Client
	memory  *history.Memory
	// dir is the data directory by the name to use after the cut.
	dir string
}

// newObserver gives up the rights of root, where the process has them, before
// anything is read that comes from outside. dir may be empty. What only some
// groups need is made ready only where they are wanted.
func newObserver(ctx context.Context, s *settings, dir string, wanted []string) (*observer, error) {
	if slices.Contains(wanted, "probes") {
		// Read before the cut: SSL_CERT_FILE may name a file that only root reads.
		if _, err := x509.SystemCertPool(); err != nil {
			return nil, fmt.Errorf("reading the system's certificates: %w", err)
		}
	}
	// What looks once ends before it has used much; the service sets its own.
	debug.SetGCPercent(400)
	o := &observer{dir: dir, memory: &history.Memory{}}
	o.config = host.Config{
		Root:         os.Getenv("CONSTAT_ROOT"),
		Probes:       s.Probes.policy(),
		AgentVersion: version.Version,
	}
	if o.config.Root != "" {
		// Fixtures, not this machine: no right of ours is used on them.
		return o, nil
	}
	// Read before the cut: the directory may be the service's alone.
	o.config.Announced = host.OpenAnnouncements(s.Data)
	o.memory = history.Recall(s.Data, time.Now())
	if dir == "" {
		o.config.Packages = host.OpenPackages(cacheDir())
	}
	need := privileged.Nothing
	switch {
	case !host.NeedsRights(wanted):
	case dir != "", slices.Contains(wanted, "probes"):
		need = privileged.Anything
	default:
		need = privileged.OneLook
	}
	var err error
	if o.helper, o.dir, err = privileged.Split(ctx, dir, need); err != nil {
		return nil, err
	}
	o.config.Privileged = o.helper.Do
	if dir != "" {
		o.config.Packages = host.OpenPackages(o.dir)
	}
	return o, nil
}

// newJudge is an observer of all groups that can also judge what it saw.
func newJudge(ctx context.Context, s *settings, dir string) (*observer, error) {
	catalog, err := openCatalog((&observer{dir: s.Data}).team())
	if err != nil {
		return nil, err
	}
	o, err := newObserver(ctx, s, dir, groups())
	if err != nil {
		return nil, err
	}
	o.catalog = catalog
	return o, nil
}

// cacheVariable names another cache directory.
const cacheVariable = "CONSTAT_CACHE"

// cacheDir is where a command without a data directory of its own keeps what it
// need not find out twice: the system's place for root, whose home the process
// can't enter any more after the cut, and the user's for others.
func cacheDir() string {
	const name = "constat-agent"
	if dir := os.Getenv(cacheVariable); dir != "" {
		return dir
	}
	if os.Geteuid() == 0 {
		return "/var/cache/" + name
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	return filepath.Join(dir, name)
}

func (o *observer) close() {
	if o.helper != nil {
		_ = o.helper.Close()
	}
	o.config.Packages.Close()
}

// observe looks at the machine, and adds what is remembered of it. A group that
// is named twice is told once.
func (o *observer) observe(ctx context.Context, c host.Config, groups []string) *constatv1.Snapshot {
	groups = slices.Compact(slices.Sorted(slices.Values(groups)))
	remembered := func(group string) bool { return slices.Contains(history.Groups(), group) }
	if slices.Contains(groups, "printing") {
		c.Printers = o.memory.Printers()
	}
	s := host.Observe(ctx, c, slices.DeleteFunc(slices.Clone(groups), remembered))
	o.memory.Complete(s, groups, time.Now())
	return s
}

// groups are the names of all that can be observed on this system.
func groups() []string {
	return slices.Sorted(slices.Values(append(host.Groups(), history.Groups()...)))
}

// diagnose runs a procedure: observe, then judge. Progress may be nil.
func (o *observer) diagnose(ctx context.Context, p *diagnosis.Procedure, language, trigger string, progress func(*constatv1.Progress)) (*constatv1.Diagnosis, *constatv1.Snapshot) {
	start := time.Now()
	c := o.config
	c.Verify = p.ID == "software"
	catalog := o.catalog
	if catalog == nil {
		var err error
		if catalog, err = openCatalog(o.team()); err != nil {
			panic(err) // it could be read when the agent started
		}
	}
	if progress != nil {
		found := ""
		c.Progress = func(s *constatv1.Snapshot, group, status string, done, total int) {
			if found == "" && trigger == "user" {
				found = certain(catalog, diagnosis.Judge(catalog, p, s, time.Now(), language), language)
			}
			progress(&constatv1.Progress{Phase: "observing", Group: group, Status: status, Done: int32(done), Total: int32(total), Found: found})
		}
	}
	s := o.observe(ctx, c, append(history.Groups(), p.Groups...))
	if progress != nil {
		progress(&constatv1.Progress{Phase: "judging"})
	}
	d := diagnosis.Judge(catalog, p, s, time.Now(), language)
	d.Id = uuid.Must(uuid.NewV7()).String()
	d.EndpointId = c.EndpointID
	d.Trigger = trigger
	d.StartedAt = timestamppb.New(start)
	d.ElapsedMs = int32(time.Since(start).Milliseconds())
	return d, s
}

// certain is what a diagnosis is sure of, in the catalog's words; "" where it is not.
func certain(catalog *fault.Catalog, d *constatv1.Diagnosis, language string) string {
	for _, cause := range d.GetRootCauses() {
		if f := catalog.Lookup(cause.GetFault()); f != nil && cause.GetCertainty() == "confirmed" {
			return f.Explanation.In(language)
		}
	}
	return ""
}

// showProgress writes one changing line to a terminal, and nothing elsewhere.
func showProgress(w io.Writer, language string) (show func(*constatv1.Progress), end func()) {
	if !command.Terminal(w) {
		return nil, func() {}
	}
	words := map[string]string{"observing": "Looking", "judging": "Thinking"}
	if language == "fr" {
		words = map[string]string{"observing": "Observation", "judging": "Analyse"}
	}
	return func(p *constatv1.Progress) {
		line := words[p.Phase] + "…"
		if p.Total > 0 {
			line = fmt.Sprintf("%s %d/%d  %s", words[p.Phase], p.Done, p.Total, p.Group)
		}
		fmt.Fprintf(w, "\r\x1b[K%s", line)
	}, func() { fmt.Fprint(w, "\r\x1b[K") }
}
