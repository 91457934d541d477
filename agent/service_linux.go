package main

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/kardianos/service"
)

// units are what the packages install as it is: the network half, an ordinary
// user with nothing to write but its own directories; the half that holds the
// rights, with its socket; and the account.
//
//go:embed units
var units embed.FS

const (
	networkUnit    = "constat-agent.service"
	packagedUnits  = "/usr/lib/systemd/system"
	packagedBinary = "/usr/bin/constat-agent"
	packagedConfig = " --config /etc/constat-agent/agent.yaml"
)

// helperUnits stand beside the network half's.
var helperUnits = []string{"constat-agent-privileged.socket", "constat-agent-privileged.service"}

// unit is a unit's text for a program at another place, with the configuration
// file that was named, or none.
func unit(name, program, config string) (string, error) {
	text, err := units.ReadFile("units/" + name)
	if err != nil {
		return "", err
	}
	if config != "" {
		config = " --config " + quote(config)
	}
	return strings.NewReplacer(packagedBinary, quote(program), packagedConfig, config).Replace(string(text)), nil
}

// quote is an argument as ExecStart= takes it (systemd.service(5)).
func quote(text string) string {
	text = strings.NewReplacer("%", "%%", "$", "$$").Replace(text)
	if strings.ContainsAny(text, " \t\"'\\;") {
		text = `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text) + `"`
	}
	return text
}

// prepareService writes what the network half needs beside it, for a service
// that no package brought.
func prepareService(o *options, action string, c *service.Config) error {
	if _, err := os.Stat(filepath.Join(packagedUnits, networkUnit)); err == nil && (action == "install" || action == "uninstall") {
		return fmt.Errorf("a package installed the service: remove that package, or use systemctl enable and disable %s", networkUnit)
	}
	const etc = "/etc/systemd/system"
	program, err := os.Executable()
	if err != nil {
		return err
	}
	config := o.configFile
	if config != "" {
		if config, err = filepath.Abs(config); err != nil {
			return err
		}
	}
	text, err := unit(networkUnit, program, config)
	if err != nil {
		return err
	}
	c.Option["SystemdScript"] = text
	switch action {
	case "install":
		if err := makeAccount(); err != nil {
			return err
		}
		for _, name := range helperUnits {
			text, err := unit(name, program, config)
			if err == nil {
				err = os.WriteFile(filepath.Join(etc, name), []byte(text), 0o644)
			}
			if err != nil {
				return err
			}
		}
	case "uninstall":
		if out, err := exec.Command("systemctl", append([]string{"stop", networkUnit}, helperUnits...)...).CombinedOutput(); err != nil {
			return fmt.Errorf("stopping it: %w: %s", err, strings.TrimSpace(string(out)))
		}
		for _, name := range helperUnits {
			if err := os.Remove(filepath.Join(etc, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
	}
	return nil
}

// makeAccount makes the account that the service runs as, where it is missing.
func makeAccount() error {
	line, err := units.ReadFile("units/constat-agent.sysusers")
	if err != nil {
		return err
	}
	cmd := exec.Command("systemd-sysusers", "-")
	cmd.Stdin = strings.NewReader(string(line))
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("making the account constat: %w: %s", err, strings.TrimSpace(string(out)))
	}
	return nil
}
