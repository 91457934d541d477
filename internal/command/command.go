// Package command is what the command lines of all programs have in common: how
// they begin and end, and how they write answers, errors and logs.
package command

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// Exit is an error that ends a program with this code and no further word.
type Exit int

// Exit codes of every command, beside 0: done.
const (
	// No: the answer is no; for a diagnosis, a fault was found.
	No Exit = 1
	// Failure: wrong usage, or it could not be done.
	Failure Exit = 2
	// Undetermined: for a diagnosis, facts were missing.
	Undetermined Exit = 3
)

func (e Exit) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

// Main runs a program's command line and ends the program. Ctrl-C and SIGTERM
// end the commands' context.
func Main(root *cobra.Command) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if len(os.Args) > 1 {
		// Who double-clicks a program is told by cobra to open a console. A shortcut or
		// what starts with a session has words, and means them: "constat-agent tray".
		cobra.MousetrapHelpText = ""
	}
	os.Exit(Run(ctx, root, os.Args[1:], os.Stdout, os.Stderr))
}

// Run runs one command line and returns the program's exit code.
func Run(ctx context.Context, root *cobra.Command, args []string, stdout, stderr io.Writer) int {
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	var code Exit
	switch {
	case err == nil:
		return 0
	case errors.As(err, &code):
		return int(code)
	}
	fmt.Fprintf(stderr, "%s: %v\n", root.Name(), err)
	return int(Failure)
}

// Language is what texts for people are written in, en or fr: what was asked for,
// else the system's.
func Language(asked string) string {
	for _, choice := range []string{asked, os.Getenv("LC_ALL"), os.Getenv("LC_MESSAGES"), os.Getenv("LANG")} {
		if choice != "" {
			if strings.HasPrefix(strings.ToLower(choice), "fr") {
				return "fr"
			}
			return "en"
		}
	}
	return "en"
}

// Log writes text to a terminal and JSON to everything else.
func Log(w io.Writer) *slog.Logger {
	if Terminal(w) {
		return slog.New(slog.NewTextHandler(w, nil))
	}
	return slog.New(slog.NewJSONHandler(w, nil))
}

// Ready tells a service manager that the program is at work (sd_notify(3)); where
// none asked, nothing happens.
func Ready() {
	c, err := net.Dial("unixgram", os.Getenv("NOTIFY_SOCKET"))
	if err != nil {
		return // nobody waits
	}
	defer c.Close()
	_, _ = io.WriteString(c, "READY=1")
}

// Terminal tells whether a person reads w.
func Terminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// Plain takes the transport's wrapping off an error that is meant for people.
func Plain(err error) error {
	if s, ok := status.FromError(err); ok {
		return errors.New(s.Message())
	}
	return err
}

// EveryKey is for objects whose every key is promised to be there.
var EveryKey = protojson.MarshalOptions{EmitDefaultValues: true}

// WriteMessage prints a message as one JSON object. protojson varies its white
// space on purpose; what others script against should not.
func WriteMessage(w io.Writer, m proto.Message, o protojson.MarshalOptions) error {
	o.Multiline = false
	// Snapshots are large: what is set aside and not used costs nothing.
	const usual = 512 << 10
	if o == (protojson.MarshalOptions{}) {
		if text, err := appendMessage(make([]byte, 0, usual), m); err == nil {
			_, err = w.Write(append(text, '\n'))
			return err
		}
	}
	text, err := o.MarshalAppend(make([]byte, 0, usual), m)
	if err != nil {
		return err
	}
	_, err = w.Write(append(indent(make([]byte, 0, 2*usual), text), '\n'))
	return err
}

// indent writes JSON as json.Indent does, two spaces deep. It believes that it is
// JSON, and that alone makes it several times as fast.
func indent(to, text []byte) []byte {
	depth := 0
	line := func() {
		to = append(to, '\n')
		for range depth {
			to = append(to, "  "...)
		}
	}
	for i := 0; i < len(text); i++ {
		switch c := text[i]; c {
		case ' ', '\n', '\r', '\t':
		case '"':
			end := i + 1
			for text[end] != '"' {
				if text[end] == '\\' {
					end++
				}
				end++
			}
			to = append(to, text[i:end+1]...)
			i = end
		case '{', '[':
			to = append(to, c)
			depth++
			if next := i + 1 + len(text[i+1:]) - len(bytes.TrimLeft(text[i+1:], " \n\r\t")); text[next] == '}' || text[next] == ']' {
				to = append(to, text[next])
				depth--
				i = next
				continue
			}
			line()
		case '}', ']':
			depth--
			line()
			to = append(to, c)
		case ',':
			to = append(to, c)
			line()
		case ':':
			to = append(to, ": "...)
		default:
			to = append(to, c)
		}
	}
	return to
}

// WriteJSON prints a value as one indented JSON object.
func WriteJSON(w io.Writer, v any) error {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		return err
	}
	_, err := w.Write(out.Bytes())
	return err
}
