package main

import (
	"context"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"constat/collector/desk"
	deskv1 "constat/proto/constat/desk/v1"
)

func maintenanceCommand(o *options) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "maintenance",
		Short: "Plan work on machines, and answer the tickets it brings",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	past := false
	list := remoteTo(o, "list", "List what is planned or under way", cobra.NoArgs,
		func(ctx context.Context, conn *grpc.ClientConn, _ []string) (proto.Message, error) {
			return deskv1.NewPlanServiceClient(conn).ListMaintenances(ctx, &deskv1.ListMaintenancesRequest{Past: past})
		}, func(w io.Writer, m proto.Message) {
			writeMaintenances(w, m.(*deskv1.ListMaintenancesResponse).GetMaintenances())
		})
	list.Flags().BoolVar(&past, "past", false, "also those that ended within the last 90 days")
	show := remoteTo(o, "show ID", "Show one with its tickets", cobra.ExactArgs(1),
		func(ctx context.Context, conn *grpc.ClientConn, args []string) (proto.Message, error) {
			return deskv1.NewPlanServiceClient(conn).GetMaintenance(ctx, &deskv1.GetMaintenanceRequest{Id: args[0]})
		}, func(w io.Writer, m proto.Message) {
			r := m.(*deskv1.GetMaintenanceResponse)
			writeMaintenances(w, []*deskv1.Maintenance{r.GetMaintenance()})
			fmt.Fprintln(w)
			writeTickets(w, &deskv1.ListTicketsResponse{Tickets: r.GetTickets()})
		})
	end := remoteTo(o, "end ID", "End one now, or take back one that is planned", cobra.ExactArgs(1),
		func(ctx context.Context, conn *grpc.ClientConn, args []string) (proto.Message, error) {
			return deskv1.NewPlanServiceClient(conn).EndMaintenance(ctx, &deskv1.EndMaintenanceRequest{Id: args[0]})
		}, func(w io.Writer, m proto.Message) {
			fmt.Fprintf(w, "It is %s.\n", m.(*deskv1.EndMaintenanceResponse).GetMaintenance().GetState())
		})
	r := &deskv1.AnswerMaintenanceRequest{}
	answer := remoteTo(o, "answer ID", "Write a message into all its tickets that are not finished", cobra.ExactArgs(1),
		func(ctx context.Context, conn *grpc.ClientConn, args []string) (proto.Message, error) {
			r.Id, r.EntryId = args[0], uuid.Must(uuid.NewV7()).String()
			return deskv1.NewPlanServiceClient(conn).AnswerMaintenance(ctx, r)
		}, func(w io.Writer, m proto.Message) {
			fmt.Fprintf(w, "Answered: %v\n", m.(*deskv1.AnswerMaintenanceResponse).GetAnswered())
		})
	answer.Flags().StringVar(&r.Text, "text", "", "the message")
	answer.Flags().StringVar(&r.Status, "status", "", "what the tickets become, such as solved")
	_ = answer.MarkFlagRequired("text")
	cmd.AddCommand(list, show, maintenancePlanCommand(o), end, answer)
	return cmd
}

func maintenancePlanCommand(o *options) *cobra.Command {
	var from, until, language, title, text string
	m := &deskv1.Maintenance{Machines: &deskv1.MachineSelector{}, Expects: &deskv1.ExpectedFindings{}}
	plan := remoteTo(o, "plan", "Plan work on machines, and announce it to the team", cobra.NoArgs,
		func(ctx context.Context, conn *grpc.ClientConn, _ []string) (proto.Message, error) {
			m.Id = uuid.Must(uuid.NewV7()).String()
			for _, one := range []struct {
				wall string
				late bool
				into **timestamppb.Timestamp
			}{{from, false, &m.From}, {until, true, &m.Until}} {
				at, err := desk.WallTime(one.wall, m.GetZone(), one.late)
				if err != nil {
					return nil, err
				}
				*one.into = timestamppb.New(at)
			}
			m.Texts = []*deskv1.AnnouncementText{{Language: language, Title: title, Text: text}}
			return deskv1.NewPlanServiceClient(conn).SaveMaintenance(ctx, &deskv1.SaveMaintenanceRequest{Maintenance: m})
		}, func(w io.Writer, m proto.Message) {
			writeMaintenances(w, []*deskv1.Maintenance{m.(*deskv1.SaveMaintenanceResponse).GetMaintenance()})
		})
	plan.Example = "  constat-collector maintenance plan --title 'Windows update' --from '2031-05-04 22:00' --until '2031-05-05 02:00' --zone Europe/Paris --site Paris --os windows --freeze"
	f := plan.Flags()
	f.StringVar(&from, "from", "", "`TIME` it begins, as 2031-05-04 22:00")
	f.StringVar(&until, "until", "", "`TIME` it is over")
	f.StringVar(&m.Zone, "zone", "UTC", "time `ZONE` of both, such as Europe/Paris")
	f.StringVar(&title, "title", "", "what happens, in a few words")
	f.StringVar(&text, "text", "", "more about it")
	f.StringVar(&language, "language", "en", "`LANGUAGE` of both")
	f.StringSliceVar(&m.Machines.Sites, "site", nil, "for machines at this `SITE`")
	f.StringSliceVar(&m.Machines.OsFamilies, "os", nil, "of these, those with this `SYSTEM`: linux, windows, darwin")
	f.StringSliceVar(&m.Machines.Manufacturers, "maker", nil, "of these, those of this `MAKER`")
	f.StringSliceVar(&m.Machines.EndpointIds, "machine", nil, "and this `MACHINE`, by id or hostname")
	f.StringSliceVar(&m.Expects.Domains, "domain", nil, "only tickets whose fault is of this `DOMAIN` are its own")
	f.StringSliceVar(&m.Expects.Faults, "fault", nil, "or have this `FAULT`")
	f.StringSliceVar(&m.Expects.Categories, "category", nil, "or, without a cause yet, are of this `CATEGORY`")
	f.BoolVar(&m.Freeze, "freeze", false, "no promise of its tickets runs while it lasts")
	for _, name := range []string{"from", "until", "title"} {
		_ = plan.MarkFlagRequired(name)
	}
	return plan
}

func writeMaintenances(w io.Writer, list []*deskv1.Maintenance) {
	if len(list) == 0 {
		fmt.Fprintln(w, "Nothing is planned.")
		return
	}
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	fmt.Fprintln(t, "ID\tSTATE\tFROM\tUNTIL\tTICKETS\tTITLE")
	for _, m := range list {
		place, err := time.LoadLocation(m.GetZone())
		if err != nil {
			place = time.UTC
		}
		at := func(ts *timestamppb.Timestamp) string { return ts.AsTime().In(place).Format("2006-01-02 15:04 MST") }
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%d\t%s\n", m.GetId(), m.GetState(), at(m.GetFrom()), at(m.GetUntil()), m.GetTickets(), desk.AnnouncementIn(m, "en").GetTitle())
	}
	_ = t.Flush()
}
