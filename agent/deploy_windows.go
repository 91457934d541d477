package main

import (
	"errors"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"constat/agent/local"
	"constat/internal/identity"
)

// installerCommands are what the system's installer calls.
func installerCommands() []*cobra.Command {
	var collector, tokenFile string
	var forget bool
	cmd := &cobra.Command{
		Use:    "deploy",
		Short:  "Take over where to enrol, for the service's first start",
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if forget {
				return os.RemoveAll(local.SystemData)
			}
			token, err := readToken(tokenFile, cmd.InOrStdin())
			if err != nil {
				return err
			}
			if _, err := identity.ParseToken(token); err != nil {
				return err
			}
			return writeEnrolment(filepath.Join(local.SystemData, enrolmentFile), enrolmentText(collector, token))
		},
	}
	cmd.Flags().StringVar(&collector, "collector", "", "the collector, `HOST:PORT`")
	cmd.Flags().StringVar(&tokenFile, "token-file", "", "`FILE` with the enrolment token")
	cmd.Flags().BoolVar(&forget, "forget", false, "remove the agent's data instead")
	return []*cobra.Command{cmd}
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
