package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/proto"

	"constat/internal/command"
	deskv1 "constat/proto/constat/desk/v1"
)

// maxPushed is how large a file of knowledge may be; the collector says it better
// of what is smaller.
const maxPushed = 4 << 20

func procedureCommand(o *options) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "procedure",
		Short: "See how procedures go, and push your team’s own knowledge to its machines",
		Long: "What your team adds is a folder with faults/DOMAIN.yaml, faults/terms.yaml and\n" +
			"procedures/ID.md: faults and procedures that are new, or that take the place of\n" +
			"those with the same id. Every push is a revision, signed by this collector, for\n" +
			"a ring of machines. These commands need a token in CONSTAT_TOKEN.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	list := remote(o, "list", "List the procedures, and how walks through them went", cobra.NoArgs,
		func(ctx context.Context, desk deskv1.DeskServiceClient, _ []string) (proto.Message, error) {
			return desk.ListProcedures(ctx, &deskv1.ListProceduresRequest{})
		}, writeProcedures)
	show := remote(o, "show ID", "Show a procedure as it was written, and its rates by version", cobra.ExactArgs(1),
		func(ctx context.Context, desk deskv1.DeskServiceClient, args []string) (proto.Message, error) {
			return desk.GetProcedure(ctx, &deskv1.GetProcedureRequest{Id: args[0]})
		}, func(w io.Writer, m proto.Message) {
			p := m.(*deskv1.GetProcedureResponse)
			fmt.Fprint(w, p.GetText())
			if len(p.GetUse().GetRates()) > 0 {
				fmt.Fprintln(w)
				writeProcedures(w, &deskv1.ListProceduresResponse{Procedures: []*deskv1.ProcedureUse{p.GetUse()}})
				writeUnclear(w, p.GetUse().GetRates())
			}
			for _, v := range p.GetVoices() {
				word := map[bool]string{true: "it helped", false: "it did not help"}[v.GetHelped()]
				fmt.Fprintf(w, "version %d, %s: %s", v.GetVersion(), v.GetReader(), word)
				if v.GetUnclear() != "" {
					fmt.Fprintf(w, "; unclear: %s", v.GetUnclear())
				}
				fmt.Fprintln(w)
			}
		})
	cmd.AddCommand(list, show, pushCommand(o), previewCommand(o), knowledgeLogCommand(o), knowledgeDiffCommand(o), releaseCommand(o), rollbackCommand(o))
	return cmd
}

const filesHelp = "\n\nFILE is a file or a folder: faults/os.yaml and procedures/vpn.md inside a folder,\n" +
	"or a single file, which is taken for one by its ending."

func previewCommand(o *options) *cobra.Command {
	var remove []string
	var seen *deskv1.PreviewKnowledgeResponse
	cmd := remote(o, "preview FILE…", "Say what is wrong with files, or on which machines they would have fired", cobra.ArbitraryArgs,
		func(ctx context.Context, desk deskv1.DeskServiceClient, args []string) (proto.Message, error) {
			files, err := knowledgeFiles(args)
			if err != nil {
				return nil, err
			}
			seen, err = desk.PreviewKnowledge(ctx, &deskv1.PreviewKnowledgeRequest{Change: &deskv1.KnowledgeChange{Put: files, Remove: remove}})
			return seen, err
		}, writeKnowledgePreview)
	cmd.Long = cmd.Short + "." + filesHelp + "\n\nExit codes: 0 it could be pushed, 1 it could not."
	cmd.Flags().StringArrayVar(&remove, "remove", nil, "a `PATH` to take away, as procedures/vpn.md")
	ask := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := ask(cmd, args); err != nil {
			return err
		}
		if len(seen.GetProblems()) > 0 {
			return command.No
		}
		return nil
	}
	return cmd
}

func writeKnowledgePreview(w io.Writer, m proto.Message) {
	p := m.(*deskv1.PreviewKnowledgeResponse)
	for _, problem := range p.GetProblems() {
		fmt.Fprintln(w, problem)
	}
	fmt.Fprint(w, p.GetDiff())
	if p.GetMachines() == 0 && len(p.GetFaults()) > 0 {
		fmt.Fprintln(w, "No machine told anything yet that it could be tried on.")
		return
	}
	for _, f := range p.GetFaults() {
		fmt.Fprintf(w, "%s would have fired on %d of %d machines, %d of them healthy", f.GetFault(), f.GetFired(), p.GetMachines(), f.GetHealthy())
		if f.GetUnknown() > 0 {
			fmt.Fprintf(w, "; %d do not tell", f.GetUnknown())
		}
		fmt.Fprintln(w, ".")
		if len(f.GetMachines()) > 0 {
			fmt.Fprintf(w, "  %s", strings.Join(f.GetMachines(), ", "))
			if more := int(f.GetFired()) - len(f.GetMachines()); more > 0 {
				fmt.Fprintf(w, ", and %d more", more)
			}
			fmt.Fprintln(w)
		}
	}
	if len(p.GetProblems())+len(p.GetDiff()) == 0 {
		fmt.Fprintln(w, "Nothing would change.")
	}
}

func pushCommand(o *options) *cobra.Command {
	var remove, hosts []string
	var note string
	var percent int32
	cmd := remote(o, "push FILE…", "Push files to a ring of machines, as a new revision", cobra.ArbitraryArgs,
		func(ctx context.Context, desk deskv1.DeskServiceClient, args []string) (proto.Message, error) {
			if len(args)+len(remove) == 0 {
				return nil, errors.New("which files? name files or folders, or --remove a path")
			}
			files, err := knowledgeFiles(args)
			if err != nil {
				return nil, err
			}
			newest, err := desk.GetKnowledge(ctx, &deskv1.GetKnowledgeRequest{})
			if err != nil {
				return nil, err
			}
			return desk.PushKnowledge(ctx, &deskv1.PushKnowledgeRequest{
				Change: &deskv1.KnowledgeChange{Put: files, Remove: remove}, Revision: newest.GetRevision().GetRevision(), Note: note, Percent: percent, Hosts: hosts,
			})
		}, func(w io.Writer, m proto.Message) {
			writeRevision(w, m.(*deskv1.PushKnowledgeResponse).GetRevision())
		})
	cmd.Long = cmd.Short + "." + filesHelp + "\n\nIt takes a lead. Connected machines of the ring have it within a minute, others as\n" +
		"soon as they connect; they keep it without a network."
	cmd.Flags().StringArrayVar(&remove, "remove", nil, "a `PATH` to take away, as procedures/vpn.md")
	cmd.Flags().StringVar(&note, "note", "", "what it is for")
	ringFlags(cmd, &percent, 100, &hosts)
	return cmd
}

func ringFlags(cmd *cobra.Command, percent *int32, usual int32, hosts *[]string) {
	cmd.Flags().Int32Var(percent, "percent", usual, "the ring: this share of all machines, the same ones each time")
	cmd.Flags().StringSliceVar(hosts, "host", nil, "the ring: machines by name, besides those")
}

func releaseCommand(o *options) *cobra.Command {
	var hosts []string
	var percent int32
	cmd := remote(o, "release REVISION", "Give a revision to more machines", cobra.ExactArgs(1),
		func(ctx context.Context, desk deskv1.DeskServiceClient, args []string) (proto.Message, error) {
			n, err := revisionNumber(args[0])
			if err != nil {
				return nil, err
			}
			return desk.ReleaseKnowledge(ctx, &deskv1.ReleaseKnowledgeRequest{Revision: n, Percent: percent, Hosts: hosts})
		}, func(w io.Writer, m proto.Message) {
			writeRevision(w, m.(*deskv1.ReleaseKnowledgeResponse).GetRevision())
		})
	ringFlags(cmd, &percent, 0, &hosts)
	return cmd
}

func rollbackCommand(o *options) *cobra.Command {
	var note string
	cmd := remote(o, "rollback REVISION", "Push what stood in an old revision, 0 for nothing, as a new one", cobra.ExactArgs(1),
		func(ctx context.Context, desk deskv1.DeskServiceClient, args []string) (proto.Message, error) {
			n, err := revisionNumber(args[0])
			if err != nil {
				return nil, err
			}
			return desk.RollBackKnowledge(ctx, &deskv1.RollBackKnowledgeRequest{Revision: n, Note: note})
		}, func(w io.Writer, m proto.Message) {
			writeRevision(w, m.(*deskv1.RollBackKnowledgeResponse).GetRevision())
		})
	cmd.Flags().StringVar(&note, "note", "", "why")
	return cmd
}

func knowledgeLogCommand(o *options) *cobra.Command {
	return remote(o, "log", "List the revisions of your team’s knowledge, newest first", cobra.NoArgs,
		func(ctx context.Context, desk deskv1.DeskServiceClient, _ []string) (proto.Message, error) {
			return desk.ListKnowledge(ctx, &deskv1.ListKnowledgeRequest{})
		}, func(w io.Writer, m proto.Message) {
			for _, r := range m.(*deskv1.ListKnowledgeResponse).GetRevisions() {
				writeRevision(w, r)
			}
		})
}

func knowledgeDiffCommand(o *options) *cobra.Command {
	return remote(o, "diff FROM TO", "Show what changed between two revisions, 0 for none", cobra.ExactArgs(2),
		func(ctx context.Context, desk deskv1.DeskServiceClient, args []string) (proto.Message, error) {
			from, errFrom := revisionNumber(args[0])
			to, errTo := revisionNumber(args[1])
			if err := errors.Join(errFrom, errTo); err != nil {
				return nil, err
			}
			return desk.GetKnowledge(ctx, &deskv1.GetKnowledgeRequest{Revision: to, Since: &from})
		}, func(w io.Writer, m proto.Message) { fmt.Fprint(w, m.(*deskv1.GetKnowledgeResponse).GetDiff()) })
}

func revisionNumber(text string) (int64, error) {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("%q is no revision: constat-collector procedure log lists them", text)
	}
	return n, nil
}

func writeRevision(w io.Writer, r *deskv1.KnowledgeRevision) {
	var paths []string
	for _, f := range r.GetFiles() {
		paths = append(paths, f.GetPath())
	}
	ring := fmt.Sprintf("%d %% of the machines", r.GetPercent())
	if len(r.GetHosts()) > 0 {
		ring += " and " + strings.Join(r.GetHosts(), ", ")
	}
	fmt.Fprintf(w, "revision %d, %s, by %s, for %s", r.GetRevision(), r.GetAt().AsTime().Local().Format("2006-01-02 15:04"), r.GetAuthor(), ring)
	if r.GetNote() != "" {
		fmt.Fprintf(w, ": %s", r.GetNote())
	}
	if len(paths) == 0 {
		paths = []string{"no files: what is shipped, alone"}
	}
	fmt.Fprintf(w, "\n  %s\n", strings.Join(paths, ", "))
}

func writeProcedures(w io.Writer, m proto.Message) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "PROCEDURE\tVERSION\tWHOSE\tRUNS\tSOLVED\tHELPED\tTICKETS\tCLOSED\tREOPENED\tTIME\tASKED")
	share := func(part, of int64) string {
		if of == 0 {
			return "-"
		}
		return fmt.Sprintf("%d %%", (200*part+of)/(2*of))
	}
	for _, u := range m.(*deskv1.ListProceduresResponse).GetProcedures() {
		whose := "shipped"
		if u.GetOwn() {
			whose = "own"
		}
		rates := u.GetRates()
		if v := u.GetProcedure().GetVersion(); !slices.ContainsFunc(rates, func(r *deskv1.ProcedureRate) bool { return r.GetVersion() == v }) {
			rates = append([]*deskv1.ProcedureRate{{Version: v}}, rates...)
		}
		for _, r := range rates {
			line := []string{u.GetProcedure().GetId(), fmt.Sprint(r.GetVersion()), whose, fmt.Sprint(r.GetRuns()), share(r.GetSolved(), r.GetRuns()),
				share(r.GetHelped(), r.GetHelped()+r.GetNotHelped()), fmt.Sprint(r.GetTickets()), share(r.GetClosed(), r.GetTickets()), share(r.GetReopened(), r.GetTickets()), "-", "-"}
			if r.GetRuns() > 0 {
				line[9] = fmt.Sprintf("%d s", r.GetElapsedMs()/r.GetRuns()/1000)
				line[10] = fmt.Sprintf("%.1f", float64(r.GetAsked())/float64(r.GetRuns()))
			}
			fmt.Fprintln(t, strings.Join(line, "\t"))
		}
	}
	_ = t.Flush()
}

// writeUnclear says what people did not understand.
func writeUnclear(w io.Writer, rates []*deskv1.ProcedureRate) {
	for _, r := range rates {
		if len(r.GetUnclear()) > 0 {
			fmt.Fprintf(w, "\nunclear or missing in version %d, newest first:\n", r.GetVersion())
		}
		for _, said := range r.GetUnclear() {
			fmt.Fprintf(w, "  %s\n", said)
		}
	}
}

// firstBad is where text stops being UTF-8.
func firstBad(text []byte) int {
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRune(text[i:])
		if r == utf8.RuneError && size == 1 {
			return i
		}
		i += size
	}
	return len(text)
}

// knowledgeFiles reads files and folders.
func knowledgeFiles(args []string) ([]*deskv1.KnowledgeFile, error) {
	var files []*deskv1.KnowledgeFile
	add := func(file, path string) error {
		info, err := os.Stat(file)
		if err != nil {
			return err
		}
		if info.Size() > maxPushed {
			return fmt.Errorf("%s:1: larger than %d bytes; expected what a person reads: split it into several files", file, maxPushed)
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if !utf8.Valid(text) {
			return fmt.Errorf("%s:%d: expected text in UTF-8", file, 1+bytes.Count(text[:firstBad(text)], []byte("\n")))
		}
		files = append(files, &deskv1.KnowledgeFile{Path: path, Text: string(text)})
		return nil
	}
	for _, arg := range args {
		info, err := os.Stat(arg)
		if err != nil {
			return nil, err
		}
		if !info.IsDir() {
			path, ok := map[string]string{".md": "procedures/", ".yaml": "faults/", ".svg": "procedures/drawings/"}[filepath.Ext(arg)]
			if !ok {
				return nil, fmt.Errorf("%s: expected a file ending in .md (a procedure), .svg (a drawing) or .yaml (faults)", arg)
			}
			if err := add(arg, path+filepath.Base(arg)); err != nil {
				return nil, err
			}
			continue
		}
		before := len(files)
		for _, pattern := range []string{"faults/*.yaml", "procedures/*.md", "procedures/drawings/*.svg"} {
			names, err := fs.Glob(os.DirFS(arg), pattern)
			if err != nil {
				return nil, err
			}
			for _, name := range names {
				if err := add(filepath.Join(arg, filepath.FromSlash(name)), name); err != nil {
					return nil, err
				}
			}
		}
		if len(files) == before {
			return nil, fmt.Errorf("%s: expected faults/*.yaml or procedures/*.md in it", arg)
		}
	}
	return files, nil
}
