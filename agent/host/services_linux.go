package host

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path"
	"time"

	"github.com/godbus/dbus/v5"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	constatv1 "constat/proto/constat/v1"
)

const systemd = "org.freedesktop.systemd1"

func readServices(ctx context.Context, r *reader) (proto.Message, *constatv1.Observation) {
	// sd_booted(3): is systemd the init here?
	if _, err := r.stat("/run/systemd/system"); err != nil {
		return nil, failed("", fmt.Errorf("this system was not started by systemd, and other service managers are not read: %w", errors.ErrUnsupported))
	}
	conn, err := systemBus(ctx, r)
	if err != nil {
		return nil, failed(systemd, err)
	}
	defer conn.Close()
	o := observed("D-Bus, " + systemd)
	manager := conn.Object(systemd, "/org/freedesktop/systemd1")
	var listed []systemdUnit
	if err := manager.CallWithContext(ctx, systemd+".Manager.ListUnits", dbus.FlagNoAutoStart).Store(&listed); err != nil {
		return nil, failed(o.Source, err)
	}
	// Units that are installed and not in memory are known by name only.
	var named []systemdUnit
	if err := manager.CallWithContext(ctx, systemd+".Manager.ListUnitsByNames", dbus.FlagNoAutoStart, askedUnits).Store(&named); err != nil {
		gap(o, "services", err)
	}
	units := make([]unit, 0, len(listed)+len(named))
	paths := map[string]dbus.ObjectPath{}
	for _, l := range append(listed, named...) {
		if _, known := paths[l.Name]; !known {
			units = append(units, unit{l.Name, l.Description, l.Load, l.Active, l.Sub})
			paths[l.Name] = l.Path
		}
	}
	s := &constatv1.Services{Manager: set("systemd")}
	for _, u := range notable(units) {
		s.Services = append(s.Services, systemdService(ctx, u, conn.Object(systemd, paths[u.name])))
	}
	if state, err := manager.GetProperty(systemd + ".Manager.SystemState"); err != nil {
		gap(o, "system_state", err)
	} else if word, ok := state.Value().(string); ok {
		s.SystemState = set(cmp.Or(map[string]string{
			"initializing": "starting", "starting": "starting", "running": "running", "degraded": "degraded",
			"maintenance": "maintenance", "stopping": "stopping",
		}[word], "unknown"))
	}
	return s, o
}

// systemdUnit is a row of ListUnits (org.freedesktop.systemd1(5)).
type systemdUnit struct {
	Name, Description, Load, Active, Sub, Following string
	Path                                            dbus.ObjectPath
	JobID                                           uint32
	JobType                                         string
	JobPath                                         dbus.ObjectPath
}

// systemdService tells of one unit what its object on the bus says; what cannot
// be asked stays unset.
func systemdService(ctx context.Context, u unit, object dbus.BusObject) *constatv1.Service {
	s := &constatv1.Service{Name: set(u.name), Description: filled(u.description), State: serviceState(u.active, u.sub)}
	if values, err := properties(ctx, object, systemd+".Unit"); err == nil {
		if state := property[string](values, "UnitFileState"); state != nil {
			s.StartType = filled(startTypes[*state])
		}
		if at := property[uint64](values, "StateChangeTimestamp"); at != nil && *at > 0 {
			s.Since = timestamppb.New(time.UnixMicro(int64(*at)))
		}
	}
	if values, err := properties(ctx, object, systemd+".Service"); err == nil {
		if result := property[string](values, "Result"); result != nil {
			s.Result = set(cmp.Or(serviceResults[*result], "other"))
		}
		const exited = 1 // CLD_EXITED: it ended by itself, so its status is a code
		if code := property[int32](values, "ExecMainCode"); code != nil && *code == exited {
			s.ExitCode = property[int32](values, "ExecMainStatus")
		}
		if commands := property[[][]any](values, "ExecStart"); commands != nil && len(*commands) > 0 && len((*commands)[0]) > 0 {
			if file, ok := (*commands)[0][0].(string); ok && file != "" {
				s.Program = set(path.Base(file))
			}
		}
		if n := property[uint32](values, "NRestarts"); n != nil {
			s.Restarts = set(int32(*n))
			if *n == 0 {
				s.RecentRestarts = set(int32(0)) // else systemd does not tell when they were
			}
		}
	}
	return s
}
