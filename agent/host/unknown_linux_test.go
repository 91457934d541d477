package host

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	constatv1 "constat/proto/constat/v1"
)

// offline are the groups that a folder can tell of, without a kernel or a
// network.
func offline(but ...string) []string {
	but = append(but, "counters", "network", "probes")
	return slices.DeleteFunc(Groups(), func(group string) bool { return slices.Contains(but, group) })
}

// said are the scalar facts of a snapshot, as "group.list.fact = value", and how
// often each is told. Times are left out.
func said(s *constatv1.Snapshot) map[string]int {
	facts := map[string]int{}
	var walk func(prefix string, m protoreflect.Message)
	walk = func(prefix string, m protoreflect.Message) {
		m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
			name := prefix + string(f.Name())
			switch {
			case f.Message() != nil && f.Message().FullName() == "google.protobuf.Timestamp":
			case f.IsList() && f.Message() != nil:
				for i := range v.List().Len() {
					walk(name+".", v.List().Get(i).Message())
				}
			case f.IsList():
				for i := range v.List().Len() {
					facts[fmt.Sprintf("%s = %v", name, v.List().Get(i))]++
				}
			case f.Message() != nil:
				walk(name+".", v.Message())
			default:
				facts[fmt.Sprintf("%s = %v", name, v)]++
			}
			return true
		})
	}
	s = proto.CloneOf(s)
	s.Manifest = nil
	walk("", s.ProtoReflect())
	return facts
}

// void tells whether a fact claims no, nothing or none.
func void(fact string) bool {
	_, value, _ := strings.Cut(fact, " = ")
	return slices.Contains([]string{"", "0", "false", "none", "absent", "stopped", "offline", "unknown", "other"}, value)
}

// TestNothingThereNothingSaid: of a machine of which nothing can be read, only
// what this program was built for is told, and each group says why.
func TestNothingThereNothingSaid(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	shut := tree(t, map[string]string{"etc/passwd": "root:x:0:0::/root:/bin/sh\n"})
	openWay(t, shut)
	if err := os.Chmod(shut, 0); err != nil {
		t.Fatal(err)
	}
	roots := map[string]string{"empty": t.TempDir(), "absent": filepath.Join(t.TempDir(), "none"), "a file": file, "shut": shut}
	for _, root := range roots {
		openWay(t, filepath.Dir(root))
	}
	asNobody(t)
	for name, root := range roots {
		s := Observe(t.Context(), Config{Root: root}, offline())
		for fact := range said(s) {
			if !strings.HasPrefix(fact, "host.os_family = ") && !strings.HasPrefix(fact, "host.architecture = ") {
				t.Errorf("%s: %s", name, fact)
			}
		}
		for _, g := range s.Manifest.Groups {
			switch o := g.Observation; {
			case o.Status != statusObserved && o.Reason == "", strings.Contains(o.Reason, "broke at"):
				t.Errorf("%s: %s: %v", name, g.Group, o)
			case name == "shut" && o.Status == statusUnsupported && strings.Contains(o.Reason, "no such file"):
				t.Errorf("%s: %s: %v", name, g.Group, o)
			}
		}
	}
}

// openWay lets everybody come as far as a test's folder.
func openWay(t *testing.T, root string) {
	t.Helper()
	for dir := root; strings.HasPrefix(dir, os.TempDir()+"/"); dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
}

// stillTrue are the facts that a lost file does make true, or that nothing could
// tell from true ones.
var stillTrue = []struct{ how, file, fact, reason string }{
	{"gone", "proc/300/stat", "clock.service_state = stopped", "a process without a file has ended"},
	{"gone", "etc/sssd/sssd.conf", "host.join_kind = none", "a machine without it is no member"},
	{"empty", "bConfigurationValue", "usb.devices.configured = false", "how the kernel says that none is set"},
	{"empty", "_Packages", "updates.security_pending = 0", "an archive without packages"},
	{"empty", "proc/bus/input/devices", "peripherals.devices.kind = other", "a machine without keys and buttons"},
	{"cut", "modules.alias", "usb.devices.interfaces.driver_available = false", "half a list is a shorter list"},
	{"cut", "proc/bus/input/devices", "peripherals.devices.kind = other", "half a list is a shorter list"},
	{"cut", "_Packages", "updates.security_pending = 0", "half a list is a shorter list"},
	{"cut", "modalias", "usb.devices.interfaces.driver_available = false", "half a name is another name"},
	{"cut", "chassis_type", "hardware.chassis = other", "10 becomes 1"},
	{"cut", "current_max", "power.chargers.watts = 0", "3000000 becomes 300"},
	{"cut", "voltage_max", "power.chargers.watts = 0", "20000000 becomes 2000"},
	{"cut", "var/log/apt/history.log", "updates.failures.code = other", "half a message is another message"},
}

// TestOneFileLost takes each file of the recorded machines in turn, and makes it
// be gone, empty, cut, strange or shut. Whatever that costs, no reader may say
// "none", "no" or 0 where it said something else, or nothing, of the machine as
// it was.
func TestOneFileLost(t *testing.T) {
	used := map[string]bool{}
	var mu sync.Mutex
	for _, name := range []string{"laptop", "desk", "office", "power", "wifi", "disks"} {
		groups := offline("load", "printing") // need a second look, or a server
		whole := said(Observe(t.Context(), Config{Root: machine(t, name)}, groups))
		if len(whole) == 0 {
			t.Fatalf("%s: nothing is said of it", name)
		}
		check := func(root, how, file string) {
			for fact, times := range said(Observe(t.Context(), Config{Root: root}, groups)) {
				if !void(fact) || times <= whole[fact] {
					continue
				}
				i := slices.IndexFunc(stillTrue, func(e struct{ how, file, fact, reason string }) bool {
					return (e.how == "" || e.how == how) && strings.HasSuffix(file, e.file) && e.fact == fact
				})
				mu.Lock()
				if i < 0 {
					t.Errorf("%s, %s %s: %s", name, file, how, fact)
				} else {
					used[stillTrue[i].file+stillTrue[i].how] = true
				}
				mu.Unlock()
			}
		}
		var wg sync.WaitGroup
		turn := make(chan string)
		files := filesOf(t, machine(t, name))
		for range 24 { // one kind of machine is watched for a while, which many can do at once
			root := machine(t, name)
			wg.Go(func() {
				for file := range turn {
					for _, how := range []string{"gone", "empty", "cut", "strange"} {
						if err := spoil(filepath.Join(root, file), how, files[file], func() { check(root, how, file) }); err != nil {
							t.Error(err)
						}
					}
				}
			})
		}
		for file := range files {
			turn <- file
		}
		close(turn)
		wg.Wait()
	}
	for _, e := range stillTrue {
		if !used[e.file+e.how] {
			t.Errorf("no longer so, strike it out: %v", e)
		}
	}
}

// spoil does something to a file, and makes it good again after a look.
func spoil(path, how string, content []byte, look func()) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	switch how {
	case "gone":
		err = os.Remove(path)
	case "empty":
		err = os.WriteFile(path, nil, 0o644)
	case "cut":
		err = os.WriteFile(path, content[:len(content)/2], 0o644)
	case "strange":
		err = os.WriteFile(path, []byte("\xff\x00?=;:\n"), 0o644)
	}
	if err != nil {
		return err
	}
	_ = os.Chtimes(path, info.ModTime(), info.ModTime()) // not there, where it is gone
	look()
	if err := os.WriteFile(path, content, 0o644); err != nil {
		return err
	}
	return os.Chtimes(path, info.ModTime(), info.ModTime())
}

// TestShutIsNotAbsent is the same for files and folders that this process may
// not read.
func TestShutIsNotAbsent(t *testing.T) {
	groups := offline("load", "power", "printing")
	for _, name := range []string{"laptop", "desk", "office", "wifi", "disks"} {
		root := machine(t, name)
		openWay(t, root)
		look := func() (facts map[string]int) {
			t.Run("look", func(t *testing.T) {
				asNobody(t)
				facts = said(Observe(t.Context(), Config{Root: root}, groups))
			})
			return facts
		}
		whole := look()
		paths := map[string]bool{}
		for file := range filesOf(t, root) {
			for ; file != "."; file = filepath.Dir(file) {
				paths[file] = true
			}
		}
		for path := range paths {
			info, err := os.Stat(filepath.Join(root, path))
			if err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(filepath.Join(root, path), 0); err != nil {
				t.Fatal(err)
			}
			for fact, times := range look() {
				if void(fact) && times > whole[fact] {
					t.Errorf("%s, %s shut: %s", name, path, fact)
				}
			}
			if err := os.Chmod(filepath.Join(root, path), info.Mode()); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// filesOf are the contents of all plain files below a root, by their names.
func filesOf(t *testing.T, root string) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	err := filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		content, err := os.ReadFile(file)
		files[strings.TrimPrefix(file, root+"/")] = content
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}
