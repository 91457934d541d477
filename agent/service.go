package main

import (
	"errors"
	"fmt"

	"github.com/kardianos/service"
	"github.com/spf13/cobra"

	"constat/agent/local"
	"constat/internal/command"
)

func serviceCommand(o *options) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "service",
		Short: "Install and control the agent as a background service",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	for _, action := range []struct{ name, short string }{
		{"install", "Install the service; it starts with the computer"},
		{"uninstall", "Remove the service; the agent's data stay"},
		{"start", "Start the service"},
		{"stop", "Stop the service"},
		{"restart", "Stop the service, and start it again"},
	} {
		cmd.AddCommand(&cobra.Command{
			Use:   action.name,
			Short: action.short,
			Args:  cobra.NoArgs,
			RunE: func(cmd *cobra.Command, _ []string) error {
				s, err := newService(o, nil, action.name)
				if err != nil {
					return err
				}
				if err := service.Control(s, action.name); err != nil {
					return fmt.Errorf("service %s: %w (this needs an administrator's rights)", action.name, err)
				}
				return finishService(action.name)
			},
		})
	}
	cmd.AddCommand(
		&cobra.Command{
			Use:   "status",
			Short: "Say whether the service is installed and runs",
			Long:  "Exit codes: 0 it runs, 1 it does not, 2 that can't be said.",
			Args:  cobra.NoArgs,
			RunE: func(cmd *cobra.Command, _ []string) error {
				s, err := newService(o, nil, "status")
				if err != nil {
					return err
				}
				state, err := s.Status()
				switch {
				case errors.Is(err, service.ErrNotInstalled):
					fmt.Fprintln(cmd.OutOrStdout(), "not installed")
					return command.No
				case err != nil:
					return err
				case state == service.StatusRunning:
					fmt.Fprintln(cmd.OutOrStdout(), "running")
					return nil
				}
				fmt.Fprintln(cmd.OutOrStdout(), "stopped")
				return command.No
			},
		},
		&cobra.Command{
			Use:    "execute",
			Short:  "What the service manager runs",
			Hidden: true,
			Args:   cobra.NoArgs,
			RunE:   func(cmd *cobra.Command, _ []string) error { return executeService(cmd, o) },
		},
	)
	cmd.AddCommand(innerCommands(o)...)
	return cmd
}

func newService(o *options, p service.Interface, action string) (service.Service, error) {
	arguments := []string{"service", "execute", "--data", local.SystemData}
	if o.configFile != "" {
		arguments = append(arguments, "--config", o.configFile)
	}
	config := &service.Config{
		Name:        local.ServiceName,
		DisplayName: "Constat agent",
		Description: "Diagnoses this computer before the ticket",
		Arguments:   arguments,
		Option:      service.KeyValue{"OnFailure": "restart", "DelayedAutoStart": true},
	}
	if err := prepareService(o, action, config); err != nil {
		return nil, err
	}
	return service.New(p, config)
}
