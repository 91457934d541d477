package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	deskv1 "constat/proto/constat/desk/v1"
	constatv1 "constat/proto/constat/v1"
)

func teamCommand(o *options) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "team",
		Short: "Say who of a running collector's team gets which tickets",
		Long: "A ticket goes to the technician who knows its matter best, then to whoever has\n" +
			"the fewest open, then to whoever has waited longest; never to the absent, nor\n" +
			"above a cap. These commands need a token in CONSTAT_TOKEN.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	list := remote(o, "list", "List the team: what each knows and has", cobra.NoArgs,
		func(ctx context.Context, desk deskv1.DeskServiceClient, _ []string) (proto.Message, error) {
			return desk.ListTechnicians(ctx, &deskv1.ListTechniciansRequest{})
		}, writeTeam)

	var setting change
	set := remote(o, "set NAME", "Change what somebody gets by themselves", cobra.ExactArgs(1),
		func(ctx context.Context, desk deskv1.DeskServiceClient, args []string) (proto.Message, error) {
			one, err := setting.of(ctx, desk, args[0])
			if err != nil {
				return nil, err
			}
			return desk.SetTechnician(ctx, &deskv1.SetTechnicianRequest{Technician: one})
		}, func(w io.Writer, m proto.Message) {
			writeTeam(w, &deskv1.ListTechniciansResponse{Technicians: []*deskv1.Technician{m.(*deskv1.SetTechnicianResponse).GetTechnician()}})
		})
	setting.flags(set)

	var trying change
	var days int32
	preview := remote(o, "preview NAME", "Tell who would have had the tickets of the past after such a change", cobra.ExactArgs(1),
		func(ctx context.Context, desk deskv1.DeskServiceClient, args []string) (proto.Message, error) {
			one, err := trying.of(ctx, desk, args[0])
			if err != nil {
				return nil, err
			}
			return desk.PreviewTechnician(ctx, &deskv1.PreviewTechnicianRequest{Technician: one, Days: days})
		}, writePreview)
	trying.flags(preview)
	preview.Flags().Int32Var(&days, "days", 30, "tickets of how many days")
	limit := remoteTo(o, "sites NAME [SITE]...", "Limit somebody to sites; with none, let them see all", cobra.MinimumNArgs(1),
		func(ctx context.Context, conn *grpc.ClientConn, args []string) (proto.Message, error) {
			return deskv1.NewAccountServiceClient(conn).LimitAccount(ctx, &deskv1.LimitAccountRequest{Name: args[0], Sites: args[1:]})
		}, func(w io.Writer, m proto.Message) {
			r := m.(*deskv1.LimitAccountResponse)
			sees := "all sites"
			if sites := r.GetAccount().GetSites(); len(sites) > 0 {
				sees = strings.Join(sites, ", ")
			}
			fmt.Fprintf(w, "%s sees %s; %d of their tickets went to others or back to the queue.\n", r.GetAccount().GetName(), sees, r.GetReturned())
		})
	cmd.AddCommand(list, set, preview, limit)
	return cmd
}

// change is what the flags of a command make of one of the team.
type change struct {
	cmd            *cobra.Command
	takes          bool
	limit          int32
	skills, forget []string
	absent         []string
	clearsAbsences bool
}

func (c *change) flags(cmd *cobra.Command) {
	c.cmd = cmd
	f := cmd.Flags()
	f.BoolVar(&c.takes, "takes", true, "whether they get tickets by themselves")
	f.Int32Var(&c.limit, "cap", 0, "most open tickets they get by themselves (0: 40)")
	f.StringArrayVar(&c.skills, "skill", nil, "what they know, as `KIND:VALUE=LEVEL`: brand:Cisco=3, product:LaserJet M404=1, domain:printer=2, language:fr=3; 1 knows it, 2 knows it well, 3 is whom others ask")
	f.StringArrayVar(&c.forget, "forget", nil, "a skill they have no more, as `KIND:VALUE`")
	f.StringArrayVar(&c.absent, "absent", nil, "days they are away, as `FROM..UNTIL` or FROM..UNTIL:REASON, both included: 2026-12-21..2026-12-31:holidays")
	f.BoolVar(&c.clearsAbsences, "present", false, "take back all absences first")
}

// of gives somebody as they are, with what the flags say changed.
func (c *change) of(ctx context.Context, desk deskv1.DeskServiceClient, name string) (*deskv1.Technician, error) {
	team, err := desk.ListTechnicians(ctx, &deskv1.ListTechniciansRequest{})
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(team.GetTechnicians(), func(t *deskv1.Technician) bool { return strings.EqualFold(t.GetName(), name) })
	if i < 0 {
		return nil, fmt.Errorf("nobody here is called %q: constat-collector team list names the team", name)
	}
	one := team.GetTechnicians()[i]
	if c.cmd.Flags().Changed("takes") {
		one.TakesTickets = c.takes
	}
	if c.cmd.Flags().Changed("cap") {
		one.Cap = c.limit
	}
	without := func(kind, value string) {
		one.Skills = slices.DeleteFunc(one.Skills, func(s *constatv1.Skill) bool {
			return s.GetKind() == kind && strings.EqualFold(s.GetValue(), value)
		})
	}
	for _, text := range c.forget {
		kind, value, _ := strings.Cut(text, ":")
		without(kind, value)
	}
	for _, text := range c.skills {
		s, err := parseSkill(text)
		if err != nil {
			return nil, err
		}
		without(s.GetKind(), s.GetValue())
		one.Skills = append(one.Skills, s)
	}
	if c.clearsAbsences {
		one.Absences = nil
	}
	for _, text := range c.absent {
		a, err := parseAbsence(text)
		if err != nil {
			return nil, err
		}
		one.Absences = append(one.Absences, a)
	}
	return one, nil
}

// parseSkill reads KIND:VALUE=LEVEL; without a level it is 2.
func parseSkill(text string) (*constatv1.Skill, error) {
	kind, rest, found := strings.Cut(text, ":")
	value, level, graded := strings.Cut(rest, "=")
	n := 2
	if graded {
		var err error
		if n, err = strconv.Atoi(level); err != nil {
			found = false
		}
	}
	if !found || value == "" {
		return nil, fmt.Errorf("%q is no skill: write KIND:VALUE=LEVEL, as in brand:Cisco=3", text)
	}
	return &constatv1.Skill{Kind: kind, Value: value, Level: int32(n)}, nil
}

// parseAbsence reads FROM..UNTIL[:REASON], whole days of this machine's time zone.
func parseAbsence(text string) (*deskv1.Absence, error) {
	days, reason, _ := strings.Cut(text, ":")
	first, last, _ := strings.Cut(days, "..")
	from, errFrom := time.ParseInLocation(time.DateOnly, first, time.Local)
	until, errUntil := time.ParseInLocation(time.DateOnly, cmp.Or(last, first), time.Local)
	if errFrom != nil || errUntil != nil || until.Before(from) {
		return nil, fmt.Errorf("%q is no absence: write FROM..UNTIL as days, as in 2026-12-21..2026-12-31:holidays", text)
	}
	return &deskv1.Absence{From: timestamppb.New(from), Until: timestamppb.New(until.AddDate(0, 0, 1)), Reason: reason}, nil
}

func writeTeam(w io.Writer, m proto.Message) {
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	fmt.Fprintln(t, "NAME\tROLE\tGETS TICKETS\tOPEN\tAWAY\tKNOWS")
	for _, one := range m.(*deskv1.ListTechniciansResponse).GetTechnicians() {
		gets := "no"
		if one.GetTakesTickets() {
			gets = "yes"
		}
		var away, knows []string
		for _, a := range one.GetAbsences() {
			away = append(away, fmt.Sprintf("%s to %s", a.GetFrom().AsTime().Local().Format(time.DateOnly), a.GetUntil().AsTime().Local().Add(-time.Second).Format(time.DateOnly)))
		}
		for _, s := range one.GetSkills() {
			knows = append(knows, fmt.Sprintf("%s:%s=%d", s.GetKind(), s.GetValue(), s.GetLevel()))
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%d of %d\t%s\t%s\n", one.GetName(), one.GetRole(), gets, one.GetOpen(), one.GetCap(), strings.Join(away, "; "), strings.Join(knows, ", "))
	}
	_ = t.Flush()
}

func writePreview(w io.Writer, m proto.Message) {
	r := m.(*deskv1.PreviewTechnicianResponse)
	if r.GetTickets() == 0 {
		fmt.Fprintln(w, "No ticket was given out by rule in that time: there is nothing to try the change on.")
		return
	}
	fmt.Fprintf(w, "%d tickets, given out once more:\n", r.GetTickets())
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	fmt.Fprintln(t, "NAME\tAS IT IS\tCHANGED")
	for _, l := range r.GetLoads() {
		fmt.Fprintf(t, "%s\t%d\t%d\n", orNobody(l.GetName()), l.GetBefore(), l.GetAfter())
	}
	_ = t.Flush()
	for _, moved := range r.GetMoved() {
		fmt.Fprintf(w, "#%d: %s → %s\n", moved.GetNumber(), orNobody(moved.GetBefore()), orNobody(moved.GetAfter()))
	}
}

// whyCommand tells how it was decided who got a ticket.
func whyCommand(o *options) *cobra.Command {
	return remote(o, "why N", "Tell why a ticket went to its assignee, and not to the others", cobra.ExactArgs(1),
		func(ctx context.Context, desk deskv1.DeskServiceClient, args []string) (proto.Message, error) {
			n, err := number(args[0])
			if err != nil {
				return nil, err
			}
			return desk.GetTicket(ctx, &deskv1.GetTicketRequest{Number: n})
		}, writeWhy)
}

// verdicts are how a candidate stood, in words.
var verdicts = map[string]string{
	"chosen": "chosen", "knowsLess": "knows less of it", "moreOpen": "has more open", "servedLater": "got one more recently",
	"laterName": "the same in all; the name decided", "otherLanguage": "does not speak the requester's language",
	"full": "has as many as they may", "absent": "away", "takesNone": "gets none by themselves",
	"otherSite": "does not work for this site",
}

func writeWhy(w io.Writer, m proto.Message) {
	r := m.(*deskv1.GetTicketResponse)
	fmt.Fprintf(w, "#%d is with %s: %s\n", r.GetTicket().GetNumber(), orNobody(r.GetTicket().GetAssignee()), r.GetTicket().GetAssignmentReason())
	for _, e := range r.GetTimeline() {
		a := e.GetAssignment()
		if a == nil {
			continue
		}
		about := strings.Join(a.GetMatter().GetDomains(), ", ")
		for _, more := range []string{a.GetMatter().GetBrand(), a.GetMatter().GetProduct()} {
			if more != "" {
				about = strings.TrimPrefix(about+", "+more, ", ")
			}
		}
		fmt.Fprintf(w, "\n%s  about %s (from the %s)\n", e.GetAt().AsTime().Local().Format(time.DateTime), cmp.Or(about, "something not known"), a.GetMatter().GetSource())
		t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
		for _, c := range a.GetCandidates() {
			var knows []string
			for _, s := range c.GetMatched() {
				knows = append(knows, fmt.Sprintf("%s %d", s.GetValue(), s.GetLevel()))
			}
			fmt.Fprintf(t, "  %s\t%s\t%d of %d open\t%s\n", c.GetName(), cmp.Or(verdicts[c.GetVerdict()], c.GetVerdict()), c.GetOpen(), c.GetCap(), strings.Join(knows, ", "))
		}
		_ = t.Flush()
	}
}
