package host

import (
	"context"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"
)

// audioLimit is how long the audio service may take.
const audioLimit = time.Second

// askEndpoints asks the audio service for the endpoints that are there, by the name
// of their key in the registry.
func askEndpoints(ctx context.Context) (map[string]endpointState, error) {
	return onCOM(ctx, "the audio service", audioLimit, endpointStates)
}

// Classes and faces of mmdeviceapi.h and endpointvolume.h, and the places of their
// methods behind the three of IUnknown.
var (
	deviceEnumerator     = windows.GUID{Data1: 0xbcde0395, Data2: 0xe52f, Data3: 0x467c, Data4: [8]byte{0x8e, 0x3d, 0xc4, 0x57, 0x92, 0x91, 0x69, 0x2e}}
	deviceEnumeratorFace = windows.GUID{Data1: 0xa95664d2, Data2: 0x9614, Data3: 0x4f35, Data4: [8]byte{0xa7, 0x46, 0xde, 0x8d, 0xb6, 0x36, 0x17, 0xe6}}
	endpointVolumeFace   = windows.GUID{Data1: 0x5cdf2c82, Data2: 0x841e, Data3: 0x4546, Data4: [8]byte{0x97, 0x22, 0x0c, 0xf7, 0x40, 0x78, 0x22, 0x9a}}
)

const (
	enumeratorEndpoints = 3
	enumeratorDefault   = 4
	collectionCount     = 3
	collectionItem      = 4
	deviceActivate      = 3
	deviceID            = 5
	volumeScalar        = 9
	volumeMute          = 15
)

func endpointStates() (map[string]endpointState, error) {
	enumerator, err := newObject(deviceEnumerator, deviceEnumeratorFace)
	if err != nil {
		return nil, err
	}
	defer enumerator.release()
	const bothWays, active = 2, 1 // eAll, DEVICE_STATE_ACTIVE
	var all *comObject
	if err := enumerator.method("EnumAudioEndpoints", enumeratorEndpoints, bothWays, active, uintptr(unsafe.Pointer(&all))); err != nil || all == nil {
		return nil, err
	}
	defer all.release()
	var n uint32
	if err := all.method("GetCount", collectionCount, uintptr(unsafe.Pointer(&n))); err != nil {
		return nil, err
	}
	states := map[string]endpointState{}
	for i := range min(n, maxAudioDevices) {
		var device *comObject
		if err := all.method("Item", collectionItem, uintptr(i), uintptr(unsafe.Pointer(&device))); err != nil || device == nil {
			return states, err
		}
		key, state := endpointOf(device)
		device.release()
		states[key] = state
	}
	for way := range uintptr(bothWays) {
		const console = 0 // of games, notification sounds and voice commands
		var device *comObject
		if err := enumerator.method("GetDefaultAudioEndpoint", enumeratorDefault, way, console, uintptr(unsafe.Pointer(&device))); err != nil || device == nil {
			continue // there is none that way
		}
		key, _ := endpointOf(device)
		device.release()
		if state, known := states[key]; known {
			state.preferred = true
			states[key] = state
		}
	}
	return states, nil
}

// endpointOf tells how an endpoint stands.
func endpointOf(device *comObject) (key string, state endpointState) {
	var id *uint16
	if err := device.method("GetId", deviceID, uintptr(unsafe.Pointer(&id))); err == nil && id != nil {
		key = endpointKey(windows.UTF16PtrToString(id))
		windows.CoTaskMemFree(unsafe.Pointer(id))
	}
	const anyServer = 0x17
	var volume *comObject
	state.silent = device.method("Activate IAudioEndpointVolume", deviceActivate, uintptr(unsafe.Pointer(&endpointVolumeFace)), anyServer, 0, uintptr(unsafe.Pointer(&volume)))
	if state.silent != nil || volume == nil {
		return key, state
	}
	defer volume.release()
	var level float32
	if state.silent = volume.method("GetMasterVolumeLevelScalar", volumeScalar, uintptr(unsafe.Pointer(&level))); state.silent == nil {
		state.percent = volumePercent(level)
	}
	var muted int32
	if err := volume.method("GetMute", volumeMute, uintptr(unsafe.Pointer(&muted))); err != nil {
		state.silent = err
	} else {
		state.muted = set(muted != 0)
	}
	return key, state
}
