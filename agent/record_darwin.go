package main

import (
	"fmt"
	"io"

	"github.com/spf13/pflag"

	"constat/agent/host"
	constatv1 "constat/proto/constat/v1"
)

// recording is the flag --record of facts. It is offered on macOS only: no Mac has
// been read by this program yet, and it is how one can be read by somebody else.
type recording struct {
	recorder
	dir string
}

func (r *recording) offer(flags *pflag.FlagSet) {
	flags.StringVar(&r.dir, "record", "", "also write what was read, as it came but without what tells whose it is, into a new `DIR`")
}

func (r *recording) begin(c *host.Config) {
	if r.dir != "" {
		r.attach(c)
	}
}

func (r *recording) end(w io.Writer, s *constatv1.Snapshot) error {
	if r.dir == "" {
		return nil
	}
	if err := r.write(r.dir, s); err != nil {
		return fmt.Errorf("recording: %w", err)
	}
	fmt.Fprintf(w, "What was read is in %s, without names, serial numbers and addresses. Look through it before you send it.\n", r.dir)
	return nil
}
