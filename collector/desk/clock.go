package desk

import "time"

// At is the desk with another clock, for tests of those who use one.
func At(d *Desk, now func() time.Time) *Desk {
	return &Desk{store: d.store, bus: d.bus, catalog: d.catalog, now: now, streams: map[string]int{}}
}
