//go:build unix

package local

import (
	"errors"
	"net"
	"os/user"
	"strconv"
)

func peerUser(c net.Conn) (User, error) {
	socket, ok := c.(*net.UnixConn)
	if !ok {
		return User{}, errors.New("not a UNIX socket")
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return User{}, err
	}
	var uid uint32
	var failed error
	if err := raw.Control(func(fd uintptr) { uid, failed = peerID(int(fd)) }); err != nil {
		return User{}, err
	}
	if failed != nil {
		return User{}, failed
	}
	id := strconv.FormatUint(uint64(uid), 10)
	if u, err := user.LookupId(id); err == nil {
		return User{ID: id, Name: u.Username}, nil
	}
	return User{ID: id, Name: id}, nil
}
