package host

import (
	"context"
	"errors"
	"strings"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"
	"google.golang.org/protobuf/proto"

	constatv1 "constat/proto/constat/v1"
)

func readServices(ctx context.Context, r *reader) (proto.Message, *constatv1.Observation) {
	o := observed("service control manager, event log System")
	all, err := r.listServices()
	if err != nil {
		return nil, failed(o.Source, err)
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
	return s, o
}

// listServices lists all the services of this machine, by name.
func (r *reader) listServices() ([]scmService, error) {
	r.services.Do(func() { r.services.all, r.services.err = listServices() })
	return r.services.all, r.services.err
}

func listServices() ([]scmService, error) {
	manager, err := windows.OpenSCManager(nil, nil, windows.SC_MANAGER_CONNECT|windows.SC_MANAGER_ENUMERATE_SERVICE)
	if err != nil {
		return nil, windowsError("OpenSCManager", err)
	}
	defer func() { _ = windows.CloseServiceHandle(manager) }()
	size, n := uint32(64<<10), uint32(0)
	for range 4 {
		buffer := make([]uint64, size/8)
		var needed uint32
		err = windows.EnumServicesStatusEx(manager, windows.SC_ENUM_PROCESS_INFO, windows.SERVICE_WIN32, windows.SERVICE_STATE_ALL,
			(*byte)(unsafe.Pointer(&buffer[0])), size, &needed, &n, nil, nil)
		if err == nil {
			all := decodeServices(bufferOf(buffer), n)
			for i := range all {
				configure(manager, &all[i])
			}
			return all, nil
		}
		if !errors.Is(err, windows.ERROR_MORE_DATA) || needed > 8<<20 {
			break
		}
		size += needed/8*8 + 8<<10
	}
	return nil, windowsError("EnumServicesStatusEx", err)
}

// serviceNamed is one of them; nil where there is none of this name.
func (r *reader) serviceNamed(name string) (*scmService, error) {
	all, err := r.listServices()
	for i := range all {
		if strings.EqualFold(all[i].name, name) {
			return &all[i], nil
		}
	}
	return nil, err
}

// serviceWord tells how a service stands: running, stopped or absent; "" where it
// is on its way.
func (r *reader) serviceWord(name string) (string, error) {
	s, err := r.serviceNamed(name)
	switch {
	case err != nil:
		return "", err
	case s == nil:
		return "absent", nil
	case s.state == windows.SERVICE_RUNNING:
		return "running", nil
	case s.state == windows.SERVICE_STOPPED:
		return "stopped", nil
	}
	return "", nil
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
