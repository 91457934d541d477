// Program constat-collector is the server of the help desk: agents report to
// it, technicians work in its console, and others script its API.
package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"constat/internal/command"
	"constat/internal/version"
)

func main() { command.Main(rootCommand()) }

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
		demoCommand(&o),
		tokenCommand(&o),
		userCommand(&o),
		procedureCommand(&o),
		teamCommand(&o),
		viewCommand(&o),
		mailCommand(&o),
		webhookCommand(&o),
		noticesCommand(&o),
		ticketCommand(&o),
		answerCommand(&o),
		formCommand(&o),
		maintenanceCommand(&o),
		endpointCommand(&o),
		gearCommand(&o),
		doctorCommand(&o),
		backupCommand(&o),
		restoreCommand(&o),
		configCommand(&o),
		command.ManualCommand(version.Version, [][2]string{
			{"/etc/constat-collector/collector.yaml", "The configuration of the service that a package installed."},
			{"/var/lib/constat-collector", "The embedded database, the key file and the certificate of the CA."},
		}),
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
