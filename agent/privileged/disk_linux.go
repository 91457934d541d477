package privileged

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// diskTime is how long a disk may take to tell its health. It is shorter than
// what the asking half waits, so that the reason arrives there.
const diskTime = 4 * time.Second

// Names of the kernel for whole NVMe and SCSI disks.
var (
	nvmeName = form(`^nvme[0-9]{1,4}n[0-9]{1,4}$`)
	scsiName = form(`^sd[a-z]{1,4}$`)
)

// diskNode returns the device file of a disk: a name of the pattern, in
// /sys/block, whose file is the block device that the kernel means by it.
func diskNode(name string, pattern *regexp.Regexp) (string, error) {
	if !pattern.MatchString(name) {
		return "", errors.New("the argument must be the kernel's name of a disk of this kind")
	}
	number, err := os.ReadFile("/sys/block/" + name + "/dev")
	if err != nil {
		return "", err
	}
	node := "/dev/" + name
	var stat unix.Stat_t
	if err := unix.Lstat(node, &stat); err != nil {
		return "", fmt.Errorf("%s: %w", node, err)
	}
	is := fmt.Sprintf("%d:%d", unix.Major(stat.Rdev), unix.Minor(stat.Rdev))
	if stat.Mode&unix.S_IFMT != unix.S_IFBLK || is != strings.TrimSpace(string(number)) {
		return "", fmt.Errorf("%s is not the disk %s", node, name)
	}
	return node, nil
}

// asking holds the disks whose answer is awaited.
var asking sync.Map

// alone asks a disk and waits for its answer until ctx ends. A disk that has
// not answered is not asked again: a call stuck in the kernel can't be ended,
// and they must not pile up.
func alone(ctx context.Context, name string, ask func() ([]byte, error)) ([]byte, error) {
	if _, busy := asking.LoadOrStore(name, true); busy {
		return nil, errors.New("it has not answered an earlier question yet")
	}
	type reply struct {
		content []byte
		err     error
	}
	replies := make(chan reply, 1)
	go func() {
		content, err := ask()
		asking.Delete(name)
		replies <- reply{content, err}
	}()
	select {
	case r := <-replies:
		return r.content, r.err
	case <-ctx.Done():
		return nil, fmt.Errorf("no answer within %s: %w", diskTime, ctx.Err())
	}
}

// nvmeHealth returns the SMART/Health Information log page of an NVMe disk as
// it is (NVM Express base specification, Get Log Page, log identifier 02h).
func nvmeHealth(ctx context.Context, name string) ([]byte, error) {
	node, err := diskNode(name, nvmeName())
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, diskTime)
	defer cancel()
	return alone(ctx, name, func() ([]byte, error) { return nvmeLogPage(node) })
}

// nvmeCommand is struct nvme_admin_cmd of linux/nvme_ioctl.h.
type nvmeCommand struct {
	opcode, flags           uint8
	_                       uint16
	namespace               uint32
	cdw2, cdw3              uint32
	metadata, address       uint64
	metadataLength, length  uint32
	cdw10, cdw11, cdw12     uint32
	cdw13, cdw14, cdw15     uint32
	timeoutMilliseconds, cc uint32
}

func nvmeLogPage(node string) ([]byte, error) {
	const (
		adminCommand  = 0xc0484e41 // NVME_IOCTL_ADMIN_CMD
		getLogPage    = 0x02
		healthLog     = 0x02
		allNamespaces = 0xffffffff
		pageSize      = 512
	)
	f, err := os.Open(node)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	page := make([]byte, pageSize)
	var pinned runtime.Pinner
	pinned.Pin(&page[0])
	defer pinned.Unpin()
	command := &nvmeCommand{
		opcode: getLogPage, namespace: allNamespaces, address: uint64(uintptr(unsafe.Pointer(&page[0]))), length: pageSize,
		cdw10:               healthLog | (pageSize/4-1)<<16,
		timeoutMilliseconds: uint32(diskTime.Milliseconds()),
	}
	status, _, errno := unix.Syscall(unix.SYS_IOCTL, f.Fd(), adminCommand, uintptr(unsafe.Pointer(command)))
	switch {
	case errno != 0:
		return nil, &fs.PathError{Op: "get log page", Path: node, Err: errno}
	case status != 0:
		return nil, fmt.Errorf("%s refuses its health page with NVMe status %#x", node, status)
	}
	return page, nil
}

// smartctls are the places of smartctl(8), of the package smartmontools.
var smartctls = []string{"/usr/sbin/smartctl", "/usr/bin/smartctl", "/usr/local/sbin/smartctl"}

// smart returns what smartctl tells of a SCSI or ATA disk's health, as JSON. A
// disk that sleeps is left asleep.
func smart(ctx context.Context, name string) ([]byte, error) {
	node, err := diskNode(name, scsiName())
	if err != nil {
		return nil, err
	}
	for _, program := range smartctls {
		if _, err := os.Stat(program); err == nil {
			ctx, cancel := context.WithTimeout(ctx, diskTime)
			defer cancel()
			return alone(ctx, name, func() ([]byte, error) { return runSmartctl(ctx, program, node) })
		}
	}
	return nil, fmt.Errorf("smartctl is not installed, the package smartmontools brings it: %w", fs.ErrNotExist)
}

// runSmartctl returns its output; its exit status tells of the disk too
// (smartctl(8), EXIT STATUS), so only silence is an error.
func runSmartctl(ctx context.Context, program, node string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, program, "-j", "-A", "-H", "-n", "standby", node)
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C"}
	cmd.WaitDelay = time.Second // for children that keep the pipe
	output := &bounded{}
	cmd.Stdout = output
	err := cmd.Run()
	if ctx.Err() != nil {
		return nil, fmt.Errorf("smartctl was ended: %w", ctx.Err())
	}
	switch {
	case output.overflown:
		return nil, fmt.Errorf("smartctl says more than %d bytes", maxAnswer)
	case err != nil && !errors.As(err, new(*exec.ExitError)):
		return nil, fmt.Errorf("smartctl: %w", err)
	case len(output.content) == 0:
		return nil, errors.New("smartctl says nothing")
	}
	return output.content, nil
}

// bounded keeps what fits into an answer; more breaks the writer's pipe.
type bounded struct {
	content   []byte
	overflown bool
}

func (b *bounded) Write(p []byte) (int, error) {
	if len(b.content)+len(p) > maxAnswer {
		b.overflown = true
		return 0, io.ErrShortWrite
	}
	b.content = append(b.content, p...)
	return len(p), nil
}
