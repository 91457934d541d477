package page

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"unsafe"

	"golang.org/x/sys/windows"
)

var getExtendedTCPTable = windows.NewLazySystemDLL("iphlpapi.dll").NewProc("GetExtendedTcpTable")

// sameUser asks Windows which program is at the other end of a connection over
// loopback, and whether it runs as the same user. Who can't be found out is
// somebody else.
func sameUser(c net.Conn) bool {
	mine, ok1 := c.LocalAddr().(*net.TCPAddr)
	theirs, ok2 := c.RemoteAddr().(*net.TCPAddr)
	if !ok1 || !ok2 {
		return false
	}
	table, err := connections()
	if err != nil {
		return false
	}
	process, err := owningProcess(table, theirs.AddrPort(), mine.AddrPort())
	if err != nil {
		return false
	}
	user, err := userOf(process)
	if err != nil {
		return false
	}
	me, err := windows.GetCurrentProcessToken().GetTokenUser()
	return err == nil && user.Equals(me.User.Sid)
}

// connections is MIB_TCPTABLE_OWNER_PID: the connections over IPv4, with the
// process of each (GetExtendedTcpTable, iphlpapi.h).
func connections() ([]byte, error) {
	const connected = 4 // TCP_TABLE_OWNER_PID_CONNECTIONS
	size := uint32(16 << 10)
	for range 8 { // others may come between two calls
		table := make([]byte, size)
		result, _, _ := getExtendedTCPTable.Call(uintptr(unsafe.Pointer(&table[0])), uintptr(unsafe.Pointer(&size)), 0, windows.AF_INET, connected, 0)
		switch err := syscall.Errno(result); {
		case err == 0:
			return table[:min(len(table), int(size))], nil
		case !errors.Is(err, windows.ERROR_INSUFFICIENT_BUFFER) || size > maxTable:
			return nil, fmt.Errorf("GetExtendedTcpTable: %w", err)
		}
		size += 4 << 10
	}
	return nil, errors.New("GetExtendedTcpTable: the table grows faster than it is read")
}

const maxTable = 16 << 20

// owningProcess finds the process that has the connection from one address to
// another. A row is state, local address and port, remote address and port, and
// the process, four bytes each; addresses and ports are in the network's order.
func owningProcess(table []byte, from, to netip.AddrPort) (uint32, error) {
	const row = 24
	if len(table) < 4 {
		return 0, errors.New("no table of connections")
	}
	n, rows := binary.LittleEndian.Uint32(table), table[4:]
	for i := 0; i < int(n) && len(rows) >= row; i, rows = i+1, rows[row:] {
		local := netip.AddrPortFrom(netip.AddrFrom4([4]byte(rows[4:8])), binary.BigEndian.Uint16(rows[8:10]))
		remote := netip.AddrPortFrom(netip.AddrFrom4([4]byte(rows[12:16])), binary.BigEndian.Uint16(rows[16:18]))
		if local == unmapped(from) && remote == unmapped(to) {
			return binary.LittleEndian.Uint32(rows[20:24]), nil
		}
	}
	return 0, fmt.Errorf("no connection from %s to %s", from, to)
}

// userOf is whose process it is.
func userOf(process uint32) (*windows.SID, error) {
	p, err := windows.OpenProcess(windows.PROCESS_QUERY_LIMITED_INFORMATION, false, process)
	if err != nil {
		return nil, fmt.Errorf("process %d: %w", process, err)
	}
	defer func() { _ = windows.CloseHandle(p) }()
	var token windows.Token
	if err := windows.OpenProcessToken(p, windows.TOKEN_QUERY, &token); err != nil {
		return nil, fmt.Errorf("process %d: %w", process, err)
	}
	defer token.Close()
	user, err := token.GetTokenUser()
	if err != nil {
		return nil, fmt.Errorf("process %d: %w", process, err)
	}
	return user.User.Sid.Copy()
}
