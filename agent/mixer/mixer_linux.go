package mixer

import (
	"bytes"
	"io/fs"
	"math/bits"
	"os"
	"runtime"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// maxControls is how many controls of a card are looked at; studio cards have
// a few hundred.
const maxControls = 1024

// The kernel's structures on machines of 64 bits; the requests carry their size.
const (
	elemList = 0xc0505510 // SNDRV_CTL_IOCTL_ELEM_LIST
	elemInfo = 0xc1105511 // SNDRV_CTL_IOCTL_ELEM_INFO
	elemRead = 0xc4c85512 // SNDRV_CTL_IOCTL_ELEM_READ

	typeBoolean = 1
	typeInteger = 2
	ifaceMixer  = 2
	canRead     = 1
	maxChannels = 128
)

type elemID struct {
	number            uint32
	iface             int32
	device, subdevice uint32
	name              [44]byte
	index             uint32
}

type list struct {
	offset, space, used, count uint32
	ids                        *elemID
	_                          [56]byte
}

type info struct {
	id            elemID
	kind          int32
	access, count uint32
	owner         int32
	least, most   int64 // of an integer
	_             int64
	_             [104]byte
	_             [64]byte
}

type value struct {
	id      elemID
	_       uint64
	channel [maxChannels]int64
	_       [128]byte
}

// Read lists the switches and volumes of a card by its control node,
// "/dev/snd/controlC0".
func Read(node string) ([]Control, error) {
	if bits.UintSize != 64 {
		return nil, &fs.PathError{Op: "read the controls of", Path: node, Err: unix.ENOTSUP}
	}
	f, err := os.OpenFile(node, os.O_RDONLY|unix.O_NONBLOCK|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	ids := make([]elemID, maxControls)
	var pinned runtime.Pinner
	pinned.Pin(&ids[0])
	defer pinned.Unpin()
	all := list{space: maxControls, ids: &ids[0]}
	if err := control(f, elemList, unsafe.Pointer(&all)); err != nil {
		return nil, err
	}
	var controls []Control
	for _, id := range ids[:min(all.used, maxControls)] {
		name := string(id.name[:max(0, bytes.IndexByte(id.name[:], 0))])
		if id.iface != ifaceMixer || !strings.HasSuffix(name, " Switch") && !strings.HasSuffix(name, " Volume") {
			continue
		}
		i, v := info{id: id}, value{id: id}
		if control(f, elemInfo, unsafe.Pointer(&i)) != nil || i.access&canRead == 0 || control(f, elemRead, unsafe.Pointer(&v)) != nil {
			continue // it went away, or tells nothing
		}
		channels := v.channel[:min(i.count, maxChannels)]
		loudest := int64(0)
		for n, x := range channels {
			if n == 0 || x > loudest {
				loudest = x
			}
		}
		c := Control{Name: name}
		switch i.kind {
		case typeBoolean:
			on := loudest != 0
			c.On = &on
		case typeInteger:
			if c.Percent = share(loudest, i.least, i.most); c.Percent == nil {
				continue
			}
		default:
			continue
		}
		controls = append(controls, c)
	}
	return controls, nil
}

func control(f *os.File, request uintptr, structure unsafe.Pointer) error {
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, f.Fd(), request, uintptr(structure)); errno != 0 {
		return &fs.PathError{Op: "read the controls of", Path: f.Name(), Err: errno}
	}
	return nil
}
