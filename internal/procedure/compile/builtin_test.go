package compile

import (
	"flag"
	"os"
	"testing"

	"google.golang.org/protobuf/proto"

	"constat/internal/fault"
	faultcompile "constat/internal/fault/compile"
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
	packed, err := faultcompile.Pack(want)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("../procedures.pb.zst", packed, 0o644); err != nil {
		t.Fatal(err)
	}
}
