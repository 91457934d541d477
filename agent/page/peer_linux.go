package page

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
)

// littleEndian tells this machine's byte order.
var littleEndian = binary.NativeEndian.Uint16([]byte{1, 0}) == 1

// maxSockets bounds what is read of the kernel's table.
const maxSockets = 64 << 20

// sameUser asks the kernel whose socket is at the other end of a connection over
// loopback. Who can't be found out is somebody else.
func sameUser(c net.Conn) bool {
	mine, ok1 := c.LocalAddr().(*net.TCPAddr)
	theirs, ok2 := c.RemoteAddr().(*net.TCPAddr)
	if !ok1 || !ok2 {
		return false
	}
	table, err := os.ReadFile("/proc/thread-self/net/tcp") // the network that this code is in
	if err != nil || len(table) > maxSockets {
		return false
	}
	uid, err := owner(table, theirs.AddrPort(), mine.AddrPort())
	return err == nil && uid == os.Getuid()
}

// owner finds the user of the socket from one IPv4 address to another in
// /proc/…/net/tcp (proc_net_tcp.rst): addresses are hexadecimal, in the machine's
// byte order, ports in the network's.
func owner(table []byte, from, to netip.AddrPort) (uid int, err error) {
	lines := bufio.NewScanner(bytes.NewReader(table))
	for lines.Scan() {
		f := strings.Fields(lines.Text())
		if len(f) < 8 {
			continue
		}
		if local, err := tableAddress(f[1]); err != nil || local != unmapped(from) {
			continue
		}
		if remote, err := tableAddress(f[2]); err != nil || remote != unmapped(to) {
			continue
		}
		return strconv.Atoi(f[7])
	}
	return 0, errors.Join(lines.Err(), fmt.Errorf("no socket from %s to %s", from, to))
}

func tableAddress(text string) (netip.AddrPort, error) {
	address, port, found := strings.Cut(text, ":")
	raw, err := hex.DecodeString(address)
	number, bad := strconv.ParseUint(port, 16, 16)
	if !found || err != nil || bad != nil || len(raw) != 4 {
		return netip.AddrPort{}, fmt.Errorf("no address: %q", text)
	}
	if littleEndian {
		slices.Reverse(raw)
	}
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte(raw)), uint16(number)), nil
}
