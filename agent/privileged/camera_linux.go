package privileged

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

var coverName = regexp.MustCompile(`^(?:video|event)[0-9]{1,3}$`)

// cameraCover tells whether a camera's cover is closed: one byte, 0 or 1. The
// argument is the node of the camera itself (its V4L2 control "privacy"), or of
// the keys among which the machine's maker has put the switch. No picture is
// asked for.
func cameraCover(_ context.Context, name string) ([]byte, error) {
	if !coverName.MatchString(name) {
		return nil, errors.New("the argument must be the name of a camera's or of an input device's node")
	}
	dir, ask := "/dev", privacyControl
	if name[0] == 'e' {
		dir, ask = "/dev/input", coverSwitch
	}
	f, err := os.OpenFile(filepath.Join(dir, name), os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	closed, err := ask(f.Fd())
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return []byte{closed}, nil
}

// Bounds of a look at who has a camera open.
const (
	maxPrograms  = 8192
	maxOpenFiles = 4096
)

// cameraUser returns the name of a program that has a camera open, by the
// camera's node; nothing: none has. No other file of a program is told, nor its
// command line.
func cameraUser(ctx context.Context, name string) ([]byte, error) {
	if !coverName.MatchString(name) || name[0] != 'v' {
		return nil, errors.New("the argument must be the name of a camera's node")
	}
	return opener(ctx, "/dev/"+name)
}

// opener gives the name of a program that has a file open (proc(5), comm and fd).
// A program whose files can't be seen makes it an error that none was found.
func opener(ctx context.Context, file string) ([]byte, error) {
	proc, err := os.Open("/proc")
	if err != nil {
		return nil, err
	}
	defer proc.Close()
	names, err := proc.Readdirnames(maxPrograms)
	if err != nil {
		return nil, err
	}
	var hidden error
	for _, name := range names {
		if name[0] < '0' || name[0] > '9' {
			continue
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		dir := filepath.Join("/proc", name, "fd")
		fds, err := os.Open(dir)
		if errors.Is(err, fs.ErrPermission) {
			hidden = err
		}
		if err != nil {
			continue // it ended meanwhile
		}
		open, err := fds.Readdirnames(maxOpenFiles)
		fds.Close()
		if errors.Is(err, fs.ErrPermission) {
			hidden = err
		}
		for _, fd := range open {
			if target, err := os.Readlink(filepath.Join(dir, fd)); err == nil && target == file {
				comm, err := os.ReadFile(filepath.Join("/proc", name, "comm"))
				if err == nil {
					return bytes.TrimSpace(comm), nil
				}
			}
		}
	}
	return nil, hidden
}

// privacyControl asks a camera's driver (VIDIOC_G_CTRL with V4L2_CID_PRIVACY,
// include/uapi/linux/videodev2.h).
func privacyControl(fd uintptr) (byte, error) {
	const getControl, privacy = 0xc008561b, 0x009a0910
	control := struct {
		id    uint32
		value int32
	}{id: privacy}
	switch _, _, errno := unix.Syscall(unix.SYS_IOCTL, fd, getControl, uintptr(unsafe.Pointer(&control))); {
	case errno == unix.EINVAL || errno == unix.ENOTTY:
		return 0, fmt.Errorf("this camera does not tell whether it is covered: %w", fs.ErrNotExist)
	case errno != 0:
		return 0, errno
	}
	return byte(min(uint32(control.value), 1)), nil
}

// coverSwitch asks an input device for SW_CAMERA_LENS_COVER (EVIOCGSW,
// include/uapi/linux/input.h).
func coverSwitch(fd uintptr) (byte, error) {
	const lensCover = 9
	var switches [8]byte
	const getSwitches = 2<<30 | uintptr(len(switches))<<16 | 'E'<<8 | 0x1b
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, fd, getSwitches, uintptr(unsafe.Pointer(&switches))); errno != 0 {
		return 0, errno
	}
	return switches[lensCover/8] >> (lensCover % 8) & 1, nil
}
