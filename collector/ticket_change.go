package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	deskv1 "constat/proto/constat/desk/v1"
	constatv1 "constat/proto/constat/v1"
)

// maxAttached bounds what is read of a file to be attached, in bytes: what a
// collector takes of one.
const maxAttached = 10 << 20

// changeCommands are those that change one ticket.
func changeCommands(o *options) []*cobra.Command {
	return []*cobra.Command{setCommand(o), writeCommand(o), linkCommand(o), splitCommand(o), fileCommand(o)}
}

// setCommand changes fields of a ticket; what is not named stays.
func setCommand(o *options) *cobra.Command {
	r := &deskv1.UpdateTicketRequest{}
	var wanted string
	var major bool
	var cmd *cobra.Command
	cmd = remote(o, "set N", "Change fields of a ticket; what is not named stays", cobra.ExactArgs(1),
		func(ctx context.Context, desk deskv1.DeskServiceClient, args []string) (proto.Message, error) {
			n, err := number(args[0])
			if err != nil {
				return nil, err
			}
			for flag, field := range map[string]**string{
				"status": &r.Status, "assignee": &r.Assignee, "title": &r.Title, "impact": &r.Impact, "urgency": &r.Urgency, "resolution": &r.Resolution,
				"category": &r.Category, "queue": &r.Queue, "type": &r.Type, "site": &r.Site, "endpoint": &r.Endpoint,
			} {
				if cmd.Flags().Changed(flag) {
					value, err := cmd.Flags().GetString(flag)
					if err != nil {
						return nil, err
					}
					*field = &value
				}
			}
			if cmd.Flags().Changed("major") {
				r.Major = &major
			}
			if cmd.Flags().Changed("wanted") {
				r.WantedBy = &timestamppb.Timestamp{}
				if wanted != "" {
					day, err := time.ParseInLocation(time.DateOnly, wanted, time.Local)
					if err != nil {
						return nil, fmt.Errorf("%q is not a day: write it as 2026-05-31", wanted)
					}
					r.WantedBy = timestamppb.New(day.AddDate(0, 0, 1).Add(-time.Second)) // the day's end
				}
			}
			if proto.Size(r) == 0 {
				return nil, errors.New("nothing is to be changed: name a field, as --status solved")
			}
			t, err := desk.GetTicket(ctx, &deskv1.GetTicketRequest{Number: n})
			if err != nil {
				return nil, err
			}
			r.Number, r.Version = t.GetTicket().GetNumber(), t.GetTicket().GetVersion()
			return desk.UpdateTicket(ctx, r)
		}, func(w io.Writer, m proto.Message) { writeFields(w, m.(*deskv1.UpdateTicketResponse).GetTicket()) })
	for flag, help := range map[string]string{
		"status": "new, open, pending, solved or closed", "assignee": "the technician's name; empty: nobody", "title": "what it is called in lists",
		"impact": "low, medium or high", "urgency": "low, normal, high or critical", "resolution": "what helped, in a sentence",
		"category": "a complaint, as printing, or a category of your own", "queue": "where it waits; empty: in none", "type": "incident or request",
		"site": "the site it is of; empty: of none", "endpoint": "id or name of the machine it is about, which is asked for a diagnosis; empty: none",
	} {
		cmd.Flags().String(flag, "", help)
	}
	cmd.Flags().BoolVar(&major, "major", false, "whether it is major; it takes a lead")
	cmd.Flags().StringVar(&wanted, "wanted", "", "the `DAY` by which it is to be done, as 2026-05-31; empty: none")
	cmd.Flags().StringSliceVar(&r.AddTags, "tag", nil, "a tag to be added, as `TAG`,TAG")
	cmd.Flags().StringSliceVar(&r.RemoveTags, "untag", nil, "a tag to be taken away, as `TAG`,TAG")
	cmd.Flags().StringSliceVar(&r.AddConcerned, "concern", nil, "another machine or a network device that it is about too, by id or name, as `NAME`,NAME")
	cmd.Flags().StringSliceVar(&r.RemoveConcerned, "unconcern", nil, "one that it is not about any more, as `NAME`,NAME")
	cmd.Flags().StringSliceVar(&r.AddFollowers, "follow", nil, "a user who is to be told of it, as `NAME`,NAME")
	cmd.Flags().StringSliceVar(&r.RemoveFollowers, "unfollow", nil, "a user who is not to be told any more, as `NAME`,NAME")
	return cmd
}

// writeCommand adds a message or a note.
func writeCommand(o *options) *cobra.Command {
	var note bool
	var minutes int32
	var files []string
	cmd := remote(o, "write N [TEXT]", "Answer in a ticket, or add an internal note, time spent or files", cobra.RangeArgs(1, 2),
		func(ctx context.Context, desk deskv1.DeskServiceClient, args []string) (proto.Message, error) {
			n, err := number(args[0])
			if err != nil {
				return nil, err
			}
			r := &deskv1.AddEntryRequest{Number: n, Id: uuid.Must(uuid.NewV7()).String(), Kind: "message", Minutes: minutes}
			if note {
				r.Kind = "note"
			}
			if len(args) > 1 {
				r.Text = args[1]
			}
			for _, name := range files {
				content, err := attached(name)
				if err != nil {
					return nil, err
				}
				r.Files = append(r.Files, &deskv1.NewFile{Name: filepath.Base(name), Content: content})
			}
			return desk.AddEntry(ctx, r)
		}, func(w io.Writer, m proto.Message) {
			fmt.Fprintf(w, "Added: %s.\n", m.(*deskv1.AddEntryResponse).GetEntry().GetId())
		})
	cmd.Flags().BoolVar(&note, "note", false, "for technicians only")
	cmd.Flags().Int32Var(&minutes, "minutes", 0, "time spent")
	cmd.Flags().StringArrayVar(&files, "file", nil, "a `FILE` to attach")
	return cmd
}

// attached reads a file, and no more of it than a collector takes.
func attached(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, maxAttached+1))
	if err == nil && len(content) > maxAttached {
		err = fmt.Errorf("%s has more than %d MiB, as much as a ticket takes of one file", name, maxAttached>>20)
	}
	return content, err
}

func linkCommand(o *options) *cobra.Command {
	var kind string
	cmd := remote(o, "link N M", "Say what ticket M is to ticket N", cobra.ExactArgs(2),
		func(ctx context.Context, desk deskv1.DeskServiceClient, args []string) (proto.Message, error) {
			n, errOne := number(args[0])
			other, errTwo := number(args[1])
			if err := errors.Join(errOne, errTwo); err != nil {
				return nil, err
			}
			return desk.LinkTickets(ctx, &deskv1.LinkTicketsRequest{Number: n, Other: other, Kind: kind})
		}, func(w io.Writer, m proto.Message) { writeLinks(w, m.(*deskv1.LinkTicketsResponse).GetLinks()) })
	cmd.Flags().StringVar(&kind, "kind", "related", "parent, child, duplicate, duplicateOf or related; none takes the link away")
	return cmd
}

func splitCommand(o *options) *cobra.Command {
	var title string
	cmd := remote(o, "split N ENTRY…", "Make messages and notes of a ticket a ticket of their own", cobra.MinimumNArgs(2),
		func(ctx context.Context, desk deskv1.DeskServiceClient, args []string) (proto.Message, error) {
			n, err := number(args[0])
			if err != nil {
				return nil, err
			}
			t, err := desk.GetTicket(ctx, &deskv1.GetTicketRequest{Number: n})
			if err != nil {
				return nil, err
			}
			return desk.SplitTicket(ctx, &deskv1.SplitTicketRequest{
				Number: t.GetTicket().GetNumber(), Version: t.GetTicket().GetVersion(), Id: uuid.Must(uuid.NewV7()).String(), Entries: args[1:], Title: title,
			})
		}, func(w io.Writer, m proto.Message) {
			t := m.(*deskv1.SplitTicketResponse).GetTicket()
			fmt.Fprintf(w, "They are ticket %d now: %s.\n", t.GetNumber(), t.GetTitle())
		})
	cmd.Long = "split takes entries by their ids, as `ticket show` prints them. At least one message or note stays."
	cmd.Flags().StringVar(&title, "title", "", "of the new ticket (default: the first line of the first entry)")
	return cmd
}

func fileCommand(o *options) *cobra.Command {
	var to string
	cmd := remote(o, "file N ID", "Get a file of a ticket, by its id as `ticket show` prints it", cobra.ExactArgs(2),
		func(ctx context.Context, desk deskv1.DeskServiceClient, args []string) (proto.Message, error) {
			n, err := number(args[0])
			if err != nil {
				return nil, err
			}
			file, err := desk.GetTicketFile(ctx, &deskv1.GetTicketFileRequest{Number: n, Id: args[1]})
			if err == nil && to != "" {
				// What is there stays.
				var out *os.File
				if out, err = os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600); err == nil {
					_, err = out.Write(file.GetContent())
					err = errors.Join(err, out.Close())
				}
			}
			return file, err
		}, func(w io.Writer, m proto.Message) {
			f := m.(*deskv1.GetTicketFileResponse)
			if to == "" {
				_, _ = w.Write(f.GetContent())
				return
			}
			fmt.Fprintf(w, "%s, %d bytes.\n", f.GetType(), len(f.GetContent()))
		})
	cmd.Flags().StringVar(&to, "output", "", "the new `FILE` to write it to (default: standard output)")
	return cmd
}

// writeFields prints what a ticket is, what is not known left out.
func writeFields(w io.Writer, t *constatv1.Ticket) {
	fmt.Fprintf(w, "#%d  %s\n", t.GetNumber(), t.GetTitle())
	fmt.Fprintf(w, "%s, priority %s (%s), with %s\n", t.GetStatus(), t.GetPriority(), t.GetPriorityReason(), orNobody(t.GetAssignee()))
	var major, wanted, minutes string
	if t.GetMajor() {
		major = "yes"
	}
	if at := t.GetWantedBy(); at != nil {
		wanted = at.AsTime().Local().Format(time.DateOnly)
	}
	if t.GetMinutes() > 0 {
		minutes = fmt.Sprint(t.GetMinutes())
	}
	for _, row := range [][2]string{
		{"type", t.GetType()}, {"category", t.GetCategory()}, {"queue", t.GetQueue()}, {"site", t.GetSite()}, {"impact", t.GetImpact()}, {"urgency", t.GetUrgency()},
		{"major", major}, {"tags", strings.Join(t.GetTags(), ", ")}, {"followers", strings.Join(t.GetFollowers(), ", ")}, {"wanted", wanted},
		{"minutes spent", minutes}, {"what helped", t.GetResolution()},
	} {
		if row[1] != "" {
			fmt.Fprintf(w, "%s: %s\n", row[0], row[1])
		}
	}
}

func writeLinks(w io.Writer, links []*constatv1.TicketLink) {
	for _, l := range links {
		if l.GetStatus() == "" {
			fmt.Fprintf(w, "%s: #%d, of another site\n", l.GetKind(), l.GetNumber())
			continue
		}
		fmt.Fprintf(w, "%s: #%d %s (%s)\n", l.GetKind(), l.GetNumber(), l.GetTitle(), l.GetStatus())
	}
}
