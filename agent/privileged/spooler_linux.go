package privileged

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"
)

// cupsSocket is where CUPS listens for this machine's programs.
const cupsSocket = "/run/cups/cups.sock"

// printService is CUPS's unit, with what starts it on demand.
const printService = "cups.service"

// steadyTime is how long a service must run after its start to be called steady.
const steadyTime = 4 * time.Second

// restartPrinting starts CUPS anew. One that ends right after its start is left
// stopped, so that it does not loop.
func restartPrinting(ctx context.Context, argument string) ([]byte, error) {
	if argument != "" {
		return nil, errors.New("restart-printing takes no argument")
	}
	if !booted() {
		return nil, fmt.Errorf("no systemd runs services here: %w", fs.ErrNotExist)
	}
	conn, err := bus(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	at, err := unitAt(ctx, conn, printService)
	if err != nil {
		return nil, fmt.Errorf("systemd: %w", err)
	}
	const unit, service = systemdBus + ".Unit", systemdBus + ".Service"
	switch loaded, err := property[string](ctx, conn, systemdBus, at, unit, "LoadState"); {
	case err != nil:
		return nil, fmt.Errorf("systemd: %w", err)
	case loaded == "masked":
		return nil, fmt.Errorf("%s is masked: somebody forbade it here: %w", printService, fs.ErrPermission)
	case loaded != "loaded":
		return nil, fmt.Errorf("%s is not installed: %w", printService, fs.ErrNotExist)
	}
	// A service that failed too often is not started before that is forgotten.
	_ = call(ctx, conn, systemdBus, systemdPath, systemdManager+".ResetFailedUnit", printService).Err
	if err := job(ctx, conn, "RestartUnit", printService, "replace"); err != nil {
		return nil, takenBack(ctx, stopUnit, err)
	}
	first, err := property[uint32](ctx, conn, systemdBus, at, service, "MainPID")
	if err != nil {
		return nil, fmt.Errorf("systemd: %w", err)
	}
	steady, cancel := context.WithTimeout(ctx, steadyTime)
	defer cancel()
	ended := until(steady, func() bool {
		now, err := property[uint32](ctx, conn, systemdBus, at, service, "MainPID")
		return err != nil || now != first
	})
	if ended {
		return nil, takenBack(ctx, stopUnit, errors.New("the print service ended again right after its start"))
	}
	return []byte("the print service was started anew"), nil
}

// takenBack is why something was undone, when that worked.
func takenBack(ctx context.Context, undo func(context.Context) error, why error) error {
	if err := undo(ctx); err != nil {
		return errors.Join(why, err)
	}
	return fmt.Errorf("%w: %w", ErrTakenBack, why)
}

func stopUnit(ctx context.Context) error {
	conn, err := bus(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	return job(ctx, conn, "StopUnit", printService, "replace")
}
