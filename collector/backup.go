package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"constat/collector/intake"
	"constat/collector/store"
)

func backupCommand(o *options) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "backup FILE",
		Short: "Write all data into a file, while the collector runs",
		Long: "backup writes the database as it is at one moment. The file fits either engine:\n" +
			"restore puts it into SQLite or PostgreSQL. The key file is not in it: without\n" +
			"that key nobody reads the secrets in a backup, so keep a copy of it elsewhere.",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := o.load(cmd)
			if err != nil {
				return err
			}
			unfinished := args[0] + ".unfinished"
			file, err := os.OpenFile(unfinished, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
			if err != nil {
				return fmt.Errorf("the backup can't be written: %w", err)
			}
			contents, err := writeBackup(cmd, s, file)
			if err != nil {
				return err
			}
			// A name without that ending means that all of it is there.
			if err := os.Rename(unfinished, args[0]); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%d rows of %d tables are in %s. Keep the key file %s too, elsewhere.\n",
				contents.Rows(), len(contents.Tables), args[0], s.keyFile())
			return nil
		},
	}
	dataFlags(cmd)
	return cmd
}

func writeBackup(cmd *cobra.Command, s *settings, file *os.File) (*store.Contents, error) {
	if _, err := os.Stat(filepath.Join(s.Data, "constat.db")); s.Database == "" && errors.Is(err, fs.ErrNotExist) {
		return nil, errors.Join(fmt.Errorf("there is no database in %s; name the right directory with --data", s.Data), file.Close(), os.Remove(file.Name()))
	}
	st, err := store.Open(cmd.Context(), s.databaseURL())
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	contents, err := st.Backup(cmd.Context(), file)
	if err == nil {
		err = file.Sync()
	}
	return contents, errors.Join(err, file.Close(), st.Close())
}

func restoreCommand(o *options) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "restore FILE",
		Short: "Put a backup into an empty database of either engine",
		Long: "restore fills an empty database and reads back what it wrote: every table has\n" +
			"the same rows by number and by hash, or nothing is kept. No collector may run\n" +
			"on it meanwhile. The key file has to be put beside it.",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := o.load(cmd)
			if err != nil {
				return err
			}
			file, err := os.Open(args[0])
			if err != nil {
				return fmt.Errorf("the backup can't be read: %w", err)
			}
			defer file.Close()
			if err := becomeOwner(s.Data); err != nil {
				return err
			}
			if err := os.MkdirAll(s.Data, 0o700); err != nil {
				return fmt.Errorf("the data directory can't be made: %w; choose another with --data", err)
			}
			contents, err := store.Restore(cmd.Context(), s.databaseURL(), file)
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%d rows of %d tables are restored; their hashes are those of the backup.\n", contents.Rows(), len(contents.Tables))
			return checkKey(cmd, s)
		},
	}
	dataFlags(cmd)
	return cmd
}

// checkKey says what is still missing for the restored data to be of use.
func checkKey(cmd *cobra.Command, s *settings) error {
	st, err := store.Open(cmd.Context(), s.databaseURL())
	if err != nil {
		return err
	}
	defer st.Close()
	if _, err := st.Setting(cmd.Context(), intake.AuthoritySetting); errors.Is(err, store.ErrNoSetting) {
		return nil // of a collector that never started
	}
	if _, _, err := intake.OpenAuthority(cmd.Context(), st, s.keyFile(), time.Now()); err != nil {
		fmt.Fprintf(cmd.OutOrStdout(), "Before the collector starts: %v\n", err)
	}
	return nil
}
