package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"unsafe"

	"golang.org/x/sys/windows"
	"google.golang.org/protobuf/proto"

	constatv1 "constat/proto/constat/v1"
)

var (
	wlanapi             = windows.NewLazySystemDLL("wlanapi.dll")
	wlanOpenHandle      = wlanapi.NewProc("WlanOpenHandle")
	wlanCloseHandle     = wlanapi.NewProc("WlanCloseHandle")
	wlanEnumInterfaces  = wlanapi.NewProc("WlanEnumInterfaces")
	wlanQueryInterface  = wlanapi.NewProc("WlanQueryInterface")
	wlanGetBSSList      = wlanapi.NewProc("WlanGetNetworkBssList")
	wlanGetProfileList  = wlanapi.NewProc("WlanGetProfileList")
	wlanGetProfile      = wlanapi.NewProc("WlanGetProfile")
	wlanFreeMemory      = wlanapi.NewProc("WlanFreeMemory")
	errWithheldLocation = fmt.Errorf("Windows withholds it without the consent to location: %w", fs.ErrPermission)
)

// Questions about an interface (WLAN_INTF_OPCODE).
const (
	wlanOpRadioState = 4
	wlanOpConnection = 7
	wlanOpChannel    = 8
	wlanOpRSSI       = 0x10000102
)

// wlanInterface is WLAN_INTERFACE_INFO.
type wlanInterface struct {
	guid        windows.GUID
	description [256]uint16
	state       uint32
}

func readWifi(_ context.Context, r *reader) (proto.Message, *constatv1.Observation) {
	const source = "WLAN API"
	o := observed(source)
	w := &constatv1.Wifi{}
	state, err := r.serviceWord("WlanSvc")
	if err != nil {
		gap(o, "service_state", err)
	}
	w.ServiceState = filled(state)
	client, adapters, err := wlanAdapters()
	if errors.Is(err, windows.ERROR_SERVICE_NOT_ACTIVE) {
		gap(o, "radios", fmt.Errorf("the service does not run: %w", err))
		return w, o
	}
	if err != nil {
		return nil, failed(source, err)
	}
	defer wlanCloseHandle.Call(client, 0)
	if len(adapters) == 0 {
		return w, o
	}
	stack := &ipStack{}
	if err := stack.readInterfaces(); err != nil {
		gap(o, "radios.link", err)
	}
	stack.readDevices(func(instance string) string { return instance })
	withheld := false
	for _, a := range adapters {
		radio := &constatv1.Radio{}
		if int(a.state) < len(wlanStates) {
			radio.State = &wlanStates[a.state]
		}
		for _, l := range stack.links {
			if strings.EqualFold(l.guid, a.guid.String()) && l.flags&ipFilter == 0 {
				radio.Link, radio.Driver = filled(l.name), filled(l.device.service)
			}
		}
		withheld = a.describe(radio, o) || withheld
		w.Radios = append(w.Radios, radio)
	}
	if withheld {
		for _, fact := range []string{"radios.ssid", "radios.bssid", "radios.signal_dbm", "radios.security", "radios.networks_heard"} {
			gap(o, fact, errWithheldLocation)
		}
	}
	return w, o
}

// wlanAdapter is one interface of an open client.
type wlanAdapter struct {
	client uintptr
	guid   windows.GUID
	state  uint32
}

// wlanAdapters opens a client of the service, which the caller closes where there
// is no error, and lists its interfaces.
func wlanAdapters() (client uintptr, adapters []wlanAdapter, err error) {
	var version uint32
	if err := call(wlanOpenHandle, 2, 0, uintptr(unsafe.Pointer(&version)), uintptr(unsafe.Pointer(&client))); err != nil {
		return 0, nil, err
	}
	var list *struct {
		count, index uint32
		all          [1]wlanInterface
	}
	if err := call(wlanEnumInterfaces, client, 0, uintptr(unsafe.Pointer(&list))); err != nil {
		wlanCloseHandle.Call(client, 0)
		return 0, nil, err
	}
	if list == nil {
		return client, nil, nil
	}
	defer wlanFreeMemory.Call(uintptr(unsafe.Pointer(list)))
	for _, i := range unsafe.Slice(&list.all[0], list.count)[:min(list.count, 16)] {
		adapters = append(adapters, wlanAdapter{client, i.guid, i.state})
	}
	return client, adapters, nil
}

// signal is how well the adapter hears its access point, in dBm; nil where it does
// not tell.
func (a *wlanAdapter) signal() *int32 {
	raw, err := a.ask(wlanOpRSSI)
	if err != nil || len(raw) < 4 {
		return nil
	}
	if dbm := *(*int32)(unsafe.Pointer(&raw[0])); dbm < 0 && dbm >= -200 {
		return &dbm
	}
	return nil
}

// ask asks one question about an interface.
func (a *wlanAdapter) ask(code uint32) ([]byte, error) {
	var size, kind uint32
	var data *byte
	err := call(wlanQueryInterface, a.client, uintptr(unsafe.Pointer(&a.guid)), uintptr(code), 0,
		uintptr(unsafe.Pointer(&size)), uintptr(unsafe.Pointer(&data)), uintptr(unsafe.Pointer(&kind)))
	if err != nil || data == nil {
		return nil, err
	}
	defer wlanFreeMemory.Call(uintptr(unsafe.Pointer(data)))
	return slices.Clone(unsafe.Slice(data, min(size, 1<<20))), nil
}

// describe adds what the service tells of one radio, and whether it kept
// something to itself.
func (a *wlanAdapter) describe(r *constatv1.Radio, o *constatv1.Observation) (withheld bool) {
	if raw, err := a.ask(wlanOpRadioState); err == nil {
		addRadioState(r, raw)
	}
	if r.GetState() == "off" {
		return false
	}
	var own []byte
	raw, err := a.ask(wlanOpConnection)
	switch {
	case err == nil:
		if own, err = addConnection(r, raw); err != nil {
			gap(o, "radios.ssid", err)
		}
	case errors.Is(err, fs.ErrPermission):
		withheld = true
	}
	if r.GetState() == "connected" {
		if dbm := a.signal(); dbm != nil {
			r.SignalDbm = dbm
		}
	}
	heard, err := a.heard(own)
	switch {
	case err == nil:
		addHeard(r, heard, nil, a.wanted())
	case errors.Is(err, fs.ErrPermission):
		withheld = true
	default:
		gap(o, "radios.networks_heard", err)
	}
	if raw, err := a.ask(wlanOpChannel); err == nil && len(raw) >= 4 && r.Channel == nil && r.GetState() == "connected" {
		if n := *(*uint32)(unsafe.Pointer(&raw[0])); n > 0 && n < 256 {
			r.Channel = set(int32(n))
		}
	}
	return withheld
}

// heard lists the access points that Windows heard lately; nothing is sent.
func (a *wlanAdapter) heard(own []byte) ([]bss, error) {
	const any = 3 // dot11_BSS_type_any
	var list *[2]uint32
	err := call(wlanGetBSSList, a.client, uintptr(unsafe.Pointer(&a.guid)), 0, any, 0, 0, uintptr(unsafe.Pointer(&list)))
	if err != nil || list == nil {
		return nil, err
	}
	defer wlanFreeMemory.Call(uintptr(unsafe.Pointer(list)))
	return parseBSSList(slices.Clone(unsafe.Slice((*byte)(unsafe.Pointer(list)), min(list[0], 16<<20))), own)
}

// wanted are the networks that this machine joins by itself. Of the profiles,
// whose keys stay sealed, only the name and that is looked at.
func (a *wlanAdapter) wanted() (names []string) {
	var list *struct {
		count, index uint32
		all          [1]struct {
			name  [256]uint16
			flags uint32
		}
	}
	if err := call(wlanGetProfileList, a.client, uintptr(unsafe.Pointer(&a.guid)), 0, uintptr(unsafe.Pointer(&list))); err != nil || list == nil {
		return nil
	}
	defer wlanFreeMemory.Call(uintptr(unsafe.Pointer(list)))
	all := unsafe.Slice(&list.all[0], list.count)
	for i := range all[:min(len(all), maxProfiles)] {
		var text *uint16
		var flags, access uint32
		err := call(wlanGetProfile, a.client, uintptr(unsafe.Pointer(&a.guid)), uintptr(unsafe.Pointer(&all[i].name[0])), 0,
			uintptr(unsafe.Pointer(&text)), uintptr(unsafe.Pointer(&flags)), uintptr(unsafe.Pointer(&access)))
		if err != nil || text == nil {
			continue
		}
		xml := windows.UTF16PtrToString(text)
		wlanFreeMemory.Call(uintptr(unsafe.Pointer(text)))
		if name := profileName(xml); name != "" && wantsByItself(xml) {
			names = append(names, name)
		}
	}
	return names
}
