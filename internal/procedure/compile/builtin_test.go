package compile

import (
	"bytes"
	"compress/gzip"
	"flag"
	"os"
	"testing"

	"google.golang.org/protobuf/proto"

	"constat/internal/fault"
	"constat/internal/procedure"
	constatv1 "constat/proto/constat/v1"
)

var update = flag.Bool("update", false, "write the procedures that programs carry anew")

func catalog(t testing.TB) *fault.Catalog {
	t.Helper()
	c, err := fault.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func shipped(t testing.TB) *constatv1.Procedures {
	t.Helper()
	all, err := Compile(os.DirFS("../shipped"), catalog(t))
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// A change of shipped/*.md is nothing before it was compiled.
func TestBuiltinIsWhatIsWritten(t *testing.T) {
	want := shipped(t)
	for _, p := range want.Procedures {
		for _, s := range p.Steps {
			s.Source = "" // nobody reads it on an agent
		}
	}
	if have, err := procedure.Builtin(); err == nil && proto.Equal(have, want) {
		return
	}
	if !*update {
		t.Fatal("the compiled procedures are not what shipped/*.md says; run: go generate ./internal/procedure")
	}
	content, err := proto.MarshalOptions{Deterministic: true}.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	var zipped bytes.Buffer
	w, err := gzip.NewWriterLevel(&zipped, gzip.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(content); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("../procedures.pb.gz", zipped.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}
