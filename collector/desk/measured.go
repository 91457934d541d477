package desk

import (
	"context"
	"time"

	"constat/collector/store"
)

// fineFor is up to which span every measurement is given; of a longer one, what
// each hour came to.
const fineFor = 7 * 24 * time.Hour

// Measured gives what was measured of a device over a span until now, of the
// series that are wanted.
func (d *Desk) Measured(ctx context.Context, gearID string, span time.Duration, want func(store.Measure) bool) (map[store.Measure][]store.HourSum, error) {
	if seen, err := seesGear(ctx, d.store.Read(), gearID); err != nil || !seen {
		return nil, err
	}
	now := d.now()
	from, until := now.Add(-span), now.Add(time.Minute) // another collector's clock may be ahead
	if span > fineFor {
		return d.store.HourSums(ctx, gearID, from, until, want)
	}
	fine, err := d.store.Samples(ctx, gearID, from, until, want)
	if err != nil {
		return nil, err
	}
	found := make(map[store.Measure][]store.HourSum, len(fine))
	for name, samples := range fine {
		for _, x := range samples {
			found[name] = append(found[name], store.HourSum{At: x.At, Count: 1, Sum: x.Value, Maximum: x.Value})
		}
	}
	return found, nil
}
