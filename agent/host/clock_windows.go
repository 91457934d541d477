package host

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/registry"
	"google.golang.org/protobuf/proto"

	constatv1 "constat/proto/constat/v1"
)

func readClock(ctx context.Context, r *reader) (proto.Message, *constatv1.Observation) {
	o := observed("service control manager, registry, w32tm")
	c := &constatv1.Clock{}
	service, err := r.serviceNamed("W32Time")
	switch {
	case err != nil:
		return nil, failed(o.Source, err)
	case service == nil:
		c.Service, c.ServiceState, c.Enabled = set("none"), set("absent"), set(false)
		return c, o
	}
	f := service.facts()
	c.Service = set("w32time")
	switch f.GetState() {
	case "running", "stopped", "failed":
		c.ServiceState = f.State
	default:
		gap(o, "service_state", fmt.Errorf("the time service is %s", f.GetState()))
	}
	parameters, err := registryValues(registry.LOCAL_MACHINE, `SYSTEM\CurrentControlSet\Services\W32Time\Parameters`, 0)
	if err != nil {
		gap(o, "enabled", err)
	} else if c.Enabled = w32timeWanted(f.GetStartType(), parameters); c.Enabled == nil {
		if c.GetServiceState() == "running" {
			c.Enabled = set(true)
		} else {
			gap(o, "enabled", fmt.Errorf("Windows starts the time service when it thinks fit: %w", errors.ErrUnsupported))
		}
	}
	if c.GetServiceState() != "running" {
		gap(o, "synchronized", fmt.Errorf("the time service does not run, which alone would know: %w", errors.ErrUnsupported))
		return c, o
	}
	output, err := w32tm(ctx)
	if err != nil {
		gap(o, "synchronized", err)
	} else if !w32timeStatus(c, output) {
		gap(o, "synchronized", errors.New("what w32tm prints is not as expected"))
	}
	return c, o
}

// w32tm asks the time service how it stands.
func w32tm(ctx context.Context) (string, error) {
	dir, err := windows.GetSystemDirectory()
	if err != nil {
		return "", err
	}
	q := inquiry{program: filepath.Join(dir, "w32tm.exe"), words: []string{"/query", "/status"}, limit: 2 * time.Second, most: 1 << 16}
	out, err := q.answer(ctx)
	return string(out), err
}
