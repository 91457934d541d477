package host

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/yusufpapurcu/wmi"
	"golang.org/x/sys/windows"
	"google.golang.org/protobuf/proto"

	constatv1 "constat/proto/constat/v1"
)

// Requests to disks and volumes (ntddstor.h, ntdddisk.h, ntddvol.h, winioctl.h).
const (
	storageQueryProperty  = 0x2d1400
	storagePredictFailure = 0x2d1100
	diskGeometryEx        = 0x0700a0
	volumeDiskExtents     = 0x560000
	volumeIsDirty         = 0x090078
)

// maxDrives is how many disks are looked for; their numbers have gaps.
const maxDrives = 64

// disks lists the disks and asks them for their health, once.
func (r *reader) disks(context.Context) *diskState {
	r.health.Do(func() { r.health.seen = readDisks() })
	return r.health.seen
}

func readDisks() *diskState {
	var s diskState
	var denied error
	for number := range maxDrives {
		name := fmt.Sprintf("PhysicalDrive%d", number)
		handle, err := openDevice(`\\.\`+name, 0)
		if errors.Is(err, fs.ErrPermission) {
			denied = err
		}
		if err != nil {
			continue
		}
		d, err := readDisk(handle)
		if err == nil {
			d.Name = &name
			told := health{d, &constatv1.DiskReading{Name: &name}}
			if err := diskHealth(name, d.GetBus(), told); err != nil {
				s.silent = append(s.silent, fmt.Errorf("%s: %w", name, err))
			} else {
				s.readings = append(s.readings, told.reading)
			}
			s.disks = append(s.disks, d)
		}
		windows.CloseHandle(handle)
	}
	if len(s.disks) == 0 {
		if s.listErr = denied; denied == nil {
			s.listErr = fmt.Errorf("no disk tells what it is: %w", errors.ErrUnsupported)
		}
	}
	return &s
}

func readDisk(handle windows.Handle) (*constatv1.Disk, error) {
	raw, err := control(handle, storageQueryProperty, make([]byte, 12), 4096)
	if err != nil {
		return nil, err
	}
	d, err := parseStorageDevice(raw)
	if err != nil {
		return nil, err
	}
	const seekPenalty = 7
	if raw, err := control(handle, storageQueryProperty, binary.LittleEndian.AppendUint32(nil, seekPenalty), 12); err == nil && d.GetBus() != "virtual" {
		d.Rotational = parseStoragePenalty(raw)
	}
	if raw, err := control(handle, diskGeometryEx, nil, 256); err == nil {
		d.SizeBytes = parseGeometry(raw)
	}
	return d, nil
}

// diskHealth asks a disk for its health. Disks behind USB are not asked: many
// bridges hang or reset on it.
func diskHealth(name, bus string, told health) error {
	var ask func(windows.Handle) error
	switch bus {
	case "nvme":
		ask = func(handle windows.Handle) error {
			question := nvmeQuestion()
			raw, err := control(handle, storageQueryProperty, question, len(question))
			if err != nil {
				return err
			}
			return parseNVMeAnswer(raw, told)
		}
	case "sata", "sas":
		ask = func(handle windows.Handle) error {
			raw, err := control(handle, storagePredictFailure, nil, 516)
			if err != nil {
				return err
			}
			return parsePrediction(raw, told)
		}
	case "":
		return fmt.Errorf("it does not tell what it is: %w", errors.ErrUnsupported)
	default:
		return fmt.Errorf("disks of the kind %q are not asked for their health: %w", bus, errors.ErrUnsupported)
	}
	handle, err := openDevice(`\\.\`+name, windows.GENERIC_READ|windows.GENERIC_WRITE)
	if err != nil {
		return err
	}
	defer windows.CloseHandle(handle)
	return ask(handle)
}

func readReadings(ctx context.Context, r *reader) (proto.Message, *constatv1.Observation) {
	const source = "health pages of the disks"
	o := observed(source)
	s := r.disks(ctx)
	if s.listErr != nil {
		return nil, failed(source, fmt.Errorf("no disk can be seen: %w", s.listErr))
	}
	for _, err := range s.silent {
		gap(o, "disks", err)
	}
	return &constatv1.Readings{Disks: s.readings}, o
}

func readStorage(ctx context.Context, r *reader) (proto.Message, *constatv1.Observation) {
	o := observed("storage requests, volumes, WMI")
	s := &constatv1.Storage{}
	seen := r.disks(ctx)
	if s.Disks = seen.disks; seen.listErr != nil {
		gap(o, "disks", seen.listErr)
	}
	for _, err := range seen.silent {
		gap(o, "disks.smart_passed", err)
	}
	if err := countDiskErrors(ctx, s.Disks); err != nil && len(s.Disks) > 0 {
		gap(o, "disks.io_errors", err)
	}
	encrypted, err := bitLocker(ctx)
	if err != nil {
		gap(o, "mounts.encryption", err)
	}
	drives, err := windows.GetLogicalDrives()
	if err != nil {
		gap(o, "mounts", err)
		return s, o
	}
	for letter := range 26 {
		if drives&(1<<letter) != 0 {
			if m := readVolume(string(rune('A'+letter))+":", encrypted); m != nil {
				s.Mounts = append(s.Mounts, m)
			}
		}
	}
	return s, o
}

// countDiskErrors adds what the event log has of the disks' errors since the start.
func countDiskErrors(ctx context.Context, disks []*constatv1.Disk) error {
	boot, err := started()
	if err != nil || len(disks) == 0 {
		return err
	}
	events, err := loggedEvents(ctx, diskRows, time.Since(boot))
	if err != nil {
		return err
	}
	counts := diskErrors(events)
	for _, d := range disks {
		if number, err := strconv.Atoi(strings.TrimPrefix(d.GetName(), "PhysicalDrive")); err == nil {
			d.IoErrors = set(counts[number])
		}
	}
	return nil
}

// readVolume tells of what stands behind a letter; nil where that is a disc, a
// share, or nothing that was put in.
func readVolume(drive string, encrypted map[string]string) *constatv1.Mount {
	root, err := windows.UTF16PtrFromString(drive + `\`)
	if err != nil {
		return nil
	}
	m := &constatv1.Mount{MountPoint: &drive, Remote: set(false)}
	switch windows.GetDriveType(root) {
	case windows.DRIVE_REMOTE:
		m.Remote = set(true) // its server may be gone: it is not asked
		return m
	case windows.DRIVE_FIXED, windows.DRIVE_REMOVABLE, windows.DRIVE_RAMDISK:
	default:
		return nil
	}
	var flags uint32
	var kind [64]uint16
	if err := windows.GetVolumeInformation(root, nil, 0, nil, nil, &flags, &kind[0], uint32(len(kind))); err != nil {
		return nil // no medium, or locked
	}
	const readOnly = 0x80000 // FILE_READ_ONLY_VOLUME
	m.Type, m.ReadOnly = filled(windows.UTF16ToString(kind[:])), set(flags&readOnly != 0)
	m.Encryption = filled(encrypted[drive])
	handle, err := openDevice(`\\.\`+drive, 0)
	if err != nil {
		return m
	}
	defer windows.CloseHandle(handle)
	if raw, err := control(handle, volumeDiskExtents, nil, 1024); err == nil {
		addExtents(m, raw)
	}
	if raw, err := control(handle, volumeIsDirty, nil, 4); err == nil {
		addDirty(m, raw)
	}
	return m
}

// wmiLimit is how long WMI may take: its service hangs on many a machine.
const wmiLimit = 2 * time.Second

// askWMI asks WMI on a thread of its own. One question that hangs costs what it was
// asked for; the package holds a lock while it asks, so that the next is asked only
// once that has come back.
func askWMI[T any](ctx context.Context, query, namespace string) ([]T, error) {
	drawsUnderWine()
	return bounded(ctx, "WMI", wmiLimit, func(context.Context) (rows []T, _ error) {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		if err := wmi.Query(query, &rows, ".", namespace); err != nil {
			return nil, wmiError(err)
		}
		return rows, nil
	})
}

// wmiError says an error of WMI in the words that statusOf knows. What a method
// complains of lies in the exception behind its error.
func wmiError(err error) error {
	var code interface{ Code() uintptr }
	var number uint32
	if errors.As(err, &code) {
		number = uint32(code.Code())
	}
	var outer interface{ SubError() error }
	if errors.As(err, &outer) {
		if inner, ok := outer.SubError().(interface{ SCODE() uint32 }); ok {
			number = inner.SCODE()
		}
	}
	switch number {
	case 0x80041003, 0x80070005: // WBEM_E_ACCESS_DENIED, E_ACCESSDENIED
		return fmt.Errorf("WMI refuses it (0x%08x): %w", number, fs.ErrPermission)
	case 0x8004100e, 0x80041010, 0x8004100c: // WBEM_E_INVALID_NAMESPACE, _INVALID_CLASS, _NOT_SUPPORTED
		return fmt.Errorf("WMI has no such thing here (0x%08x): %w", number, errors.ErrUnsupported)
	}
	return fmt.Errorf("WMI (0x%08x): %w", number, err)
}

// bitLocker tells of each letter how its volume is encrypted. Only an
// administrator may ask.
func bitLocker(ctx context.Context) (map[string]string, error) {
	volumes, err := askWMI[bitLockerVolume](ctx, "SELECT DriveLetter, ConversionStatus FROM Win32_EncryptableVolume", `root\CIMV2\Security\MicrosoftVolumeEncryption`)
	if err != nil {
		return nil, fmt.Errorf("BitLocker: %w", err)
	}
	return encryptionOf(volumes), nil
}
