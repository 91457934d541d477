package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

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
	for _, action := range []struct {
		name, short string
		do          func(service.Service) error
	}{
		{"install", "Install the service; it starts with the computer", service.Service.Install},
		{"uninstall", "Remove the service; the agent's data stay", service.Service.Uninstall},
		{"start", "Start the service", start},
		{"stop", "Stop the service", stop},
		{"restart", "Stop the service, and start it again", restart},
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
				err = action.do(s)
				switch {
				case errors.Is(err, service.ErrNotInstalled):
					return fmt.Errorf("service %s: it is not installed: constat-agent service install does that", action.name)
				case errors.Is(err, fs.ErrPermission), err != nil && os.Geteuid() > 0:
					return fmt.Errorf("service %s: %s: %w (this needs an administrator's rights)", action.name, s.Platform(), err)
				case err != nil:
					return fmt.Errorf("service %s: %s: %w", action.name, s.Platform(), err)
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
				case err != nil && strings.Contains(err.Error(), "in failed state"): // systemd's, which has no error of its own
					fmt.Fprintf(cmd.OutOrStdout(), "failed; journalctl --unit %s says why\n", local.ServiceName)
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

// start, stop and restart do alike with every service manager: some say no to a
// service that stands already as it should.
func start(s service.Service) error {
	state, err := s.Status()
	if errors.Is(err, service.ErrNotInstalled) || state == service.StatusRunning {
		return err
	}
	return s.Start()
}

func stop(s service.Service) error {
	state, err := s.Status()
	if errors.Is(err, service.ErrNotInstalled) || state == service.StatusStopped {
		return err
	}
	return s.Stop()
}

func restart(s service.Service) error {
	state, err := s.Status()
	switch {
	case errors.Is(err, service.ErrNotInstalled):
		return err
	case state == service.StatusStopped:
		return s.Start()
	}
	return s.Restart()
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
