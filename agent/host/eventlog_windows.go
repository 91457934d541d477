package host

import (
	"context"
	"errors"
	"fmt"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"
)

var wevtapi = windows.NewLazySystemDLL("wevtapi.dll")

// Of winevt.h.
const (
	evtQueryChannelPath      = 0x1
	evtQueryReverseDirection = 0x200
	evtRenderEventXML        = 1
	evtPatience              = 1000 // ms, for one batch
)

// loggedEvents reads the events of these rows that are not older than age, newest
// first in each channel. An error says which channel could not be read; what the
// others told stands.
func loggedEvents(ctx context.Context, rows []eventRow, age time.Duration) (all []loggedEvent, err error) {
	byChannel := map[string][]eventRow{}
	for _, row := range rows {
		byChannel[row.channel] = append(byChannel[row.channel], row)
	}
	for _, channel := range sortedNames(byChannel) {
		found, channelErr := channelEvents(ctx, channel, eventQuery(byChannel[channel], age))
		if channelErr != nil {
			err = errors.Join(err, fmt.Errorf("the event log %s: %w", channel, channelErr))
		}
		all = append(all, found...)
	}
	return all, err
}

func channelEvents(ctx context.Context, channel, query string) ([]loggedEvent, error) {
	path, err := windows.UTF16PtrFromString(channel)
	if err != nil {
		return nil, err
	}
	text, err := windows.UTF16PtrFromString(query)
	if err != nil {
		return nil, err
	}
	for _, name := range []string{"EvtQuery", "EvtNext", "EvtRender", "EvtClose"} {
		if err := wevtapi.NewProc(name).Find(); err != nil {
			return nil, windowsError(name, windows.ERROR_PROC_NOT_FOUND)
		}
	}
	results, _, err := wevtapi.NewProc("EvtQuery").Call(0, uintptr(unsafe.Pointer(path)), uintptr(unsafe.Pointer(text)), evtQueryChannelPath|evtQueryReverseDirection)
	if results == 0 {
		return nil, windowsError("EvtQuery", err)
	}
	closeEvent := wevtapi.NewProc("EvtClose")
	defer func() { _, _, _ = closeEvent.Call(results) }()
	var events []loggedEvent
	buffer := make([]byte, 16<<10)
	for len(events) < maxEvents {
		if err := ctx.Err(); err != nil {
			return events, err
		}
		var batch [32]uintptr
		var n uint32
		ok, _, err := wevtapi.NewProc("EvtNext").Call(results, uintptr(len(batch)), uintptr(unsafe.Pointer(&batch[0])), evtPatience, 0, uintptr(unsafe.Pointer(&n)))
		if ok == 0 {
			if errors.Is(err, windows.ERROR_NO_MORE_ITEMS) {
				return events, nil
			}
			return events, windowsError("EvtNext", err)
		}
		for _, h := range batch[:min(int(n), len(batch))] {
			text, rendered := renderEvent(h, &buffer)
			_, _, _ = closeEvent.Call(h)
			if !rendered {
				continue
			}
			if e, ok := parseLoggedEvent(text); ok {
				events = append(events, e)
			}
		}
	}
	return events, nil
}

// renderEvent gives an event's fields as XML; the buffer grows to 1 MiB at most.
func renderEvent(event uintptr, buffer *[]byte) (string, bool) {
	for {
		var used, properties uint32
		ok, _, err := wevtapi.NewProc("EvtRender").Call(0, event, evtRenderEventXML, uintptr(len(*buffer)), uintptr(unsafe.Pointer(&(*buffer)[0])),
			uintptr(unsafe.Pointer(&used)), uintptr(unsafe.Pointer(&properties)))
		if ok != 0 {
			return utf16Text((*buffer)[:min(int(used), len(*buffer))]), true
		}
		if !errors.Is(err, windows.ERROR_INSUFFICIENT_BUFFER) || int(used) <= len(*buffer) || used > 1<<20 {
			return "", false
		}
		*buffer = make([]byte, used)
	}
}
