//go:build !darwin

package main

import (
	"io"

	"github.com/spf13/pflag"

	"constat/agent/host"
	constatv1 "constat/proto/constat/v1"
)

// recording is not offered on this system, see record_darwin.go.
type recording struct{}

func (*recording) offer(*pflag.FlagSet)                     {}
func (*recording) begin(*host.Config)                       {}
func (*recording) end(io.Writer, *constatv1.Snapshot) error { return nil }
