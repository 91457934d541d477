package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"constat/collector/account"
	"constat/collector/console"
	"constat/collector/desk"
	"constat/collector/intake"
	"constat/collector/kit"
	"constat/internal/command"
)

func tokenCommand(o *options) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "token",
		Short: "Make enrolment tokens for agents",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	var uses int
	var expires time.Duration
	var label, site, installers, packages, collector, language string
	create := &cobra.Command{
		Use:   "create",
		Short: "Make a token and print it, and nothing else, on standard output",
		Long: "create prints a token that enrols one machine (or --uses of them) until it\n" +
			"expires. Keep it like a password: constat-collector token create > token.txt\n" +
			"With --installers it goes into packages instead, beside those of the agent, and\n" +
			"what to type on each system is printed.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if uses < 1 || expires <= 0 {
				return fmt.Errorf("--uses and --expires must be above zero")
			}
			order := kit.Order{Uses: uses, Expires: time.Now().Add(expires)}
			var bag *kit.Kit
			if installers != "" {
				s, err := o.load(cmd)
				if err != nil {
					return err
				}
				if order.Collector, err = s.reached(collector); err != nil {
					return err
				}
				if bag, err = kit.New(installers, packages, time.Now()); err != nil {
					return err
				}
			}
			return o.withCore(cmd, func(ctx context.Context, c *core) (err error) {
				if order.Token, err = intake.NewToken(ctx, c.desk, c.authority, uses, order.Expires, label, site); err != nil {
					return err
				}
				said := order.Token + "\n"
				if bag != nil {
					if said, err = bag.Fill(order, command.Language(language)); err != nil {
						return err
					}
				}
				fmt.Fprint(cmd.OutOrStdout(), said)
				return nil
			})
		},
	}
	create.Flags().IntVar(&uses, "uses", 1, "how many machines it may enrol")
	create.Flags().DurationVar(&expires, "expires", 24*time.Hour, "how long it is good for")
	create.Flags().StringVar(&label, "label", "", "what it is for, for the record")
	create.Flags().StringVar(&site, "site", "", "at which place the machines are")
	create.Flags().StringVar(&installers, "installers", "", "new `DIR` for packages with the collector's address and the token inside")
	create.Flags().StringVar(&packages, "packages", "/usr/share/constat-collector/packages", "`DIR` with the agent's packages of a release")
	create.Flags().StringVar(&collector, "collector", "", "`HOST:PORT` at which agents reach this collector (default: by its configuration)")
	create.Flags().StringVar(&language, "lang", "", "language of what to type: en or fr (default: the system's)")
	dataFlags(create)
	cmd.AddCommand(create)
	return cmd
}

func userCommand(o *options) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "user",
		Short: "Add and remove people who work in the console",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	var mail, role string
	var sites []string
	add := &cobra.Command{
		Use:   "add NAME",
		Short: "Add a user and print a one-time sign-in path",
		Long: "add makes a user who chooses a password at the first sign-in. Roles: requester (sees\n" +
			"only their own tickets), technician, lead, administrator. With --site, once for each,\n" +
			"they see only tickets, machines and devices of these sites.",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return o.withCore(cmd, func(ctx context.Context, c *core) error {
				if _, err := c.accounts.Create(ctx, args[0], mail, role, "", sites...); err != nil {
					return err
				}
				return c.printLink(ctx, cmd, args[0])
			})
		},
	}
	add.Flags().StringVar(&mail, "mail", "", "mail address")
	add.Flags().StringVar(&role, "role", "technician", "requester, technician, lead or administrator")
	add.Flags().StringArrayVar(&sites, "site", nil, "a site to which they are limited")
	limit := &cobra.Command{
		Use:   "sites NAME [SITE]...",
		Short: "Limit a user to sites; with none, let them see all",
		Long:  "sites works on the data; team sites does the same at a running collector.",
		Args:  cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return o.withPeople(cmd, func(ctx context.Context, c *core) error {
				_, returned, err := c.desk.LimitAccount(ctx, desk.System, args[0], args[1:]...)
				if err == nil && returned > 0 {
					fmt.Fprintf(cmd.OutOrStdout(), "%d of their tickets went to others or back to the queue.\n", returned)
				}
				return err
			})
		},
	}
	link := &cobra.Command{
		Use:   "link NAME",
		Short: "Print a new one-time sign-in path for a user who can't sign in",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return o.withPeople(cmd, func(ctx context.Context, c *core) error { return c.printLink(ctx, cmd, args[0]) })
		},
	}
	remove := &cobra.Command{
		Use:   "remove NAME",
		Short: "Let a user in no more, and give their tickets to others",
		Long: "remove ends a user's sessions, sign-in links and tokens, and gives their tickets that\n" +
			"are not done to others or back to the queue. Their name stays on what they did. The\n" +
			"last administrator stays. user restore takes it back.",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return o.withPeople(cmd, func(ctx context.Context, c *core) error {
				returned, err := c.desk.RemoveAccount(ctx, desk.System, args[0])
				if err != nil {
					return err
				}
				fmt.Fprintf(cmd.OutOrStdout(), "%s is removed; of their tickets %d went to others or back to the queue.\n", args[0], returned)
				return nil
			})
		},
	}
	restore := &cobra.Command{
		Use:   "restore NAME",
		Short: "Let a removed user in again, and print a one-time sign-in path",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return o.withPeople(cmd, func(ctx context.Context, c *core) error {
				if _, err := c.desk.RestoreAccount(ctx, desk.System, args[0]); err != nil {
					return err
				}
				return c.printLink(ctx, cmd, args[0])
			})
		},
	}
	var label string
	var expires time.Duration
	token := &cobra.Command{
		Use:   "token NAME",
		Short: "Print an API token that acts as a user, for CONSTAT_TOKEN",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return o.withPeople(cmd, func(ctx context.Context, c *core) error {
				user, err := c.accounts.Named(ctx, args[0])
				if err != nil {
					return err
				}
				text, err := c.accounts.NewToken(ctx, user.ID, label, expires)
				if err != nil {
					return err
				}
				fmt.Fprintln(cmd.OutOrStdout(), text)
				return nil
			})
		},
	}
	token.Flags().StringVar(&label, "label", "command line", "what it is for, for the record")
	token.Flags().DurationVar(&expires, "expires", 90*24*time.Hour, "how long it is good for")
	for _, c := range []*cobra.Command{add, limit, link, token, remove, restore} {
		dataFlags(c)
		cmd.AddCommand(c)
	}
	return cmd
}

func (c *core) printLink(ctx context.Context, cmd *cobra.Command, name string) error {
	token, err := c.accounts.OneTimeLink(ctx, name, 24*time.Hour)
	if err != nil {
		return err
	}
	fmt.Fprintf(cmd.OutOrStdout(), "Open this path at the console's address, once, within a day: %s\n", console.SignInPath(token))
	return nil
}

// withPeople runs a command on data in which there are people already: where
// there are none the folder is a wrong one, and is left as it is.
func (o *options) withPeople(cmd *cobra.Command, f func(context.Context, *core) error) error {
	s, err := o.load(cmd)
	if err != nil {
		return err
	}
	if s.Database == "" {
		if _, err := os.Stat(filepath.Join(s.Data, "constat.db")); errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("there are no data of a collector in %s: name their folder with --data", s.Data)
		}
	}
	err = o.withCore(cmd, f)
	if errors.Is(err, account.ErrNotFound) {
		return fmt.Errorf("%w in %s: constat-collector user add makes one, --data names other data", err, s.Data)
	}
	return err
}

// withCore runs a command on the data.
func (o *options) withCore(cmd *cobra.Command, f func(context.Context, *core) error) error {
	s, err := o.load(cmd)
	if err != nil {
		return err
	}
	c, err := openCore(cmd.Context(), s)
	if err != nil {
		return err
	}
	err = f(cmd.Context(), c)
	if closed := c.close(); err == nil {
		err = closed
	}
	return err
}
