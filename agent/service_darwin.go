package main

import (
	"os"
	"path/filepath"

	"github.com/kardianos/service"
)

// prepareService writes the job that launchd is to keep: one process, with root's
// rights. There is no cut on this system: the programs that tell of disks, login
// items and certificates, frames of a link and every remedy need root, and macOS
// has no descriptor to hand such a right over by, as Linux has.
func prepareService(o *options, _ string, c *service.Config) error {
	program, err := os.Executable()
	if err != nil {
		return err
	}
	if o.configFile != "" {
		file, err := filepath.Abs(o.configFile)
		if err != nil {
			return err
		}
		c.Arguments[len(c.Arguments)-1] = file
	}
	c.Option["LaunchdConfig"] = launchdJob(c.Name, program, c.Arguments)
	return nil
}
