package main

import (
	"net"
	"strings"
	"testing"
)

func TestForeignListener(t *testing.T) {
	// The collector of the account 996 at 7400, somebody else's program at 7480,
	// and a connection of a third one that leaves from 7400's number.
	const table = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1CE8 00000000:0000 0A 00000000:00000000 00:00000000 00000000   996        0 41222 1 0000000000000000 100 0 0 10 0
   1: 0100007F:1D38 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 41223 1 0000000000000000 100 0 0 10 0
   2: 0100007F:1CE8 0100007F:9C40 01 00000000:00000000 00:00000000 00000000  1000        0 41224 1 0000000000000000 20 4 30 10 -1
`
	for port, want := range map[uint16]bool{7400: false, 7480: true, 22: false} {
		if got := foreignListener(strings.NewReader(table), port, 996); got != want {
			t.Errorf("port %d: %v", port, got)
		}
	}
	if foreignListener(strings.NewReader("no table\n  0: x y 0A\n"), 7400, 996) {
		t.Error("what is no table names somebody")
	}
}

func TestFreePorts(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	// These data are ours, and so is who listens there.
	s := defaults()
	s.Data, s.GRPC, s.HTTP = t.TempDir(), l.Addr().String(), "127.0.0.1:0"
	if err := freePorts(t.Context(), &s); err != nil {
		t.Error(err)
	}
}
