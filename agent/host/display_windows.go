package host

import (
	"context"
	"fmt"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"
)

var (
	user32                      = windows.NewLazySystemDLL("user32.dll")
	getDisplayConfigBufferSizes = user32.NewProc("GetDisplayConfigBufferSizes")
	queryDisplayConfig          = user32.NewProc("QueryDisplayConfig")
	displayConfigGetDeviceInfo  = user32.NewProc("DisplayConfigGetDeviceInfo")

	comctl32 = windows.NewLazySystemDLL("comctl32.dll")
)

// displayLimit is how long the display driver may take: it answers nothing while it
// starts anew.
const displayLimit = time.Second

// drawsUnderWine comes before the screens are asked about, and before COM, which has
// windows to hear of its calls. Who has to do with windows first loads Wine's display
// driver, with the driver's lock and then the loader's; comctl32, which the spooler's
// and the devices' libraries bring along, draws as it starts, with the loader's lock and
// then the driver's. At the same time they wait for each other, and no thread of the
// process starts any more.
func drawsUnderWine() {
	if underWine() {
		_ = comctl32.Load() // who needs it is told so
	}
}

// litScreens are the connectors of the screens that a picture is sent to, by the
// device's path in the tree. Only programs of the session that the screens belong to
// are told; a service is not.
func litScreens(context.Context) (map[string]string, error) {
	for _, proc := range []*windows.LazyProc{getDisplayConfigBufferSizes, queryDisplayConfig, displayConfigGetDeviceInfo} {
		if err := proc.Find(); err != nil {
			return nil, windowsError(proc.Name, windows.ERROR_PROC_NOT_FOUND)
		}
	}
	drawsUnderWine()
	const onlyActive = 2 // QDC_ONLY_ACTIVE_PATHS
	var paths, modes uint32
	if status, _, _ := getDisplayConfigBufferSizes.Call(onlyActive, uintptr(unsafe.Pointer(&paths)), uintptr(unsafe.Pointer(&modes))); status != 0 {
		return nil, windowsError(getDisplayConfigBufferSizes.Name, windows.Errno(status))
	}
	if paths == 0 || paths > maxScreens || modes > 4*maxScreens {
		return nil, errNoScreens
	}
	raw, rest := make([]byte, paths*displayPathSize), make([]byte, max(1, modes)*displayModeSize)
	if status, _, _ := queryDisplayConfig.Call(onlyActive, uintptr(unsafe.Pointer(&paths)), uintptr(unsafe.Pointer(&raw[0])),
		uintptr(unsafe.Pointer(&modes)), uintptr(unsafe.Pointer(&rest[0])), 0); status != 0 {
		return nil, windowsError(queryDisplayConfig.Name, windows.Errno(status))
	}
	lit := map[string]string{}
	for _, target := range displayTargets(winBuffer{data: raw}, paths) {
		question := target.nameQuestion()
		if status, _, _ := displayConfigGetDeviceInfo.Call(uintptr(unsafe.Pointer(&question[0]))); status != 0 {
			return nil, windowsError(displayConfigGetDeviceInfo.Name, windows.Errno(status))
		}
		if instance, connector := displayTargetName(winBuffer{data: question}); instance != "" {
			lit[instance] = connector
		}
	}
	if len(lit) == 0 {
		return nil, fmt.Errorf("no screen that is on has a name: %w", errNoScreens)
	}
	return lit, nil
}
