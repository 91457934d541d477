package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"

	"constat/internal/snapshot"
	constatv1 "constat/proto/constat/v1"
)

// fakeSources are readers that behave badly, and one that does not.
func fakeSources(hang <-chan struct{}) []source {
	return []source{
		{"host", time.Minute, func(context.Context, *reader) (proto.Message, *constatv1.Observation) {
			return &constatv1.Host{Hostname: proto.String("pc\x1b[31m\xff1 ")}, observed("test")
		}},
		{"usb", time.Millisecond, func(context.Context, *reader) (proto.Message, *constatv1.Observation) {
			<-hang // a kernel call does not look at the context
			return &constatv1.Usb{}, observed("test")
		}},
		{"clock", time.Minute, func(context.Context, *reader) (proto.Message, *constatv1.Observation) {
			var none []int
			return &constatv1.Clock{}, observed(fmt.Sprint(none[3]))
		}},
		{"space", time.Minute, func(context.Context, *reader) (proto.Message, *constatv1.Observation) {
			return &constatv1.Space{}, failed("test", &fs.PathError{Op: "open", Path: "/x", Err: fs.ErrPermission})
		}},
		{"load", time.Minute, func(context.Context, *reader) (proto.Message, *constatv1.Observation) {
			return &constatv1.Host{}, observed("another group's message")
		}},
	}
}

func TestOneBadSourceCostsItsGroupOnly(t *testing.T) {
	hang := make(chan struct{})
	defer close(hang)
	var told []string
	s := observe(t.Context(), Config{AgentVersion: "1", EndpointID: "e", Progress: func(_ *constatv1.Snapshot, group, status string, done, total int) {
		told = append(told, fmt.Sprintf("%s %d/%d", group, done, total))
	}}, []string{"usb", "host", "clock", "space", "load", "power", "telepathy", "host"}, fakeSources(hang))

	want := map[string][2]string{ // status and part of the reason
		"clock":     {"failed", "observe_test.go:"},
		"host":      {"observed", ""},
		"load":      {"failed", "holds constat.v1.Load"},
		"power":     {"unsupported", "not read on " + runtime.GOOS},
		"space":     {"denied", "permission"},
		"telepathy": {"failed", "no fact group"},
		"usb":       {"failed", "timed out after 1ms"},
	}
	var names []string
	for _, entry := range s.Manifest.Groups {
		names = append(names, entry.Group)
		o := entry.Observation
		if w := want[entry.Group]; o.Status != w[0] || !strings.Contains(o.Reason, w[1]) || o.At == nil {
			t.Errorf("%s: %v; want %v", entry.Group, o, w)
		}
		if there := snapshot.Group(s, entry.Group) != nil; there != (o.Status == "observed") || there != (entry.PayloadHash != nil) {
			t.Errorf("%s is %s, there %v, hash %x", entry.Group, o.Status, there, entry.PayloadHash)
		}
	}
	if len(names) != len(want) || !slices.IsSorted(names) {
		t.Errorf("groups %v, want each once, sorted", names)
	}
	if got := s.Host.GetHostname(); got != "pc[31m1" {
		t.Errorf("hostname %q is not fit for a terminal", got)
	}
	if len(told) != len(want) || !strings.HasSuffix(told[len(told)-1], "7/7") {
		t.Errorf("progress %v", told)
	}
	if s.Manifest.AgentVersion != "1" || s.Manifest.EndpointId != "e" || len(s.Manifest.Id) != 36 {
		t.Errorf("manifest %v", s.Manifest)
	}
}

func TestObserveEndsWithItsContext(t *testing.T) {
	hang := make(chan struct{})
	defer close(hang)
	table := fakeSources(hang)
	table[1].limit = time.Hour
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s := observe(ctx, Config{}, []string{"usb"}, table)
	if o := s.Manifest.Groups[0].Observation; o.Status != "failed" || !strings.Contains(o.Reason, "given up") {
		t.Errorf("observation %v", o)
	}
}

func TestGroupsAreOnesOfTheSchema(t *testing.T) {
	for _, name := range Groups() {
		if !slices.Contains(snapshot.Names(), name) {
			t.Errorf("%q is no group of the schema", name)
		}
	}
	if len(Groups()) != len(slices.Compact(Groups())) {
		t.Errorf("a group has two readers: %v", Groups())
	}
}

func TestStatusOf(t *testing.T) {
	for _, test := range []struct {
		err  error
		want string
	}{
		{fmt.Errorf("a: %w", syscall.EACCES), "denied"},
		{syscall.EPERM, "denied"},
		{fmt.Errorf("a: %w", syscall.ENOENT), "unsupported"},
		{errors.ErrUnsupported, "unsupported"},
		{context.DeadlineExceeded, "failed"},
		{syscall.EIO, "failed"},
	} {
		if got := statusOf(test.err); got != test.want {
			t.Errorf("%v is %s, want %s", test.err, got, test.want)
		}
	}
}

func TestFileIsBounded(t *testing.T) {
	root := t.TempDir()
	f, err := os.Create(filepath.Join(root, "huge"))
	if err == nil {
		err = f.Truncate(maxFile + 1)
	}
	if err != nil {
		t.Fatal(err)
	}
	_ = f.Close()
	if _, err := (&reader{Config: Config{Root: root}}).file("/huge"); err == nil || !strings.Contains(err.Error(), "larger than") {
		t.Errorf("a file of %d bytes was read: %v", maxFile+1, err)
	}
}

// TestThisMachine reads what the machine that runs the test has; what cannot be
// read must say why.
func TestThisMachine(t *testing.T) {
	groups := slices.DeleteFunc(Groups(), func(name string) bool { return name == "probes" }) // nothing is sent from a unit test
	s := Observe(t.Context(), Config{}, groups)
	for _, entry := range s.Manifest.Groups {
		if o := entry.Observation; o.Status != "observed" && o.Reason == "" {
			t.Errorf("%s is %s and does not say why", entry.Group, o.Status)
		}
		for _, g := range entry.Observation.Gaps {
			if g.Status == "" || g.Reason == "" || g.Fact == "" {
				t.Errorf("%s: a gap that does not say what or why: %v", entry.Group, g)
			}
		}
	}
	if s.Host.GetOsFamily() != runtime.GOOS || s.Load.GetMemory().GetTotalBytes() <= 0 || len(s.Space.GetFilesystems()) == 0 {
		t.Errorf("host %v, memory %v, space %v", s.Host, s.Load.GetMemory(), s.Space)
	}
	back, err := snapshot.Assemble(s.Manifest, snapshot.Payloads(s))
	if err != nil || !proto.Equal(back, s) {
		t.Errorf("the snapshot does not come back whole: %v", err)
	}
	if text := prototext.Format(s); strings.Contains(text, os.Args[0]) {
		t.Error("a command line was read")
	}
}
