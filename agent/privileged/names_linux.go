package privileged

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// flushNames empties the caches of names of this machine, those that run, and
// tells which.
func flushNames(ctx context.Context, argument string) ([]byte, error) {
	if argument != "" {
		return nil, errors.New("flush-dns takes no argument")
	}
	var done []string
	var failed []error
	flushed := func(name string, err error) {
		if err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", name, err))
			return
		}
		done = append(done, name)
	}
	byBus := false
	conn, err := bus(ctx)
	if err == nil {
		defer conn.Close()
		if runs(ctx, conn, resolved) {
			// What a server could or could not do is forgotten as well, as
			// resolvectl reset-server-features does.
			const at, manager = "/org/freedesktop/resolve1", resolved + ".Manager"
			flushed("systemd-resolved", errors.Join(
				call(ctx, conn, resolved, at, manager+".FlushCaches").Err,
				call(ctx, conn, resolved, at, manager+".ResetServerFeatures").Err))
		}
		byBus = runs(ctx, conn, localDnsmasq)
		for _, keeper := range []struct{ name, called string }{{localDnsmasq, "dnsmasq"}, {networkDnsmasq, "NetworkManager's dnsmasq"}} {
			if runs(ctx, conn, keeper.name) {
				flushed(keeper.called, call(ctx, conn, keeper.name, "/uk/org/thekelleys/dnsmasq", localDnsmasq+".ClearCache").Err)
			}
		}
	}
	if !byBus {
		if pid := pidIn("/run/dnsmasq/dnsmasq.pid", "dnsmasq"); pid > 0 {
			// SIGHUP clears its cache (dnsmasq(8)). It runs as another user, and this
			// process may signal only its own: systemd sends it.
			err := syscall.Kill(pid, syscall.SIGHUP)
			if err != nil && conn != nil {
				err = call(ctx, conn, systemdBus, systemdPath, systemdManager+".KillUnit", "dnsmasq.service", "main", int32(syscall.SIGHUP)).Err
			}
			flushed("dnsmasq", err)
		}
	}
	// Last, since it asks those above: what they remembered must not come back.
	if err := invalidateHosts("/run/nscd/socket"); !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ECONNREFUSED) {
		flushed("nscd", err)
	}
	switch {
	case len(done) > 0:
		return []byte("the cache was emptied of " + strings.Join(done, ", ")), nil
	case len(failed) > 0:
		return nil, errors.Join(failed...)
	}
	return nil, fmt.Errorf("nothing on this machine keeps names: %w", fs.ErrNotExist)
}

// invalidateHosts has nscd forget its table of hosts: a request of version 2 of
// type INVALIDATE (nscd-client.h of glibc), which root alone may send.
func invalidateHosts(socket string) error {
	conn, err := net.DialTimeout("unix", socket, time.Second)
	if err != nil {
		return err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
	const version, invalidate, key = 2, 10, "hosts\x00"
	request := binary.NativeEndian.AppendUint32(nil, version)
	request = binary.NativeEndian.AppendUint32(request, invalidate)
	request = binary.NativeEndian.AppendUint32(request, uint32(len(key)))
	if _, err := conn.Write(append(request, key...)); err != nil {
		return err
	}
	var result [4]byte
	if _, err := io.ReadFull(conn, result[:]); err != nil {
		return err
	}
	if code := int32(binary.NativeEndian.Uint32(result[:])); code != 0 {
		return syscall.Errno(code)
	}
	return nil
}

// pidIn reads a file of a process's number, and looks whether the program is it.
func pidIn(file, program string) int {
	content, err := os.ReadFile(file)
	if err != nil {
		return 0
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(content)))
	if err != nil || pid <= 1 {
		return 0
	}
	name, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	if err != nil || strings.TrimSpace(string(name)) != program {
		return 0
	}
	return pid
}
