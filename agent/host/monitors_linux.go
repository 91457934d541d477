package host

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	constatv1 "constat/proto/constat/v1"
)

const drmDir = "/sys/class/drm"

// maxConnectors is how many outputs of graphics adapters are looked at.
const maxConnectors = 64

// readMonitors reads what is plugged into the outputs of the graphics adapters,
// sorted by connector. An output with nothing on it is not listed.
func readMonitors(ctx context.Context, r *reader, h *constatv1.Hardware, o *constatv1.Observation) {
	names, err := r.names(drmDir)
	if err != nil {
		gap(o, "monitors", fmt.Errorf("no graphics adapter shows its outputs: %w", err))
		return
	}
	untrained := map[string]*int32{} // none in the log says nothing: an old log is cut
	events, _ := r.kernelLog(ctx)    // denied: the fact stays unknown
	for _, e := range events {
		if e.kind == kernelLink {
			untrained[e.subject] = set(*cmp.Or(untrained[e.subject], new(int32)) + 1)
		}
	}
	for _, name := range names {
		_, connector, found := strings.Cut(name, "-") // "card0-HDMI-A-1"
		if !found || !strings.HasPrefix(name, "card") || len(h.Monitors) == maxConnectors {
			continue
		}
		status := r.value(drmDir + "/" + name + "/status")
		raw, err := r.file(drmDir + "/" + name + "/edid")
		if status != "connected" && len(raw) == 0 {
			continue
		}
		var m *constatv1.Monitor
		if err == nil {
			m, err = parseEDID(raw)
		}
		if err != nil {
			gap(o, "monitors", fmt.Errorf("%s: %w", connector, err))
		}
		if m == nil {
			m = &constatv1.Monitor{}
		}
		m.Connector, m.EdidRead = &connector, set(err == nil)
		switch r.value(drmDir + "/" + name + "/enabled") {
		case "enabled":
			m.Enabled = set(true)
		case "disabled":
			m.Enabled = set(false)
		}
		m.LinkFailures = untrained[connector]
		switch status {
		case "connected":
			m.Connected = set(true)
		case "disconnected":
			m.Connected = set(false)
		}
		h.Monitors = append(h.Monitors, m)
	}
	slices.SortStableFunc(h.Monitors, func(a, b *constatv1.Monitor) int { return cmp.Compare(a.GetConnector(), b.GetConnector()) })
}
