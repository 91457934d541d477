package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/encoding/protojson"

	"constat/agent/sheet"
	"constat/internal/command"
	constatv1 "constat/proto/constat/v1"
)

func factsCommand(o *options) *cobra.Command {
	var wanted []string
	var asJSON bool
	var recorded recording
	cmd := &cobra.Command{
		Use:   "facts",
		Short: "Show what can be seen of this computer, and what can't",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			known := groups()
			for _, g := range wanted {
				if !slices.Contains(known, g) {
					return fmt.Errorf("there is no fact group %q here; the groups are %s", g, strings.Join(known, ", "))
				}
			}
			if len(wanted) == 0 {
				wanted = known
			}
			s, err := o.load(cmd)
			if err != nil {
				return err
			}
			seen, err := newObserver(cmd.Context(), s, "", wanted)
			if err != nil {
				return err
			}
			defer seen.close()
			show, end := showProgress(cmd.ErrOrStderr(), o.lang())
			if show != nil {
				seen.config.Progress = func(_ *constatv1.Snapshot, group, status string, done, total int) {
					show(&constatv1.Progress{Phase: "observing", Group: group, Status: status, Done: int32(done), Total: int32(total)})
				}
			}
			recorded.begin(&seen.config)
			snapshot := seen.observe(cmd.Context(), seen.config, wanted)
			end()
			if err := recorded.end(cmd.ErrOrStderr(), snapshot); err != nil {
				return err
			}
			if asJSON {
				return command.WriteMessage(cmd.OutOrStdout(), snapshot, protojson.MarshalOptions{Multiline: true})
			}
			sheet.Write(cmd.OutOrStdout(), snapshot, o.lang())
			return nil
		},
	}
	cmd.Flags().StringSliceVar(&wanted, "group", nil, "only these `GROUPS`, separated by commas: "+strings.Join(groups(), ", "))
	recorded.offer(cmd.Flags())
	cmd.Flags().BoolVar(&asJSON, "json", false, "one JSON object on standard output")
	return cmd
}
