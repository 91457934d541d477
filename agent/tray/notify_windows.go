package tray

import (
	"context"
	"fmt"
	"os"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/windows"
)

// The icon's window is the menu library's; what it calls them is in its
// systray_windows.go.
const (
	iconClass   = "SystrayClass"
	iconID      = 100
	iconMessage = 0x0401 // WM_USER + 1
)

// shellapi.h and winuser.h.
const (
	nimModify           = 1
	nifInfo             = 0x10
	niifInfo            = 1
	ninBalloonUserClick = 0x0405
)

var (
	shellNotifyIcon  = windows.NewLazySystemDLL("shell32.dll").NewProc("Shell_NotifyIconW")
	user32           = windows.NewLazySystemDLL("user32.dll")
	getWindowLongPtr = user32.NewProc("GetWindowLongPtrW")
	setWindowLongPtr = user32.NewProc("SetWindowLongPtrW")
	callWindowProc   = user32.NewProc("CallWindowProcW")
)

// notifyIconData is NOTIFYICONDATAW.
type notifyIconData struct {
	size                       uint32
	window                     windows.HWND
	id, flags, callbackMessage uint32
	icon                       windows.Handle
	tip                        [128]uint16
	state, stateMask           uint32
	info                       [256]uint16
	version                    uint32
	infoTitle                  [64]uint16
	infoFlags                  uint32
	item                       windows.GUID
	balloonIcon                windows.Handle
}

// notifier tells by a balloon of the icon, which newer Windows shows as all other
// programs' notifications, and which needs no registration. A click leads to the page.
func notifier(ctx context.Context, s *session) func(title, text, view string) {
	window := iconWindow()
	if window == 0 {
		fmt.Fprintln(os.Stderr, "constat-tray: the icon has no window: nothing can be told")
		return func(string, string, string) {}
	}
	var view atomic.Value // that the balloon on the screen leads to
	view.Store("")
	index := -4 // GWLP_WNDPROC
	before, _, _ := getWindowLongPtr.Call(uintptr(window), uintptr(index))
	procedure := windows.NewCallback(func(hwnd, message, w, l uintptr) uintptr {
		if message == iconMessage && l&0xffff == ninBalloonUserClick {
			go s.openOrSay(ctx, view.Load().(string))
			return 0
		}
		result, _, _ := callWindowProc.Call(before, hwnd, message, w, l)
		return result
	})
	if before != 0 {
		_, _, _ = setWindowLongPtr.Call(uintptr(window), uintptr(index), procedure) // else a click leads nowhere
	}
	return func(title, text, leadsTo string) {
		if text == "" {
			title, text = "Constat", title // without a text there is no balloon
		}
		data := &notifyIconData{window: window, id: iconID, flags: nifInfo, infoFlags: niifInfo}
		data.size = uint32(unsafe.Sizeof(*data))
		short(data.info[:], text)
		short(data.infoTitle[:], title)
		view.Store(leadsTo)
		if ok, _, err := shellNotifyIcon.Call(nimModify, uintptr(unsafe.Pointer(data))); ok == 0 {
			fmt.Fprintln(os.Stderr, "constat-tray: nothing could be told:", err)
		}
	}
}

// short puts a text into a field of fixed length, cut where it is too long, and
// ended by zero.
func short(field []uint16, text string) {
	units, err := windows.UTF16FromString(text)
	if err != nil {
		return // a zero in the text
	}
	if len(units) > len(field) {
		units = append(units[:len(field)-2], '…', 0)
	}
	copy(field, units)
}

// iconWindow is this program's window behind the icon.
func iconWindow() (found windows.HWND) {
	name := make([]uint16, 64)
	each := windows.NewCallback(func(window windows.HWND, _ uintptr) uintptr {
		var process uint32
		if _, err := windows.GetWindowThreadProcessId(window, &process); err != nil || process != windows.GetCurrentProcessId() {
			return 1
		}
		if n, err := windows.GetClassName(window, &name[0], int32(len(name))); err == nil && windows.UTF16ToString(name[:n]) == iconClass {
			found = window
			return 0
		}
		return 1
	})
	_ = windows.EnumWindows(each, nil) // ended early it calls itself failed
	return found
}

// preferred is the language that Windows speaks with this user.
func preferred() string {
	names, err := windows.GetUserPreferredUILanguages(windows.MUI_LANGUAGE_NAME)
	if err != nil || len(names) == 0 {
		return ""
	}
	return names[0]
}
