package page

import (
	"encoding/binary"
	"net"
	"net/netip"
	"testing"
)

// A connection of this very process is its user's.
func TestOwnConnection(t *testing.T) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	out, err := net.Dial("tcp4", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	in, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	if !sameUser(in) {
		table, err := connections()
		t.Errorf("our own connection from %v is said to be another's: %d bytes of connections, %v", in.RemoteAddr(), len(table), err)
	}
}

func FuzzOwningProcess(f *testing.F) {
	from, to := netip.MustParseAddrPort("127.0.0.1:4660"), netip.MustParseAddrPort("127.0.0.1:22136")
	row := []byte{1, 0, 0, 0, 5, 0, 0, 0, 127, 0, 0, 1, 0x12, 0x34, 0, 0, 127, 0, 0, 1, 0x56, 0x78, 0, 0, 0, 0, 0, 0}
	binary.LittleEndian.PutUint32(row[24:], 4242)
	f.Add(row)
	f.Add([]byte{255, 255, 255, 255, 1})
	f.Fuzz(func(_ *testing.T, table []byte) { _, _ = owningProcess(table, from, to) })
	if process, err := owningProcess(row, from, to); process != 4242 || err != nil {
		f.Error(process, err)
	}
	if _, err := owningProcess(row, to, from); err == nil {
		f.Error("the other direction is the same connection")
	}
}
