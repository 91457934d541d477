package history

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"constat/agent/host"
	"constat/internal/durable"
	constatv1 "constat/proto/constat/v1"
)

const (
	devicesFile = "devices"
	// maxDevices bounds how many are remembered, maxEvents how many events of
	// each.
	maxDevices = 128
	maxEvents  = 64
)

// device is something with a plug, as it was last seen. The file is JSON.
type device struct {
	// ID is that of the peripheral, or of the USB device where it is none.
	ID    string `json:"id"`
	Name  string `json:"name,omitempty"`
	Brand string `json:"brand,omitempty"`
	Kind  string `json:"kind,omitempty"`
	// Path is where it is plugged in.
	Path     string    `json:"path,omitempty"`
	LastSeen time.Time `json:"lastSeen"`
	Present  bool      `json:"present"`
}

// port is what happened at one place of the USB tree, newest last.
type port struct {
	Path   string           `json:"path"`
	Events []host.PlugEvent `json:"events,omitempty"`
}

// belongings are all of them.
type belongings struct {
	Devices []device `json:"devices,omitempty"`
	Ports   []port   `json:"ports,omitempty"`
}

func (m *Memory) belongings() (belongings, error) {
	var b belongings
	content, err := m.file(devicesFile)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return b, nil
	case err != nil:
		return b, err
	}
	if json.Unmarshal(content, &b) != nil {
		return belongings{}, nil // written by nobody we know
	}
	return b, nil
}

func (m *Memory) keepBelongings(b belongings) error {
	content, err := json.Marshal(b)
	if err == nil {
		err = durable.Write(filepath.Join(m.dir, devicesFile), content, 0o600)
	}
	if err != nil {
		return fmt.Errorf("keeping devices: %w", err)
	}
	return nil
}

// see takes over which devices are here now. The time of one that is here moves
// only with the next day, or the file would be written at every look.
func (b *belongings) see(p *constatv1.Peripherals, now time.Time) (changed bool) {
	here := map[string]device{}
	for _, d := range p.GetDevices() {
		// What is part of the machine has no plug; what hangs on a receiver sleeps.
		if d.GetId() == "" || d.GetConnection() == "internal" || d.GetConnection() == "receiver" {
			continue
		}
		here[d.GetId()] = device{
			ID: d.GetId(), Name: d.GetModel(), Brand: d.GetBrand(), Kind: d.GetKind(), Path: d.GetUsbPath(), LastSeen: now, Present: true,
		}
	}
	for i, old := range b.Devices {
		d, is := here[old.ID]
		delete(here, old.ID)
		switch {
		case is && old.Present && old.Path == d.Path && now.Sub(old.LastSeen) < 24*time.Hour:
		case is:
			b.Devices[i], changed = d, true
		case old.Present:
			b.Devices[i].Present, changed = false, true
			// It was here until it was pulled, where that was noticed.
			b.Devices[i].LastSeen = now
			if left, ok := b.left(old.Path, old.LastSeen); ok {
				b.Devices[i].LastSeen = left
			}
		}
	}
	for _, d := range here {
		b.Devices, changed = append(b.Devices, d), true
	}
	slices.SortFunc(b.Devices, func(x, y device) int { return cmp.Compare(x.ID, y.ID) })
	for len(b.Devices) > maxDevices {
		oldest := 0
		for i, d := range b.Devices {
			if d.LastSeen.Before(b.Devices[oldest].LastSeen) {
				oldest = i
			}
		}
		b.Devices = slices.Delete(b.Devices, oldest, oldest+1)
	}
	return changed
}

// left tells when something was last pulled at a place, after a time.
func (b *belongings) left(path string, after time.Time) (time.Time, bool) {
	for _, p := range b.Ports {
		if p.Path != path {
			continue
		}
		for _, e := range slices.Backward(p.Events) {
			if !e.Plugged && e.At.After(after) {
				return e.At, true
			}
		}
	}
	return time.Time{}, false
}

// absent are those that were here within thirty days and are not now, sorted by
// name.
func (b *belongings) absent(now time.Time) (all []*constatv1.AbsentDevice) {
	text := func(s string) *string {
		if s == "" {
			return nil
		}
		return &s
	}
	for _, d := range b.Devices {
		if d.Present || now.Sub(d.LastSeen) > keptFor {
			continue
		}
		all = append(all, &constatv1.AbsentDevice{
			Id: text(d.ID), Name: text(d.Name), Brand: text(d.Brand), Kind: text(d.Kind), LastSeenAt: timestamppb.New(d.LastSeen),
		})
	}
	slices.SortStableFunc(all, func(x, y *constatv1.AbsentDevice) int {
		return cmp.Or(cmp.Compare(x.GetName(), y.GetName()), cmp.Compare(x.GetId(), y.GetId()))
	})
	return all
}

// note keeps an event of a place.
func (b *belongings) note(e host.PlugEvent) {
	i := slices.IndexFunc(b.Ports, func(p port) bool { return p.Path == e.Path })
	if i < 0 {
		if len(b.Ports) >= maxDevices {
			b.Ports = slices.Delete(b.Ports, 0, 1)
		}
		b.Ports = append(b.Ports, port{Path: e.Path})
		i = len(b.Ports) - 1
	}
	p := &b.Ports[i]
	p.Events = append(p.Events, e)
	if len(p.Events) > maxEvents {
		p.Events = slices.Delete(p.Events, 0, 1)
	}
}

// plugs counts the events of each place and device in a window.
func (b *belongings) plugs(now time.Time, window time.Duration) (all []*constatv1.PlugEvents) {
	for _, p := range b.Ports {
		byID := map[string]*constatv1.PlugEvents{}
		for _, e := range p.Events {
			if e.At.After(now) || now.Sub(e.At) > window || e.Disturbed {
				continue
			}
			one := byID[e.ID]
			if one == nil {
				seconds, unplugs := int32(window.Seconds()), int32(0)
				one = &constatv1.PlugEvents{Path: &p.Path, WindowSeconds: &seconds, Unplugs: &unplugs}
				if e.ID != "" {
					one.Id = &e.ID
				}
				byID[e.ID] = one
				all = append(all, one)
			}
			if !e.Plugged {
				*one.Unplugs++
				one.LastUnplugAt = timestamppb.New(e.At)
			}
		}
	}
	all = slices.DeleteFunc(all, func(e *constatv1.PlugEvents) bool { return e.GetUnplugs() == 0 })
	slices.SortFunc(all, func(x, y *constatv1.PlugEvents) int {
		return cmp.Or(cmp.Compare(x.GetPath(), y.GetPath()), cmp.Compare(x.GetId(), y.GetId()))
	})
	return all
}
