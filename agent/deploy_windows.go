package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/sys/windows/registry"

	"constat/agent/local"
	"constat/internal/identity"
)

// installerCommands are what the system's installer calls.
func installerCommands(o *options) []*cobra.Command {
	var collector, tokenFile string
	var forget, undo, aside bool
	cmd := &cobra.Command{
		Use:    "deploy",
		Short:  "Take over where to enrol, for the service's first start",
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if aside {
				return setAside()
			}
			if err := sayRefused(nil); err != nil || undo {
				return err
			}
			if forget {
				return os.RemoveAll(local.SystemData)
			}
			err := deploy(cmd, o, collector, tokenFile)
			return errors.Join(err, sayRefused(err))
		},
	}
	cmd.Flags().StringVar(&collector, "collector", "", "the collector, `HOST:PORT`")
	cmd.Flags().StringVar(&tokenFile, "token-file", "", "`FILE` with the enrolment token")
	cmd.Flags().BoolVar(&forget, "forget", false, "remove the agent's data instead")
	cmd.Flags().BoolVar(&aside, "aside", false, "let this file be replaced though icons run it, instead")
	cmd.Flags().BoolVar(&undo, "undo", false, "forget why it was refused instead")
	return []*cobra.Command{cmd}
}

// deploy looks whether this version can start with what is configured, and writes
// down where to enrol.
func deploy(cmd *cobra.Command, o *options, collector, tokenFile string) error {
	if _, err := o.load(cmd); err != nil {
		return err
	}
	if collector == "" {
		return nil
	}
	if _, _, err := net.SplitHostPort(collector); err != nil {
		return fmt.Errorf("COLLECTOR: %q is not an address like collector.example.org:7400", collector)
	}
	token, err := readToken(tokenFile, cmd.InOrStdin())
	if err == nil {
		_, err = identity.ParseToken(token)
	}
	if err != nil {
		return fmt.Errorf("ENROLTOKENFILE: %w", err)
	}
	return writeEnrolment(filepath.Join(local.SystemData, enrolmentFile), enrolmentText(collector, token))
}

// sayRefused leaves why the installation can't go on where Windows' installer
// finds it: it takes no words from a program, and its log would have a number. Its
// table AppSearch reads the value, and its action Refuse ends with it.
func sayRefused(why error) error {
	const name, value = `Software\Constat\Setup`, "Refused"
	if why == nil {
		key, err := registry.OpenKey(registry.LOCAL_MACHINE, `Software\Constat`, registry.ALL_ACCESS|registry.WOW64_64KEY)
		if err != nil {
			return nil // there is none
		}
		_ = registry.DeleteKey(key, "Setup")
		key.Close()
		_ = registry.DeleteKey(registry.LOCAL_MACHINE, `Software\Constat`) // unless there is more in it
		return nil
	}
	key, _, err := registry.CreateKey(registry.LOCAL_MACHINE, name, registry.SET_VALUE|registry.WOW64_64KEY)
	if err != nil {
		return fmt.Errorf("telling the installer: %w", err)
	}
	defer key.Close()
	// One line, and nothing quoted: what reads it may take a quote for its end.
	words := strings.ReplaceAll(strings.Join(strings.Fields(why.Error()), " "), `"`, "'")
	return key.SetStringValue(value, "Constat is not installed: "+words)
}

// writeEnrolment writes the token where only the system, administrators and the
// service read it.
func writeEnrolment(name, text string) error {
	if err := secureData(filepath.Dir(name)); err != nil {
		return err
	}
	// What is made anew has the directory's rights, whoever made what was there.
	if err := os.Remove(name); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return os.WriteFile(name, []byte(text), 0o600)
}
