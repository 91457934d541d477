package privileged

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"golang.org/x/sys/unix"
)

// timeServices are units that keep the clock.
var timeServices = []string{"chrony.service", "chronyd.service", "systemd-timesyncd.service", "ntpsec.service", "ntp.service", "ntpd.service"}

// clockTime is how long a time service may take until it set the clock.
const clockTime = 15 * time.Second

// setClock has the time service that this machine keeps its clock by set it now,
// and tells by how much.
func setClock(ctx context.Context, argument string) ([]byte, error) {
	if argument != "" {
		return nil, errors.New("set-clock takes no argument")
	}
	if !booted() {
		return nil, fmt.Errorf("no systemd runs services here: %w", fs.ErrNotExist)
	}
	conn, err := bus(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	service := ""
	for _, name := range timeServices {
		at, err := unitAt(ctx, conn, name)
		if err != nil {
			continue
		}
		loaded, _ := property[string](ctx, conn, systemdBus, at, systemdBus+".Unit", "LoadState")
		file, _ := property[string](ctx, conn, systemdBus, at, systemdBus+".Unit", "UnitFileState")
		state, _ := property[string](ctx, conn, systemdBus, at, systemdBus+".Unit", "ActiveState")
		if loaded == "loaded" && (state == "active" || service == "" && file == "enabled") {
			service = name
			if state == "active" {
				break
			}
		}
	}
	if service == "" {
		return nil, fmt.Errorf("no time service is set up on this machine: %w", fs.ErrNotExist)
	}
	before := realBeside()
	_ = call(ctx, conn, systemdBus, systemdPath, systemdManager+".ResetFailedUnit", service).Err
	if service == "chrony.service" || service == "chronyd.service" {
		if err := job(ctx, conn, "StartUnit", service, "replace"); err != nil {
			return nil, err
		}
		if err := stepChrony(ctx); err != nil {
			return nil, err
		}
	} else {
		// It asks at its start, and sets the clock at once where it is wrong.
		if err := job(ctx, conn, "RestartUnit", service, "replace"); err != nil {
			return nil, err
		}
	}
	waiting, cancel := context.WithTimeout(ctx, clockTime)
	defer cancel()
	// Its own unit may not ask the kernel for its clock's state.
	follows := conn.Object("org.freedesktop.timedate1", "/org/freedesktop/timedate1")
	until(waiting, func() bool {
		v, err := follows.GetProperty("org.freedesktop.timedate1.NTPSynchronized")
		yes, _ := v.Value().(bool)
		return err != nil || yes
	})
	return fmt.Appendf(nil, "%s set the clock by %+.3f s", service, (realBeside() - before).Seconds()), nil
}

// stepChrony has chrony measure anew and step by what it measured (chronyc(1)).
func stepChrony(ctx context.Context) error {
	chronyc := func(command string) error {
		return outside(ctx, clockTime, "clock", "/usr/bin/chronyc", "-n", command)
	}
	// What it measured before somebody set the clock is wrong, and it may not have
	// noticed. Before its version 4 it can't be told, and notices by itself.
	_ = chronyc("reset sources")
	// Five times at most, two seconds apart: it follows nobody in between. After a
	// step it tells the kernel that it does only once it measured again.
	for _, then := range []string{"makestep", ""} {
		if err := chronyc("burst 3/5"); err != nil {
			return err
		}
		if err := chronyc("waitsync 12 0 0 1"); err != nil {
			return fmt.Errorf("no time server answers: %w", err)
		}
		if then == "" {
			return nil
		}
		if err := chronyc(then); err != nil {
			return err
		}
	}
	return nil
}

// realBeside is the clock beside the one that nobody sets: its change is a step.
func realBeside() time.Duration {
	var boot unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &boot); err != nil {
		return 0
	}
	return time.Duration(time.Now().UnixNano() - boot.Nano())
}
