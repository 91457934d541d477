package host

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"constat/agent/hidpp"
	constatv1 "constat/proto/constat/v1"
)

const (
	inputsFile = "/proc/bus/input/devices"
	hidrawDir  = "/sys/class/hidraw"
	supplyDir  = "/sys/class/power_supply"
)

// receiversLimit is how long all receivers together may take, so that what else
// there is to say is said.
const receiversLimit = 4 * time.Second

func readPeripherals(ctx context.Context, r *reader) (proto.Message, *constatv1.Observation) {
	o := observed(inputsFile + ", /sys/bus/usb, " + supplyDir + ", HID++, BlueZ, ALSA")
	p := &constatv1.Peripherals{}
	var b belongings
	inputs, inputsErr := r.file(inputsFile)
	b.inputs = parseInputDevices(inputs)
	if inputsErr == nil && len(b.inputs) == 0 && len(inputs) > 0 {
		inputsErr = errors.New("the list cannot be understood")
	}
	b.inputsKnown = inputsErr == nil
	var usbErr error
	b.usb, usbErr = usbDevices(r)
	if inputsErr != nil {
		gap(o, "devices", fmt.Errorf("keyboards, mice and the like: %w", inputsErr))
	}
	if usbErr != nil && !errors.Is(usbErr, fs.ErrNotExist) { // not there: a kernel without USB
		gap(o, "devices", usbErr)
	}
	b.functions = map[string]usbFunctions{}
	for _, d := range b.usb {
		if raw, err := r.file(usbDir + "/" + d.GetPath() + "/descriptors"); err == nil {
			b.functions[d.GetPath()] = parseUSBFunctions(raw)
		}
	}
	b.batteries = hidBatteries(r)
	b.receivers = readReceivers(ctx, r, o)
	p.Devices = b.peripherals()
	readBluetooth(ctx, r, p, o)
	readAudio(ctx, r, b.usb, b.functions, p, o)
	readCameras(ctx, r, b.inputs, p, o)
	gap(o, "absent", fmt.Errorf("what was here before is remembered by the agent's service, which has not run here: %w", errors.ErrUnsupported))
	return p, o
}

// hidBatteries reads the power supplies that are batteries of devices, not of
// the machine.
func hidBatteries(r *reader) []hidBattery {
	var list []hidBattery
	names, _ := r.names(supplyDir)
	for _, name := range names[:min(len(names), maxInputs)] {
		dir := supplyDir + "/" + name
		if r.value(dir+"/scope") != "Device" {
			continue
		}
		b := hidBattery{
			name: r.value(dir + "/model_name"), maker: r.value(dir + "/manufacturer"), serial: r.value(dir + "/serial_number"),
			status: r.value(dir + "/status"), level: r.value(dir + "/capacity_level"), online: r.flag(dir + "/online"),
		}
		if n := r.number(dir + "/capacity"); n != nil && *n >= 0 && *n <= 100 {
			b.percent = set(int32(*n))
		}
		if target, err := r.link(dir); err == nil {
			b.place = placeOf(target)
		}
		list = append(list, b)
	}
	return list
}

// readReceivers asks Logitech's receivers, by the process that holds the rights,
// and returns what they told by their USB path, or by their place on the HID bus
// where they are on no USB port of this machine.
func readReceivers(ctx context.Context, r *reader, o *constatv1.Observation) map[string][]*constatv1.Peripheral {
	names, err := r.names(hidrawDir)
	if err != nil {
		return nil // no HID at all
	}
	ctx, cancel := context.WithTimeout(ctx, receiversLimit)
	defer cancel()
	told := map[string][]*constatv1.Peripheral{}
	for _, name := range names[:min(len(names), maxInputs)] {
		where, isReceiver := receiverAt(r, hidrawDir+"/"+name)
		at := cmp.Or(where.usb, where.hid)
		if !isReceiver || told[at] != nil {
			continue
		}
		devices, err := askReceiver(ctx, r, name)
		if err != nil {
			gap(o, "devices", fmt.Errorf("what is paired with the receiver at %s: %w", at, err))
			continue
		}
		for _, d := range devices {
			if where.usb == "" && d.GetKind() == "receiver" { // no USB device tells what it is
				d.Id = set(hidID(where.hid))
				if name, known := hidpp.ReceiverName(strings.TrimPrefix(d.GetId(), "046d:")); known {
					d.Model = &name
				}
			}
		}
		told[at] = devices
	}
	return told
}

// receiverAt tells whether a hidraw node is where a receiver speaks HID++, and
// where that is.
func receiverAt(r *reader, dir string) (where place, ok bool) {
	target, err := r.link(dir)
	if err != nil {
		return where, false
	}
	where = placeOf(target)
	product, logitech := strings.CutPrefix(hidID(where.hid), "046d:")
	if _, known := hidpp.ReceiverName(product); !logitech || !known || where.paired || where.bluetooth {
		return where, false
	}
	descriptor, err := r.file(dir + "/device/report_descriptor")
	if err != nil {
		return where, false
	}
	const short, long = 0x10, 0x11
	reports := vendorReports(descriptor)
	return where, reports[short] && reports[long]
}

// askReceiver has one receiver asked.
func askReceiver(ctx context.Context, r *reader, name string) ([]*constatv1.Peripheral, error) {
	if r.Privileged == nil {
		return nil, fmt.Errorf("asking it needs rights: %w", fs.ErrPermission)
	}
	content, err := r.Privileged(ctx, "hidpp", name)
	if err != nil {
		return nil, err
	}
	var answer constatv1.Peripherals
	if err := protojson.Unmarshal(content, &answer); err != nil {
		return nil, fmt.Errorf("the answer makes no sense: %w", err)
	}
	return answer.Devices, nil
}

const videoDir = "/sys/class/video4linux"

// readCameras lists video sources, one a camera: its further nodes carry
// metadata.
func readCameras(ctx context.Context, r *reader, inputs []inputDevice, p *constatv1.Peripherals, o *constatv1.Observation) {
	nodes, err := r.names(videoDir)
	if err != nil {
		return // no driver of a camera is loaded, so there is none
	}
	users, usersErr := map[string]string{}, error(nil)
	if len(nodes) > 0 {
		users, usersErr = holders(r, "/dev/video")
	}
	var silent, unseen error
	var own []*constatv1.Camera // those that nobody plugged in
	for _, node := range nodes[:min(len(nodes), maxInputs)] {
		if index := r.number(videoDir + "/" + node + "/index"); index == nil || *index != 0 {
			continue
		}
		c := &constatv1.Camera{Name: r.word(videoDir + "/" + node + "/name")}
		user, found := users["/dev/"+node]
		switch {
		case found:
			c.UsedBy = filled(user) // it may have ended meanwhile
		case usersErr == nil:
			c.UsedBy = set("")
		case r.Privileged != nil: // whoever sits at the screen is another than we are
			if user, err := r.Privileged(ctx, "camera-user", node); err == nil {
				c.UsedBy = set(strings.ToValidUTF8(string(user), "\uFFFD"))
			} else {
				unseen = err
			}
		default:
			unseen = usersErr
		}
		p.Cameras = append(p.Cameras, c)
		if c.Covered, err = askCover(ctx, r, node); err != nil {
			silent = err
		}
		if target, err := r.link(videoDir + "/" + node); err == nil {
			if usb := placeOf(target).usb; usb == "" || r.value(usbDir+"/"+usb+"/removable") != "removable" {
				own = append(own, c)
			}
		}
	}
	// A switch of the machine is for its own camera.
	for _, d := range inputs {
		if hasBit(d.switches, lensCover) && d.node != "" && len(own) == 1 && own[0].Covered == nil {
			if own[0].Covered, silent = askCover(ctx, r, d.node); silent == nil {
				break
			}
		}
	}
	if silent != nil {
		gap(o, "cameras.covered", silent)
	}
	if unseen != nil {
		gap(o, "cameras.used_by", unseen)
	}
}

// askCover tells whether a cover is closed, by the node of a camera or of the
// input device with the switch, which belong to whoever sits at the screen.
func askCover(ctx context.Context, r *reader, node string) (*bool, error) {
	if r.Privileged == nil {
		return nil, fmt.Errorf("asking for a camera's cover needs rights: %w", fs.ErrPermission)
	}
	answer, err := r.Privileged(ctx, "camera-cover", node)
	switch {
	case err != nil:
		return nil, err
	case len(answer) != 1:
		return nil, fmt.Errorf("%s: the answer makes no sense", node)
	}
	return set(answer[0] != 0), nil
}

// Bounds of a look at who has a file open.
const (
	maxHolders   = 8192
	maxOpenFiles = 4096
)

// holders finds which programs have files open whose names begin with prefix:
// program by file. The error says that some programs could not be looked at.
func holders(r *reader, prefix string) (map[string]string, error) {
	found := map[string]string{}
	names, err := r.names("/proc")
	if err != nil {
		return found, err
	}
	var hidden error
	for _, name := range names[:min(len(names), maxHolders)] {
		if _, err := strconv.Atoi(name); err != nil {
			continue
		}
		dir := "/proc/" + name + "/fd"
		open, err := r.names(dir)
		if errors.Is(err, fs.ErrPermission) {
			hidden = cmp.Or(hidden, fmt.Errorf("other people's programs can't be looked at: %w", fs.ErrPermission))
		}
		for _, fd := range open[:min(len(open), maxOpenFiles)] {
			target, err := r.link(dir + "/" + fd)
			if err == nil && strings.HasPrefix(target, prefix) {
				found[target] = r.value("/proc/" + name + "/comm")
			}
		}
	}
	return found, hidden
}
