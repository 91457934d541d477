package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"constat/agent/local"
	"constat/agent/uplink"
	"constat/internal/command"
	constatv1 "constat/proto/constat/v1"
)

// maxToken bounds what is read as an enrolment token.
const maxToken = 4096

func enrollCommand(o *options) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "enroll",
		Short: "Join this computer to a collector, with a token",
		Long: "enroll trades a token for this computer's own certificate. The token is read\n" +
			"from --token-file, from standard input (--token-file -) or from the environment\n" +
			"variable CONSTAT_TOKEN; it never needs to stand on a command line.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := o.load(cmd)
			if err != nil {
				return err
			}
			token, err := readToken(s.TokenFile, cmd.InOrStdin())
			if err != nil {
				return err
			}
			if s.Collector == "" {
				return errors.New("which collector? name it with --collector HOST:PORT")
			}
			if token == "" {
				return errors.New("a token is needed: name its file with --token-file, or give it on standard input with --token-file -")
			}
			seen, err := newObserver(cmd.Context(), s, s.Data, groups())
			if err != nil {
				return err
			}
			defer seen.close()
			link, err := enroll(cmd.Context(), seen, s.Collector, token, uplink.Proxy(s.Proxy))
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "This computer is enrolled at %s as %s.\n", s.Collector, link.EndpointID())
			return nil
		},
	}
	collectorFlags(cmd)
	return cmd
}

func collectorFlags(cmd *cobra.Command) {
	cmd.Flags().String("collector", "", "the collector, `HOST:PORT`")
	cmd.Flags().String("proxy", "", "HTTP proxy to the collector, a `URL`, or direct (default: HTTPS_PROXY decides)")
	cmd.Flags().String("token-file", "", "`FILE` with the enrolment token; - reads standard input")
}

// readToken reads the enrolment token from where the user keeps it; none is
// the empty string.
func readToken(file string, stdin io.Reader) (string, error) {
	var from io.Reader
	switch file {
	case "":
		return strings.TrimSpace(os.Getenv("CONSTAT_TOKEN")), nil
	case "-":
		from = stdin
	default:
		f, err := os.Open(file)
		if errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("there is no token file %s", file)
		}
		if err != nil {
			return "", fmt.Errorf("reading the enrolment token: %w", err)
		}
		defer f.Close()
		from = f
	}
	text, err := io.ReadAll(io.LimitReader(from, maxToken+1))
	switch {
	case err != nil:
		return "", fmt.Errorf("reading the enrolment token: %w", err)
	case len(text) > maxToken:
		return "", fmt.Errorf("%s is no enrolment token: it is larger than %d bytes", file, maxToken)
	}
	return strings.TrimSpace(string(text)), nil
}

func statusCommand(o *options) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Say how the agent of this computer stands",
		Long:  "status asks the running agent. Exit codes: 0 it is connected, 1 it is not, 2 it does not run.",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := o.load(cmd)
			if err != nil {
				return err
			}
			conn, err := local.Dial(cmd.Context(), local.Socket(s.Data))
			if err != nil {
				return err
			}
			defer conn.Close()
			st, err := constatv1.NewLocalServiceClient(conn).GetStatus(cmd.Context(), &constatv1.GetStatusRequest{})
			if err != nil {
				return command.Plain(err)
			}
			if asJSON {
				err = command.WriteMessage(cmd.OutOrStdout(), st, command.EveryKey)
			} else {
				writeStatus(cmd.OutOrStdout(), st)
			}
			if err == nil && !st.Connected {
				return command.No
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "one JSON object on standard output")
	return cmd
}

func writeStatus(out io.Writer, st *constatv1.GetStatusResponse) {
	r := reportWriter{w: out}
	r.line("agent:      %s", st.AgentVersion)
	if st.Enrolled {
		r.line("enrolled:   yes, as %s", st.EndpointId)
		r.line("collector:  %s", st.Collector)
		r.line("waiting:    %d", st.Spooled)
	} else {
		r.line("enrolled:   no")
	}
	if st.Connected {
		r.line("connected:  yes")
	} else {
		r.line("connected:  no (%s)", st.Problem)
	}
}
