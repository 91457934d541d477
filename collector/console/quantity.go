package console

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// ago says how long before now a time is, or how long after.
func (s *speech) ago(t, now time.Time) string {
	if t.Unix() <= 0 {
		return s.say("time.never")
	}
	ahead, distance := "", now.Sub(t)
	if distance < 0 {
		ahead, distance = "ahead.", -distance
	}
	switch {
	case distance < time.Minute:
		return s.say("time.now")
	case distance < time.Hour:
		return s.count("time."+ahead+"minutes", int(distance/time.Minute))
	case distance < 24*time.Hour:
		return s.count("time."+ahead+"hours", int(distance/time.Hour))
	case distance < 30*24*time.Hour:
		return s.count("time."+ahead+"days", int(distance/(24*time.Hour)))
	default:
		return t.Local().Format("2006-01-02")
	}
}

// clock gives the time of day, with its date when that is another day.
func (s *speech) clock(t, now time.Time) string {
	t, now = t.Local(), now.Local()
	if t.Format(time.DateOnly) == now.Format(time.DateOnly) {
		return t.Format("15:04:05")
	}
	return t.Format("2006-01-02 15:04")
}

// units are the endings of fact names that say what a number counts, longest
// first where one ends another.
var units = []string{
	"bytes_per_second", "bits_per_second", "packets_per_second", "pages_per_second",
	"kbytes", "bytes", "percent", "seconds", "celsius", "watts", "mbps", "mts", "mhz", "ghz", "dbm", "mwh", "rpm", "ma", "ms",
}

// signs are how units are written behind a number, where that is all there is
// to it.
var signs = map[string]string{
	"percent": "%", "celsius": "°C", "watts": "W", "mhz": "MHz", "ghz": "GHz", "dbm": "dBm", "mts": "MT/s",
	"rpm": "rpm", "ma": "mA", "packets_per_second": "/s", "pages_per_second": "/s",
}

// unitOf gives the unit a fact's name ends with, or "".
func unitOf(name string) string {
	for _, unit := range units {
		if name == unit || strings.HasSuffix(name, "_"+unit) {
			return unit
		}
	}
	return ""
}

// quantity writes a number with its unit as people read it: bytes in binary
// multiples, long times in hours and minutes.
func (s *speech) quantity(unit string, v float64) string {
	switch unit {
	case "kbytes":
		return s.scaled(v*1024, 1024, byteSigns[s.language])
	case "bytes":
		return s.scaled(v, 1024, byteSigns[s.language])
	case "bytes_per_second":
		return s.scaled(v, 1024, byteSigns[s.language]) + "/s"
	case "bits_per_second":
		return s.scaled(v, 1000, []string{"bit/s", "kbit/s", "Mbit/s", "Gbit/s"})
	case "mbps":
		return s.scaled(v, 1000, []string{"Mbit/s", "Gbit/s"})
	case "mwh":
		return s.scaled(v, 1000, []string{"mWh", "Wh"})
	case "ms":
		if v >= 1000 {
			return s.duration(v / 1000)
		}
		return s.number(v) + " ms"
	case "seconds":
		return s.duration(v)
	}
	if sign := signs[unit]; sign != "" {
		return s.number(v) + " " + sign
	}
	return s.number(v)
}

// byteSigns differ: French counts octets.
var byteSigns = map[string][]string{
	"en": {"B", "KiB", "MiB", "GiB", "TiB", "PiB"},
	"fr": {"o", "Kio", "Mio", "Gio", "Tio", "Pio"},
}

// scaled picks the multiple that leaves one to three digits before the point.
func (s *speech) scaled(v, base float64, signs []string) string {
	i := 0
	for math.Abs(v) >= base && i < len(signs)-1 {
		v /= base
		i++
	}
	return s.number(v) + " " + signs[i]
}

// duration writes seconds in the two largest units that matter.
func (s *speech) duration(seconds float64) string {
	day := map[string]string{"en": "d", "fr": "j"}[s.language]
	total := int64(math.Round(math.Abs(seconds)))
	sign := ""
	if seconds < 0 {
		sign = "−"
	}
	n := func(v int64, unit string) string { return strconv.FormatInt(v, 10) + " " + unit }
	switch {
	case total < 10:
		return s.number(seconds) + " s"
	case total < 60:
		return sign + n(total, "s")
	case total < 3600:
		return sign + n(total/60, "min") + " " + n(total%60, "s")
	case total < 86400:
		return sign + n(total/3600, "h") + " " + n(total%3600/60, "min")
	default:
		return sign + n(total/86400, day) + " " + n(total%86400/3600, "h")
	}
}

// number writes a number with at most three digits that matter after small ones
// and the decimal mark of the language.
func (s *speech) number(v float64) string {
	decimals := 0
	switch a := math.Abs(v); {
	case a == math.Trunc(a):
	case a < 1:
		decimals = 2
	case a < 100:
		decimals = 1
	}
	text := strconv.FormatFloat(v, 'f', decimals, 64)
	if decimals > 0 {
		text = strings.TrimSuffix(strings.TrimRight(text, "0"), ".")
	}
	text = strings.Replace(text, "-", "−", 1)
	if s.language == "fr" {
		text = strings.Replace(text, ".", ",", 1)
	}
	return text
}
