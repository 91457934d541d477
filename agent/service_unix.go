//go:build !windows

package main

import (
	"context"
	"os"

	"github.com/kardianos/service"
	"github.com/spf13/cobra"

	"constat/internal/command"
)

// executeService is the agent under the service manager, until that ends it.
func executeService(cmd *cobra.Command, o *options) error {
	settings, err := o.load(cmd)
	if err != nil {
		return err
	}
	s, err := newService(o, &program{ctx: cmd.Context(), settings: settings}, "execute")
	if err != nil {
		return err
	}
	return s.Run()
}

// innerCommands are what the service runs of this program besides.
func innerCommands(*options) []*cobra.Command { return nil }

// finishService has nothing to add: units and plists say it all.
func finishService(string) error { return nil }

// secureData leaves the directory as it is made: for its owner alone.
func secureData(string) error { return nil }

// program is the agent as a service manager sees it.
type program struct {
	ctx      context.Context
	settings *settings
	cancel   context.CancelFunc
	done     chan error
}

// Start begins the work and returns at once, as service managers want.
func (p *program) Start(s service.Service) error {
	ctx, cancel := context.WithCancel(p.ctx)
	p.cancel = cancel
	p.done = make(chan error, 1)
	go func() {
		err := runService(ctx, p.settings, command.Log(os.Stderr))
		p.done <- err
		if err != nil {
			command.Log(os.Stderr).Error("the agent ends", "error", err)
			os.Exit(int(command.Failure))
		}
	}()
	return nil
}

// Stop ends the work and waits for it.
func (p *program) Stop(service.Service) error {
	p.cancel()
	return <-p.done
}
