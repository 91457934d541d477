package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"constat/collector/intake"
	"constat/collector/store"
	"constat/internal/command"
	"constat/internal/config"
)

// lowDisk is how much must stay free where the embedded database grows.
const lowDisk = 1 << 30

// checkup is one line of doctor: a question with a yes, a no, or an unknown.
type checkup struct {
	Name string `json:"name"`
	// fine | problem | unknown.
	Result string `json:"result"`
	Detail string `json:"detail"`
}

func doctorCommand(o *options) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Check this collector's configuration, data, keys and addresses",
		Long:  "doctor changes nothing. Exit codes: 0 all is fine, 1 there is a problem.",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s := defaults()
			if err := config.Load(&s, o.file(cmd), os.LookupEnv, cmd.Flags()); err != nil {
				return err
			}
			if err := becomeOwner(s.Data); err != nil {
				return err
			}
			list := examine(cmd.Context(), &s, time.Now())
			code := error(nil)
			for _, c := range list {
				if c.Result == "problem" {
					code = command.No
				}
			}
			if asJSON {
				if err := command.WriteJSON(cmd.OutOrStdout(), map[string]any{"checks": list}); err != nil {
					return err
				}
				return code
			}
			for _, c := range list {
				fmt.Fprintf(cmd.OutOrStdout(), "%-8s %s: %s\n", c.Result, c.Name, c.Detail)
			}
			return code
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "one JSON object on standard output")
	serveFlags(cmd)
	return cmd
}

func fine(name, format string, args ...any) checkup {
	return checkup{name, "fine", fmt.Sprintf(format, args...)}
}

func bad(name string, err error) checkup { return checkup{name, "problem", err.Error()} }

func unknown(name, why string) checkup { return checkup{name, "unknown", why} }

// examine asks every question, each on its own: one problem hides no other.
func examine(ctx context.Context, s *settings, now time.Time) []checkup {
	list := []checkup{
		dataDirectory(s.Data),
		freeSpace(s.Data),
	}
	database, authority := openData(ctx, s, now)
	list = append(list, database, authority)
	for _, address := range []struct{ key, value string }{{"grpc", s.GRPC}, {"http", s.HTTP}} {
		list = append(list, addressFree(ctx, address.key, address.value))
	}
	return list
}

func dataDirectory(dir string) checkup {
	const name = "data directory"
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return unknown(name, dir+" does not exist yet: the first start makes it")
	case err != nil:
		return bad(name, err)
	case !info.IsDir():
		return bad(name, fmt.Errorf("%s is not a directory", dir))
	}
	f, err := os.CreateTemp(dir, ".doctor-")
	if err != nil {
		return bad(name, fmt.Errorf("can't write there: %w", err))
	}
	f.Close()
	os.Remove(f.Name())
	if info.Mode().Perm()&0o007 != 0 {
		return bad(name, fmt.Errorf("%s can be read by everyone on this machine: chmod 700 %s", dir, dir))
	}
	return fine(name, "%s can be written, and only its owner reads it", dir)
}

func freeSpace(dir string) checkup {
	const name = "free space"
	for {
		free, err := freeBytes(dir)
		if errors.Is(err, fs.ErrNotExist) && filepath.Dir(dir) != dir {
			dir = filepath.Dir(dir)
			continue
		}
		switch {
		case err != nil:
			return unknown(name, err.Error())
		case free < lowDisk:
			return bad(name, fmt.Errorf("only %d MiB are free at %s: the database stops when none are left", free>>20, dir))
		}
		return fine(name, "%d GiB at %s", free>>30, dir)
	}
}

// openData looks at the database and at the CA sealed in it.
func openData(ctx context.Context, s *settings, now time.Time) (database, authority checkup) {
	const dbName, caName = "database", "CA"
	if s.Database == "" {
		if _, err := os.Stat(filepath.Join(s.Data, "constat.db")); errors.Is(err, fs.ErrNotExist) {
			return unknown(dbName, "there is none yet: the first start makes it"), unknown(caName, "there is no database yet")
		}
	}
	st, err := store.Open(ctx, s.databaseURL())
	if err != nil {
		return bad(dbName, err), unknown(caName, "the database can't be opened")
	}
	defer st.Close()
	database = fine(dbName, "%s opens, is whole, and is up to date", st.Engine())
	if err := st.Check(ctx); err != nil {
		database = bad(dbName, err)
	}
	ca, _, err := intake.OpenAuthority(ctx, st, s.keyFile(), now)
	if err != nil {
		return database, bad(caName, err)
	}
	c := ca.Certificate()
	if left := c.NotAfter.Sub(now); left < 180*24*time.Hour {
		return database, bad(caName, fmt.Errorf("%s ends on %s: plan to enrol every machine again", c.Subject.CommonName, c.NotAfter.Format(time.DateOnly)))
	}
	if _, err := ca.ServerTLS(s.names(), func() time.Time { return now }); err != nil {
		return database, bad(caName, err)
	}
	return database, fine(caName, "%s, good until %s, key hash %x", c.Subject.CommonName, c.NotAfter.Format(time.DateOnly), ca.KeyHash())
}

func addressFree(ctx context.Context, key, address string) checkup {
	name := "address " + key
	var c net.ListenConfig
	l, err := c.Listen(ctx, "tcp", address)
	if err != nil {
		if conn, dialed := net.DialTimeout("tcp", address, time.Second); dialed == nil {
			conn.Close()
			return unknown(name, address+" is in use, by this collector or by another program")
		}
		return bad(name, err)
	}
	l.Close()
	return fine(name, "%s can be used", address)
}
