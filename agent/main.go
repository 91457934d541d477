// Program constat-agent observes the machine it runs on, names the root cause
// of what is wrong with it, and carries the result to a collector.
package main

import (
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"constat/agent/local"
	"constat/agent/privileged"
	"constat/internal/command"
	"constat/internal/version"
)

func main() { command.Main(rootCommand()) }

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
		procedureCommand(&o),
		remedyCommand(&o),
		ticketCommand(&o),
		enrollCommand(&o),
		runCommand(&o),
		serviceCommand(&o),
		statusCommand(&o),
		versionCommand(),
		configCommand(&o),
		privilegedCommand(),
		command.ManualCommand(version.Version, [][2]string{
			{local.SystemConfig, "The configuration of the service that a package installed."},
			{"/etc/constat-agent/enrolment.env", "CONSTAT_COLLECTOR and CONSTAT_TOKEN, for a service that is to enrol at its first start. Only root reads it."},
			{"/var/lib/constat-agent", "The identity of this computer, and what waits to be sent."},
		}),
	)
	root.AddCommand(installerCommands(&o)...)
	root.AddCommand(trayCommands()...)
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

func configCommand(o *options) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "config",
		Short: "Check the configuration",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(&cobra.Command{
		Use:   "check",
		Short: "Say whether this version understands the configuration",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if _, err := o.load(cmd); err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), "the configuration is understood")
			return nil
		},
	})
	return cmd
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

// lang is the language of what is printed.
func (o *options) lang() string { return command.Language(o.language) }
