// Program constat-agent observes the machine it runs on, names the root cause
// of what is wrong with it, and carries the result to a collector.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"constat/agent/privileged"
	"constat/internal/version"
)

// Exit codes of every command, beside 0: done.
const (
	exitNo           = 1 // the answer is no: a fault was found
	exitFailure      = 2 // usage, or it could not be done
	exitUndetermined = 3 // diagnose: facts were missing
)

// exit ends the program with a code and no further word.
type exit int

func (e exit) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(execute(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// execute runs one command line and returns its exit code.
func execute(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	root := rootCommand()
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	var code exit
	switch {
	case err == nil:
		return 0
	case errors.As(err, &code):
		return int(code)
	}
	fmt.Fprintf(stderr, "constat-agent: %v\n", err)
	return exitFailure
}

func rootCommand() *cobra.Command {
	var o options
	root := &cobra.Command{
		Use:   "constat-agent",
		Short: "Diagnose this computer, before the ticket",
		Long: "constat-agent observes this computer, names the root cause of what is wrong\n" +
			"with it, and carries the result to your support team's collector.",
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          cobra.NoArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		PersistentPreRunE: func(*cobra.Command, []string) error {
			if !slices.Contains([]string{"", "en", "fr"}, o.language) {
				return fmt.Errorf("there are no texts in %q; --lang is en or fr", o.language)
			}
			return nil
		},
	}
	flags := root.PersistentFlags()
	flags.StringVar(&o.configFile, "config", "", "configuration `FILE` (YAML)")
	flags.String("data", "", "`DIR` that keeps the agent's identity and what waits to be sent")
	flags.StringVar(&o.language, "lang", "", "language of the texts, en or fr (default: the system's)")
	root.AddCommand(
		factsCommand(&o),
		diagnoseCommand(&o),
		ticketCommand(&o),
		enrollCommand(&o),
		runCommand(&o),
		serviceCommand(&o),
		statusCommand(&o),
		versionCommand(),
		privilegedCommand(),
	)
	return root
}

func versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Say which build this is",
		Args:  cobra.NoArgs,
		Run: func(cmd *cobra.Command, _ []string) {
			fmt.Fprintln(cmd.OutOrStdout(), "constat-agent", version.String())
		},
	}
}

func privilegedCommand() *cobra.Command {
	return &cobra.Command{
		Use:    "privileged",
		Short:  "The half that holds the rights; the agent starts it by itself",
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE:   func(cmd *cobra.Command, _ []string) error { return privileged.Main(cmd.Context()) },
	}
}

// language is what the texts are written in: the flag's, else the system's.
func (o *options) lang() string {
	choices := []string{o.language, os.Getenv("LC_ALL"), os.Getenv("LC_MESSAGES"), os.Getenv("LANG")}
	for _, c := range choices {
		if c != "" {
			if strings.HasPrefix(strings.ToLower(c), "fr") {
				return "fr"
			}
			return "en"
		}
	}
	return "en"
}

// logger writes text to a terminal and JSON to everything else.
func logger(w io.Writer) *slog.Logger {
	if f, ok := w.(*os.File); ok {
		if info, err := f.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 {
			return slog.New(slog.NewTextHandler(w, nil))
		}
	}
	return slog.New(slog.NewJSONHandler(w, nil))
}
