package tray

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"github.com/godbus/dbus/v5"
)

const notifications = "org.freedesktop.Notifications"

// notifier gives a way to tell the person something: as the desktop does, and
// nothing where it can't (specifications.freedesktop.org/notification-spec). A click
// leads to the page. A desktop that shows no icons is told how to get there, once.
func notifier(ctx context.Context, s *session) func(title, text, view string) {
	conn, err := dbus.ConnectSessionBus(dbus.WithContext(ctx))
	if err != nil {
		return func(string, string, string) {}
	}
	var mu sync.Mutex
	views := map[uint32]string{}
	if err := conn.AddMatchSignal(dbus.WithMatchInterface(notifications)); err == nil {
		signals := make(chan *dbus.Signal, 16)
		conn.Signal(signals)
		go func() {
			for signal := range signals {
				var id uint32
				var key string
				if len(signal.Body) == 2 && dbus.Store(signal.Body[:1], &id) == nil {
					_ = dbus.Store(signal.Body[1:], &key) // a reason is a number
				}
				mu.Lock()
				view, ours := views[id]
				if signal.Name == notifications+".NotificationClosed" {
					delete(views, id)
				}
				mu.Unlock()
				if ours && signal.Name == notifications+".ActionInvoked" && key == "default" {
					s.openOrSay(ctx, view)
				}
			}
		}()
	}
	tell := func(title, text, view string) {
		var id uint32
		err := conn.Object(notifications, "/org/freedesktop/Notifications").Call(notifications+".Notify", 0,
			"Constat", uint32(0), "constat", title, text, []string{"default", languages[s.language].start}, map[string]dbus.Variant{}, int32(-1)).Store(&id)
		if err != nil {
			fmt.Fprintln(os.Stderr, "constat-tray: nothing could be told:", err)
			return
		}
		mu.Lock()
		views[id] = view
		mu.Unlock()
	}
	var shown bool
	err = conn.BusObject().Call("org.freedesktop.DBus.NameHasOwner", 0, "org.kde.StatusNotifierWatcher").Store(&shown)
	if err == nil && !shown && once("no-icons") {
		tell(languages[s.language].noTray, languages[s.language].look, "")
	}
	return tell
}

// once tells whether something is done for the first time by this user.
func once(name string) bool {
	dir, err := os.UserCacheDir()
	if err != nil {
		return false
	}
	dir = filepath.Join(dir, "constat")
	if os.MkdirAll(dir, 0o700) != nil {
		return false
	}
	f, err := os.OpenFile(filepath.Join(dir, name), os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return false
	}
	return f.Close() == nil
}

// preferred is nothing more than the environment says.
func preferred() string { return "" }
