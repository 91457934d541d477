package command

import (
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

func TestManual(t *testing.T) {
	root := &cobra.Command{Use: "thing", Short: "Do things"}
	sub := &cobra.Command{Use: "make NAME", Short: "Make one", Long: ".dots begin lines, and so do\n'quotes'; a \\ stays", Run: func(*cobra.Command, []string) {}}
	sub.Flags().String("colour", "blue", "a `COLOUR`")
	hidden := &cobra.Command{Use: "inner", Hidden: true, Run: func(*cobra.Command, []string) {}}
	root.AddCommand(sub, hidden)
	var b strings.Builder
	if err := Manual(&b, root, "1.0", [][2]string{{"/etc/thing", "where it is set"}}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{".TH THING 1", `.SS thing make NAME`, "\\&.dots begin", "\\&'quotes'", `a \e stays`, `.B \-\-colour COLOUR`, "(default blue)", ".I /etc/thing"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, b.String())
		}
	}
	if strings.Contains(b.String(), "inner") {
		t.Error("a hidden command is on the page")
	}
}
