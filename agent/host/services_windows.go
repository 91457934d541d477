package host

import (
	"context"
	"errors"
	"fmt"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"
	"google.golang.org/protobuf/proto"

	constatv1 "constat/proto/constat/v1"
)

func readServices(ctx context.Context, r *reader) (proto.Message, *constatv1.Observation) {
	o := observed("service control manager, event log System")
	manager, all, err := services()
	if err != nil {
		return nil, failed(o.Source, err)
	}
	defer func() { _ = windows.CloseServiceHandle(manager) }()
	for i := range all {
		configure(manager, &all[i])
	}
	s := &constatv1.Services{Manager: set("windows")}
	now := time.Now()
	events, eventsErr := loggedEvents(ctx, scmRows, recently)
	if eventsErr != nil {
		gap(o, "services.recent_restarts", eventsErr)
	}
	restarts := scmRestarts(events, now.Add(-recently))
	for _, one := range notableServices(all) {
		f := one.facts()
		if eventsErr == nil {
			f.RecentRestarts = set(restarts[one.shown])
		}
		s.Services = append(s.Services, f)
	}
	for _, fact := range []string{"services.restarts", "services.since", "system_state"} {
		gap(o, fact, fmt.Errorf("Windows does not tell: %w", errors.ErrUnsupported))
	}
	return s, o
}

// services lists all the services of this machine. Who calls closes the manager.
func services() (windows.Handle, []scmService, error) {
	manager, err := windows.OpenSCManager(nil, nil, windows.SC_MANAGER_CONNECT|windows.SC_MANAGER_ENUMERATE_SERVICE)
	if err != nil {
		return 0, nil, windowsError("OpenSCManager", err)
	}
	size, n := uint32(64<<10), uint32(0)
	for range 4 {
		buffer := make([]uint64, size/8)
		var needed uint32
		err = windows.EnumServicesStatusEx(manager, windows.SC_ENUM_PROCESS_INFO, windows.SERVICE_WIN32, windows.SERVICE_STATE_ALL,
			(*byte)(unsafe.Pointer(&buffer[0])), size, &needed, &n, nil, nil)
		if err == nil {
			return manager, decodeServices(bufferOf(buffer), n), nil
		}
		if !errors.Is(err, windows.ERROR_MORE_DATA) || needed > 8<<20 {
			break
		}
		size += needed/8*8 + 8<<10
	}
	_ = windows.CloseServiceHandle(manager)
	return 0, nil, windowsError("EnumServicesStatusEx", err)
}

// bufferOf is a buffer of words, as pointers in it need to be laid, as a winBuffer.
func bufferOf(buffer []uint64) winBuffer {
	return winBuffer{unsafe.Slice((*byte)(unsafe.Pointer(&buffer[0])), len(buffer)*8), uint64(uintptr(unsafe.Pointer(&buffer[0])))}
}

// configure adds how a service starts, and its program.
func configure(manager windows.Handle, s *scmService) {
	name, err := windows.UTF16PtrFromString(s.name)
	if err != nil {
		return
	}
	h, err := windows.OpenService(manager, name, windows.SERVICE_QUERY_CONFIG)
	if err != nil {
		return
	}
	defer func() { _ = windows.CloseServiceHandle(h) }()
	buffer := make([]uint64, 8<<10/8) // the most it ever needs, says its manual
	var needed uint32
	if err := windows.QueryServiceConfig(h, (*windows.QUERY_SERVICE_CONFIG)(unsafe.Pointer(&buffer[0])), uint32(len(buffer)*8), &needed); err == nil {
		s.start, s.program = decodeServiceConfig(bufferOf(buffer))
	}
}

// serviceNamed is one service; an error that is windows.ERROR_SERVICE_DOES_NOT_EXIST
// where there is none.
func serviceNamed(name string) (scmService, error) {
	s := scmService{name: name, start: -1}
	manager, err := windows.OpenSCManager(nil, nil, windows.SC_MANAGER_CONNECT)
	if err != nil {
		return s, windowsError("OpenSCManager", err)
	}
	defer func() { _ = windows.CloseServiceHandle(manager) }()
	text, err := windows.UTF16PtrFromString(name)
	if err != nil {
		return s, err
	}
	h, err := windows.OpenService(manager, text, windows.SERVICE_QUERY_STATUS)
	if err != nil {
		return s, windowsError("OpenService "+name, err)
	}
	defer func() { _ = windows.CloseServiceHandle(h) }()
	var status windows.SERVICE_STATUS
	if err := windows.QueryServiceStatus(h, &status); err != nil {
		return s, windowsError("QueryServiceStatus "+name, err)
	}
	s.state, s.exit, s.specific = status.CurrentState, status.Win32ExitCode, status.ServiceSpecificExitCode
	configure(manager, &s)
	return s, nil
}
