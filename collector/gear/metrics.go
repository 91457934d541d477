package gear

import (
	"context"
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"constat/internal/snmp"
)

// metrics tell how polling goes. None has a label for a device: there are
// thousands.
type metrics struct {
	polls          *prometheus.CounterVec
	seconds        *prometheus.HistogramVec
	requests, read *prometheus.CounterVec
	samples        prometheus.Counter
	devices        *prometheus.Desc
}

func newMetrics() *metrics {
	byKind := func(name, help string, more ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, append([]string{"kind"}, more...))
	}
	return &metrics{
		polls:    byKind("constat_gear_polls_total", "Polls of devices, by what was read (status, counters, whole) and how it went (ok, silent, refused, failed).", "result"),
		requests: byKind("constat_gear_requests_total", "SNMP requests sent."),
		read:     byKind("constat_gear_objects_total", "SNMP objects read."),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "constat_gear_poll_seconds", Help: "How long polls took.", Buckets: []float64{.005, .02, .1, .5, 1, 2, 5, 15, 60, 240},
		}, []string{"kind"}),
		samples: prometheus.NewCounter(prometheus.CounterOpts{Name: "constat_gear_samples_total", Help: "Measurements kept in series."}),
		devices: prometheus.NewDesc("constat_gear_devices", "Devices that are polled, by state.", []string{"state"}, nil),
	}
}

// polled counts one poll.
func (m *metrics) polled(k kind, cost snmp.Stats, took time.Duration, err error) {
	result := "ok"
	switch {
	case err == nil:
	case errors.Is(err, snmp.ErrRefused):
		result = "refused"
	case errors.Is(err, snmp.ErrSilent), errors.Is(err, context.DeadlineExceeded):
		result = "silent"
	default:
		result = "failed"
	}
	m.polls.WithLabelValues(string(k), result).Inc()
	m.seconds.WithLabelValues(string(k)).Observe(took.Seconds())
	m.requests.WithLabelValues(string(k)).Add(float64(cost.PDUs))
	m.read.WithLabelValues(string(k)).Add(float64(cost.Objects))
}

func (m *metrics) parts() []prometheus.Collector {
	return []prometheus.Collector{m.polls, m.seconds, m.requests, m.read, m.samples}
}

// Describe makes a Watch a prometheus.Collector.
func (w *Watch) Describe(to chan<- *prometheus.Desc) {
	for _, part := range w.metrics.parts() {
		part.Describe(to)
	}
	to <- w.metrics.devices
}

// maxScrape bounds how long the database may take to count devices.
const maxScrape = 5 * time.Second

// Collect makes a Watch a prometheus.Collector. The devices are those of the
// whole organisation, as the database has them.
func (w *Watch) Collect(to chan<- prometheus.Metric) {
	for _, part := range w.metrics.parts() {
		part.Collect(to)
	}
	ctx, cancel := context.WithTimeout(context.Background(), maxScrape)
	defer cancel()
	states, err := w.store.Read().GearStates(ctx)
	if err != nil {
		to <- prometheus.NewInvalidMetric(w.metrics.devices, err)
		return
	}
	for _, s := range states {
		to <- prometheus.MustNewConstMetric(w.metrics.devices, prometheus.GaugeValue, float64(s.Devices), s.State)
	}
}
