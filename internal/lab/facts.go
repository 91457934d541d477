package lab

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/reflect/protoreflect"

	constatv1 "constat/proto/constat/v1"
)

// SetFacts lists the facts that a snapshot tells, sorted: "storage.disks.serial"
// when one disk at least has a serial number.
func SetFacts(s *constatv1.Snapshot) []string {
	found := map[string]bool{}
	collect(found, "", s.ProtoReflect())
	var list []string
	for path := range found {
		if !strings.HasPrefix(path, "manifest.") {
			list = append(list, path)
		}
	}
	slices.Sort(list)
	return list
}

func collect(found map[string]bool, path string, m protoreflect.Message) {
	m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		here := strings.TrimPrefix(path+"."+string(f.Name()), ".")
		switch {
		case f.Message() == nil || atom(f.Message()):
			found[here] = true
		case f.IsList():
			for i := range v.List().Len() {
				collect(found, here, v.List().Get(i).Message())
			}
		case !f.IsMap():
			collect(found, here, v.Message())
		}
		return true
	})
}

// atom tells whether a message is one fact: a time, a duration.
func atom(m protoreflect.MessageDescriptor) bool {
	return strings.HasPrefix(string(m.FullName()), "google.protobuf.")
}

// RecordFacts keeps a snapshot that nobody judged beside the runs of Record, as
// evidence of what can be seen: in a file named .facts, which is no run.
func RecordFacts(t testing.TB, part string, s *constatv1.Snapshot) {
	t.Helper()
	dir := os.Getenv("CONSTAT_LAB_RECORD")
	if dir == "" {
		return
	}
	text, err := protojson.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	f, err := os.CreateTemp(dir, fmt.Sprintf("%s-%s-*.facts", part, strings.NewReplacer("/", "-", " ", "-").Replace(t.Name())))
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.Write(text)
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
}
