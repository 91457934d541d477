package main

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"constat/collector/desk"
	"constat/collector/desk/plausible"
	"constat/collector/store"
	deskv1 "constat/proto/constat/desk/v1"
)

func demoCommand(o *options) *cobra.Command {
	var tickets int
	var once bool
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Serve a made-up desk of two years",
		Long: "demo fills an empty data directory with machines, technicians and tickets of two years,\n" +
			"all made up, and serves it. It prints a link to sign in with. What you change there\n" +
			"stays: the next time it serves what it finds.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := o.load(cmd)
			if err != nil {
				return err
			}
			dir, err := filepath.Abs(s.Data)
			if err != nil {
				return err
			}
			s.Data = filepath.Join(dir, "collector")
			q := &quickstart{settings: s, dir: dir, out: cmd.OutOrStdout(), stderr: cmd.ErrOrStderr(), made: true}
			if err := q.fill(cmd.Context(), tickets); err != nil {
				return err
			}
			return q.run(cmd.Context(), once)
		},
	}
	serveFlags(cmd)
	cmd.Flags().Lookup("data").DefValue = ".constat-demo"
	_ = cmd.Flags().Set("data", ".constat-demo")
	cmd.Flags().IntVar(&tickets, "tickets", 5000, "how many tickets a new one has; machines and technicians go with it")
	cmd.Flags().BoolVar(&once, "once", false, "stop after printing, instead of serving")
	return cmd
}

// fill makes the desk, unless there is one.
func (q *quickstart) fill(ctx context.Context, tickets int) (err error) {
	c, err := openCore(ctx, q.settings)
	if err != nil {
		return err
	}
	defer func() {
		if closed := c.close(); err == nil {
			err = closed
		}
	}()
	if there, err := c.store.Tickets(ctx, store.TicketFilter{Limit: 1}); err != nil || len(there) > 0 {
		return err
	}
	size := plausible.Shown(tickets)
	fmt.Fprintf(q.stderr, "Making %d tickets of %d machines for %d technicians…\n", size.Tickets, size.Machines, size.Technicians)
	begin := time.Now()
	if err := plausible.Fill(ctx, c.store, c.catalog, 1, begin, size); err != nil {
		return err
	}
	if _, err := c.accounts.Create(ctx, adminName, "", "administrator", ""); err != nil {
		return err
	}
	if _, err := c.desk.SetServiceLevels(ctx, desk.System, plausible.Promises); err != nil {
		return err
	}
	for _, source := range plausible.Forms {
		form := &deskv1.RequestForm{Id: uuid.Must(uuid.NewV7()).String(), State: "active", Source: source}
		if _, err := c.desk.SaveForm(ctx, desk.System, form); err != nil {
			return err
		}
	}
	fmt.Fprintf(q.stderr, "Made in %s.\n", time.Since(begin).Round(time.Second))
	return nil
}
