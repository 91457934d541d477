package command

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// ManualCommand is the hidden command that prints the program's manual page, for
// who makes packages.
func ManualCommand(version string, files [][2]string) *cobra.Command {
	return &cobra.Command{
		Use:    "manual",
		Short:  "Print the manual page",
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return Manual(cmd.OutOrStdout(), cmd.Root(), version, files)
		},
	}
}

// Manual writes the manual page (man(7)) of a program, with all its commands on
// it. files names what else belongs to it, each with what it is for.
func Manual(w io.Writer, root *cobra.Command, version string, files [][2]string) error {
	m := &manual{}
	m.line(`.TH %s 1 "" "%s %s" "User Commands"`, strings.ToUpper(root.Name()), root.Name(), roff(version))
	m.line(".SH NAME")
	m.line(`%s \- %s`, roff(root.Name()), roff(strings.ToLower(root.Short[:1])+root.Short[1:]))
	m.line(".SH SYNOPSIS")
	m.line(`.B %s`, roff(root.Name()))
	m.line(`.I COMMAND`)
	m.line("[\\fIFLAGS\\fR]")
	if root.Long != "" {
		m.line(".SH DESCRIPTION")
		m.text(root.Long)
	}
	m.line(".SH COMMANDS")
	m.commands(root, root.Name())
	m.line(".SH OPTIONS OF EVERY COMMAND")
	m.flags(root.PersistentFlags())
	m.line(".SH EXIT STATUS")
	m.text("0: done. 1: the answer is no. 2: wrong usage, or it could not be done. Where a command has others, it says so.")
	if len(files) > 0 {
		m.line(".SH FILES")
		for _, f := range files {
			m.line(".TP\n.I %s", roff(f[0]))
			m.text(f[1])
		}
	}
	_, err := io.WriteString(w, m.String())
	return err
}

type manual struct{ strings.Builder }

func (m *manual) line(format string, args ...any) { fmt.Fprintf(m, format+"\n", args...) }

// text writes paragraphs; in them every line break is the writer's.
func (m *manual) text(text string) {
	for i, paragraph := range strings.Split(strings.TrimSpace(text), "\n\n") {
		if i > 0 {
			m.line(".PP")
		}
		m.line("%s", roff(paragraph))
	}
}

func (m *manual) commands(of *cobra.Command, path string) {
	for _, c := range of.Commands() {
		if c.Hidden || c.Name() == "help" || c.Name() == "completion" {
			continue
		}
		if c.HasAvailableSubCommands() {
			m.commands(c, path+" "+c.Name())
			continue
		}
		m.line(".SS %s %s", roff(path), roff(c.Use))
		if c.Long != "" {
			m.text(c.Long)
		} else {
			m.text(c.Short + ".")
		}
		m.flags(c.LocalNonPersistentFlags())
	}
}

func (m *manual) flags(set *pflag.FlagSet) {
	set.VisitAll(func(f *pflag.Flag) {
		if f.Hidden || f.Name == "help" {
			return
		}
		kind, usage := pflag.UnquoteUsage(f)
		m.line(".TP\n.B \\-\\-%s%s", roff(f.Name), strings.TrimRight(" "+roff(kind), " "))
		switch f.DefValue {
		case "", "false", "0", "[]", "0s":
		default:
			usage += " (default " + f.DefValue + ")"
		}
		m.text(usage)
	})
}

// roff is text that troff shows as it is.
func roff(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(text)
	var lines []string
	for line := range strings.SplitSeq(text, "\n") {
		if strings.HasPrefix(line, ".") || strings.HasPrefix(line, "'") {
			line = `\&` + line
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}
