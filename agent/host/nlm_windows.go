package host

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"
)

var (
	ole32            = windows.NewLazySystemDLL("ole32.dll")
	coCreateInstance = ole32.NewProc("CoCreateInstance")
)

// networkJudgement is what the Network List Manager says.
type networkJudgement struct {
	// categories are NLM_NETWORK_CATEGORY by the adapter's GUID, in braces.
	categories   map[string]int32
	connectivity string
}

// networksLimit is how long the Network List Manager may take: it is a service,
// and services hang.
const networksLimit = time.Second

// askNetworks asks the Network List Manager.
func askNetworks(ctx context.Context) (networkJudgement, error) {
	return onCOM(ctx, "the Network List Manager", networksLimit, networkList)
}

// onCOM makes calls of COM on a thread of its own, which is left behind with a call
// that does not come back.
func onCOM[T any](ctx context.Context, what string, limit time.Duration, call func() (T, error)) (T, error) {
	drawsUnderWine()
	return bounded(ctx, what, limit, func(context.Context) (none T, _ error) {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		const (
			multithreaded = 0
			alreadyOther  = windows.Errno(0x80010106) // RPC_E_CHANGED_MODE: it is ready nonetheless
			alreadySame   = windows.Errno(1)
		)
		switch err := windows.CoInitializeEx(0, multithreaded); {
		case err == nil, errors.Is(err, alreadySame):
			defer windows.CoUninitialize()
		case !errors.Is(err, alreadyOther):
			return none, fmt.Errorf("COM: %w", err)
		}
		return call()
	})
}

// newObject makes an object of a class that shows a face.
func newObject(class, face windows.GUID) (*comObject, error) {
	if err := coCreateInstance.Find(); err != nil {
		return nil, fmt.Errorf("COM: %w", errors.ErrUnsupported)
	}
	const anyServer = 0x17 // CLSCTX_ALL
	var object *comObject
	result, _, _ := coCreateInstance.Call(uintptr(unsafe.Pointer(&class)), 0, anyServer, uintptr(unsafe.Pointer(&face)), uintptr(unsafe.Pointer(&object)))
	if int32(result) < 0 || object == nil {
		return nil, fmt.Errorf("HRESULT 0x%08x", uint32(result))
	}
	return object, nil
}

// comObject is an object of COM: it begins with a pointer to its methods.
type comObject struct{ methods *[32]uintptr }

// method calls one by its place in the interface. What its arguments point to must
// not move while it runs: a stack does, when it grows.
//
//go:uintptrescapes
func (c *comObject) method(what string, place int, arguments ...uintptr) error {
	result, _, _ := syscall.SyscallN(c.methods[place], append([]uintptr{uintptr(unsafe.Pointer(c))}, arguments...)...)
	if int32(result) < 0 {
		return fmt.Errorf("%s: HRESULT 0x%08x", what, uint32(result))
	}
	return nil
}

func (c *comObject) release() {
	const place = 2 // IUnknown
	syscall.SyscallN(c.methods[place], uintptr(unsafe.Pointer(c)))
}

// Places of the methods in their interfaces (netlistmgr.idl), behind three of
// IUnknown and four of IDispatch.
const (
	listGetConnections  = 9
	listGetConnectivity = 13
	enumNext            = 8
	connectionGetNet    = 7
	connectionAdapter   = 12
	networkGetCategory  = 18
)

// networkList reads the category of the network that each adapter is on.
func networkList() (networkJudgement, error) {
	j := networkJudgement{categories: map[string]int32{}}
	class := windows.GUID{Data1: 0xdcb00c01, Data2: 0x570f, Data3: 0x4a9b, Data4: [8]byte{0x8d, 0x69, 0x19, 0x9f, 0xdb, 0xa5, 0x72, 0x3b}}
	face := class
	face.Data1 = 0xdcb00000
	list, err := newObject(class, face)
	if err != nil {
		return j, fmt.Errorf("the Network List Manager is not to be had: %w", err)
	}
	defer list.release()
	var bits uint32
	if err := list.method("GetConnectivity", listGetConnectivity, uintptr(unsafe.Pointer(&bits))); err == nil {
		j.connectivity = nlmWord(bits)
	}
	var all *comObject
	if err := list.method("GetNetworkConnections", listGetConnections, uintptr(unsafe.Pointer(&all))); err != nil || all == nil {
		return j, err
	}
	defer all.release()
	for range maxStack {
		var one *comObject
		var got uint32
		if err := all.method("Next", enumNext, 1, uintptr(unsafe.Pointer(&one)), uintptr(unsafe.Pointer(&got))); err != nil || got == 0 || one == nil {
			return j, err
		}
		adapter, category, err := connectionCategory(one)
		one.release()
		if err != nil {
			return j, err
		}
		j.categories[strings.ToUpper(adapter)] = category
	}
	return j, nil
}

// connectionCategory tells the adapter of a connection, and the category of the
// network it leads to.
func connectionCategory(connection *comObject) (adapter string, category int32, err error) {
	var guid windows.GUID
	if err := connection.method("GetAdapterId", connectionAdapter, uintptr(unsafe.Pointer(&guid))); err != nil {
		return "", 0, err
	}
	var network *comObject
	if err := connection.method("GetNetwork", connectionGetNet, uintptr(unsafe.Pointer(&network))); err != nil || network == nil {
		return "", 0, err
	}
	defer network.release()
	err = network.method("GetCategory", networkGetCategory, uintptr(unsafe.Pointer(&category)))
	return guid.String(), category, err
}
