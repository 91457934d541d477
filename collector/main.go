// Program constat-collector is the server of the help desk: agents report to
// it, technicians work in its console, and others script its API.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"constat/internal/version"
)

// Exit codes of every command, beside 0: done.
const (
	exitNo      = 1 // the answer is no
	exitFailure = 2 // usage, or it could not be done
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
	fmt.Fprintf(stderr, "constat-collector: %v\n", err)
	return exitFailure
}

func rootCommand() *cobra.Command {
	var o options
	root := &cobra.Command{
		Use:           "constat-collector",
		Short:         "The help desk that knows the cause before the ticket",
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          cobra.NoArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.PersistentFlags().StringVar(&o.configFile, "config", "", "configuration `FILE` (YAML)")
	root.AddCommand(
		serveCommand(&o),
		quickstartCommand(&o),
		tokenCommand(&o),
		userCommand(&o),
		ticketCommand(&o),
		endpointCommand(&o),
		doctorCommand(&o),
		configCommand(),
		&cobra.Command{
			Use:   "version",
			Short: "Say which build this is",
			Args:  cobra.NoArgs,
			Run: func(cmd *cobra.Command, _ []string) {
				fmt.Fprintln(cmd.OutOrStdout(), "constat-collector", version.String())
			},
		},
	)
	return root
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
