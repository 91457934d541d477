package host

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"time"

	"golang.org/x/sys/windows/registry"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	constatv1 "constat/proto/constat/v1"
)

// restartKeys are keys that are there while a restart is waited for, and what does.
// Which of them Windows looks at is told by learn.microsoft.com for
// Configuration Manager ("CCM_ClientUtilities", DetermineIfRebootPending).
var restartKeys = []struct{ path, reason string }{
	{currentVersion + `\Component Based Servicing\RebootPending`, "Component Based Servicing"},
	{currentVersion + `\WindowsUpdate\Auto Update\RebootRequired`, "Windows Update"},
}

func readUpdates(ctx context.Context, _ *reader) (proto.Message, *constatv1.Observation) {
	o := observed("registry, event logs System and WindowsUpdateClient")
	u := &constatv1.Updates{Kind: set("windowsUpdate")}
	windowsRestart(u, o)
	events, err := loggedEvents(ctx, updateRows, updateAge)
	if err != nil {
		for _, fact := range []string{"failures", "last_check_at", "last_success_at", "pending"} {
			gap(o, fact, err)
		}
	}
	updateEvents(u, events)
	// Older versions keep the times here.
	for name, to := range map[string]**timestamppb.Timestamp{"Detect": &u.LastCheckAt, "Install": &u.LastSuccessAt} {
		key, err := registryValues(registry.LOCAL_MACHINE, currentVersion+`\WindowsUpdate\Auto Update\Results\`+name, 0)
		if err != nil || *to != nil {
			continue
		}
		if at, err := time.Parse(time.DateTime, key.text("LastSuccessTime")); err == nil {
			*to = timestamppb.New(at)
		}
	}
	// Windows Installer has this key while it works.
	switch _, err := registryValues(registry.LOCAL_MACHINE, currentVersion+`\Installer\InProgress`, 0); {
	case err == nil:
		u.Locked = set(true)
	case errors.Is(err, fs.ErrNotExist):
		u.Locked = set(false)
	default:
		gap(o, "locked", err)
	}
	return u, o
}

// windowsRestart tells whether something waits for a restart.
func windowsRestart(u *constatv1.Updates, o *constatv1.Observation) {
	var since time.Time
	var reasons []string
	for _, k := range restartKeys {
		key, err := registryValues(registry.LOCAL_MACHINE, k.path, 0)
		switch {
		case err == nil:
			reasons = append(reasons, k.reason)
			if since.IsZero() || key.written.Before(since) {
				since = key.written
			}
		case !errors.Is(err, fs.ErrNotExist):
			gap(o, "restart_pending", err)
			return
		}
	}
	manager, err := registryValues(registry.LOCAL_MACHINE, `SYSTEM\CurrentControlSet\Control\Session Manager`, 0)
	if err != nil {
		gap(o, "restart_reasons", err)
	}
	if len(reasons) == 0 {
		since = time.Time{}
	}
	reasons = append(reasons, replacedFiles(manager.texts("PendingFileRenameOperations"))...)
	slices.Sort(reasons)
	u.RestartPending, u.RestartReasons = set(len(reasons) > 0), reasons
	if !since.IsZero() {
		u.RestartPendingSince = timestamppb.New(since)
	}
}
