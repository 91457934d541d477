package host

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	constatv1 "constat/proto/constat/v1"
)

// Limits of what is looked at: far above what machines have.
const (
	maxSupplies = 64
	maxZones    = 128
	maxTrips    = 16
	maxSensors  = 128
	maxCPUs     = 4096
)

// throttleSample is how long the processor is watched for heat.
const throttleSample = loadSample

func readPower(ctx context.Context, r *reader) (proto.Message, *constatv1.Observation) {
	const supplies, zones = "/sys/class/power_supply", "/sys/class/thermal"
	_, supplyErr := r.stat(supplies)
	_, zoneErr := r.stat(zones)
	if supplyErr != nil && zoneErr != nil {
		return nil, failed("/sys/class", fmt.Errorf("this kernel tells nothing of power or heat: %w", supplyErr))
	}
	o := observed("/sys/class/power_supply, thermal, hwmon, /sys/devices/system/cpu")
	p := &constatv1.Power{}
	begin := time.Now()
	before := throttleEvents(r.throttledThreads())
	if err := readSupplies(r, p); err != nil {
		gap(o, "batteries", err)
		gap(o, "chargers", err)
	}
	if err := readThermalZones(r, p); err != nil {
		gap(o, "thermal_zones", err)
	}
	if err := readFans(r, p); err != nil {
		gap(o, "fans", err)
	}
	if p.Profile = filled(profiles[r.value("/sys/firmware/acpi/platform_profile")]); p.Profile == nil {
		p.Profile = filled(profiles[r.value("/sys/devices/system/cpu/cpufreq/policy0/energy_performance_preference")])
	}
	readFrequencies(r, p)
	if before == nil {
		gap(o, "throttle_events", fmt.Errorf("this processor's driver does not count them: %w", errors.ErrUnsupported))
		return p, o
	}
	select {
	case <-time.After(throttleSample - time.Since(begin)):
	case <-ctx.Done():
		return nil, failed(o.Source, ctx.Err())
	}
	if p.ThrottleEvents = throttleEvents(r.throttledThreads()); p.ThrottleEvents != nil && *p.ThrottleEvents >= *before {
		p.ThrottleEventsDelta = set(*p.ThrottleEvents - *before)
	}
	return p, o
}

// supplyFiles are the properties that are read as files: those that other
// drivers add to a supply are missing from its uevent.
var supplyFiles = []string{
	"capacity", "charge_behaviour", "charge_control_end_threshold", "charge_control_start_threshold", "charge_full", "charge_full_design", "charge_now",
	"charge_start_threshold", "charge_stop_threshold", "current_max", "current_now", "cycle_count", "energy_full", "energy_full_design", "energy_now",
	"health", "input_power_limit", "manufacturer", "model_name", "online", "present", "scope", "serial_number", "status", "type",
	"voltage_max", "voltage_min_design", "voltage_now",
}

// readSupplies reads batteries and chargers, sorted by name.
func readSupplies(r *reader, p *constatv1.Power) error {
	const dir = "/sys/class/power_supply/"
	names, err := r.names(dir)
	if err != nil {
		return err
	}
	conserving := r.conserving()
	ports := r.typeCPorts()
	for _, name := range names[:min(len(names), maxSupplies)] {
		s := supply{}
		if uevent, err := r.file(dir + name + "/uevent"); err == nil {
			s = parseSupply(uevent)
		}
		for _, file := range supplyFiles {
			if _, told := s[file]; !told {
				if text := r.value(dir + name + "/" + file); text != "" {
					s[file] = text
				}
			}
		}
		switch {
		case s.isPeripheral():
		case s["type"] == "Battery":
			p.Batteries = append(p.Batteries, batteryOf(name, s, conserving))
		case isCharger(s["type"]):
			c := chargerOf(name, s)
			if port, found := ports[portOf(name)]; found && c.GetOnline() {
				c.Watts, c.RequiredWatts = cmp.Or(port.offered, c.Watts), port.wants
			}
			p.Chargers = append(p.Chargers, c)
		}
	}
	p.Batteries = append(p.Batteries, emptySlots(r, p.Batteries)...)
	p.OnBattery = onBattery(p)
	return nil
}

// emptySlots are those that the firmware tells of without a battery in them:
// the kernel takes the supply of such a one away.
func emptySlots(r *reader, known []*constatv1.Battery) (slots []*constatv1.Battery) {
	const (
		dir     = "/sys/bus/acpi/devices/"
		present = 1 << 0 // of _STA (ACPI 6.5, 6.3.7)
		filled  = 1 << 4 // of a control method battery's (10.2.1)
	)
	names, _ := r.names(dir) // not there: no ACPI
	for _, name := range names {
		if !strings.HasPrefix(name, "PNP0C0A:") || len(slots) == maxSupplies {
			continue
		}
		status, err := strconv.ParseUint(r.value(dir+name+"/status"), 10, 32)
		if err != nil || status&present == 0 || status&filled != 0 {
			continue
		}
		path := r.value(dir + name + "/path") // \_SB_.PCI0.BAT0
		slot := strings.TrimRight(path[strings.LastIndexByte(path, '.')+1:], "_")
		if slot == "" {
			slot = name
		}
		if !slices.ContainsFunc(known, func(b *constatv1.Battery) bool { return b.GetName() == slot }) {
			slots = append(slots, &constatv1.Battery{Name: &slot, Present: set(false)})
		}
	}
	return slots
}

// conserving tells whether Lenovo's consumer laptops hold the charge below
// full (ideapad_laptop; the driver tells no percentage).
func (r *reader) conserving() bool {
	const dir = "/sys/bus/platform/drivers/ideapad_acpi/"
	names, _ := r.names(dir) // not there: no such laptop
	for _, name := range names {
		if on := r.flag(dir + name + "/conservation_mode"); on != nil && *on {
			return true
		}
	}
	return false
}

// ucsiSupply is the name of the charger behind a USB-C connector; connectors
// count from 1, ports from 0.
var ucsiSupply = form(`^ucsi-source-psy-.*?0*([0-9]+)$`)

// portOf names the USB-C port of a charger; "" when it has none.
func portOf(supplyName string) string {
	m := ucsiSupply().FindStringSubmatch(supplyName)
	if m == nil {
		return ""
	}
	connector, err := strconv.Atoi(m[1])
	if err != nil || connector < 1 {
		return ""
	}
	return fmt.Sprintf("port%d", connector-1)
}

// typeCPort is the watts that the partner at a USB-C port offers, and that the
// port wants.
type typeCPort struct{ offered, wants *float64 }

func (r *reader) typeCPorts() map[string]typeCPort {
	const dir = "/sys/class/typec/"
	names, _ := r.names(dir) // not there: no such ports
	ports := map[string]typeCPort{}
	for _, name := range names[:min(len(names), maxSupplies)] {
		if number, found := strings.CutPrefix(name, "port"); found && strings.Trim(number, "0123456789") == "" {
			ports[name] = typeCPort{
				offered: mostWatts(r.capabilities(dir + name + "-partner/usb_power_delivery/source-capabilities")),
				wants:   mostWatts(r.capabilities(dir + name + "/usb_power_delivery/sink-capabilities")),
			}
		}
	}
	return ports
}

// capabilities reads power data objects; a USB-C end has seven at most, and
// with an extended range eleven.
func (r *reader) capabilities(dir string) []capability {
	names, _ := r.names(dir)
	var offers []capability
	for _, name := range names[:min(len(names), 16)] {
		file := func(name string) string { return r.value(dir + "/" + name) }
		offers = append(offers, capability{
			voltage: cmp.Or(file(name+"/voltage"), file(name+"/minimum_voltage")),
			current: cmp.Or(file(name+"/maximum_current"), file(name+"/operational_current")),
			power:   cmp.Or(file(name+"/maximum_power"), file(name+"/operational_power")),
		})
	}
	return offers
}

// readThermalZones reads the zones, and the processor's own sensor where no
// zone is of it, as on AMD.
func readThermalZones(r *reader, p *constatv1.Power) error {
	const dir = "/sys/class/thermal/"
	names, err := r.names(dir)
	if err != nil {
		return err
	}
	processor := false
	for _, name := range names[:min(len(names), maxZones)] {
		if !strings.HasPrefix(name, "thermal_zone") {
			continue
		}
		var trips []tripPoint
		for i := range maxTrips {
			trip := fmt.Sprintf("%s%s/trip_point_%d_", dir, name, i)
			if milli := r.number(trip + "temp"); milli != nil {
				trips = append(trips, tripPoint{r.value(trip + "type"), *milli})
			}
		}
		kind := cmp.Or(r.value(dir+name+"/type"), name)
		processor = processor || kind == "x86_pkg_temp"
		p.ThermalZones = append(p.ThermalZones, thermalZoneOf(kind, r.number(dir+name+"/temp"), trips))
	}
	if !processor {
		readProcessorHeat(r, p)
	}
	nameApart(p.ThermalZones)
	return nil
}

// processorSensors are the drivers of processors' own sensors; their first
// temperature is that of the package.
var processorSensors = map[string]bool{"coretemp": true, "k10temp": true, "k8temp": true, "zenpower": true, "via_cputemp": true}

func readProcessorHeat(r *reader, p *constatv1.Power) {
	const dir = "/sys/class/hwmon/"
	names, _ := r.names(dir) // its absence is told with the fans
	for _, name := range names[:min(len(names), maxSensors)] {
		if sensor := r.value(dir + name + "/name"); processorSensors[sensor] {
			var trips []tripPoint
			if critical := r.number(dir + name + "/temp1_crit"); critical != nil {
				trips = append(trips, tripPoint{"critical", *critical})
			}
			p.ThermalZones = append(p.ThermalZones, thermalZoneOf(sensor, r.number(dir+name+"/temp1_input"), trips))
		}
	}
}

// fanInput is the file of a fan's speed.
var fanInput = form(`^(fan[0-9]{1,2})_input$`)

// fanUnknown is what the ThinkPad's controller says while it does not know.
const fanUnknown = 65535

// readFans reads fans by the name of their sensor and their label.
func readFans(r *reader, p *constatv1.Power) error {
	const dir = "/sys/class/hwmon/"
	sensors, err := r.names(dir)
	if err != nil {
		return err
	}
	for _, sensor := range sensors[:min(len(sensors), maxSensors)] {
		files, err := r.names(dir + sensor)
		if err != nil {
			continue // it went away
		}
		for _, file := range files {
			m := fanInput().FindStringSubmatch(file)
			if m == nil {
				continue
			}
			fan := dir + sensor + "/" + m[1]
			label := cmp.Or(r.value(fan+"_label"), m[1])
			f := &constatv1.Fan{
				Name: set(strings.TrimSpace(r.value(dir+sensor+"/name") + " " + label)),
				Rpm:  turns(r.number(fan + "_input")), MinRpm: turns(r.number(fan + "_min")),
				Alarm: cmp.Or(r.flag(fan+"_alarm"), r.flag(fan+"_min_alarm")),
			}
			if fault := r.flag(fan + "_fault"); fault != nil && (*fault || f.Alarm == nil) {
				f.Alarm = fault
			}
			p.Fans = append(p.Fans, f)
		}
	}
	return nil
}

// turns is a fan's speed; nil where it is none.
func turns(rpm *int64) *int32 {
	if rpm == nil || *rpm < 0 || *rpm >= fanUnknown {
		return nil
	}
	return set(int32(*rpm))
}

// readFrequencies reads the fastest that policy and firmware allow any
// processor, and that any can. Files are in kHz.
func readFrequencies(r *reader, p *constatv1.Power) {
	const dir = "/sys/devices/system/cpu/cpufreq/"
	names, _ := r.names(dir) // not there: the frequency is not the system's to set
	for _, name := range names[:min(len(names), maxCPUs)] {
		if !strings.HasPrefix(name, "policy") {
			continue
		}
		limit, most := r.number(dir+name+"/scaling_max_freq"), r.number(dir+name+"/cpuinfo_max_freq")
		if bios := r.number(dir + name + "/bios_limit"); bios != nil && *bios > 0 && limit != nil {
			limit = set(min(*limit, *bios))
		}
		p.LimitMhz, p.MaxMhz = faster(p.LimitMhz, limit), faster(p.MaxMhz, most)
	}
	if share := r.number("/sys/devices/system/cpu/intel_pstate/max_perf_pct"); share != nil && *share > 0 && *share < 100 && p.MaxMhz != nil && p.LimitMhz != nil {
		p.LimitMhz = set(min(*p.LimitMhz, int32(int64(*p.MaxMhz)**share/100)))
	}
}

// faster is the higher of a frequency in MHz and one in kHz; nil is none.
func faster(mhz *int32, khz *int64) *int32 {
	if khz == nil || *khz <= 0 || *khz > 100_000_000 {
		return mhz
	}
	if other := int32(*khz / 1000); mhz == nil || other > *mhz {
		return &other
	}
	return mhz
}

// throttledThreads reads the counts of all processor threads (x86 only).
func (r *reader) throttledThreads() []throttled {
	const dir = "/sys/devices/system/cpu/"
	names, _ := r.names(dir)
	var threads []throttled
	for _, name := range names[:min(len(names), maxCPUs)] {
		if number, found := strings.CutPrefix(name, "cpu"); !found || number == "" || strings.Trim(number, "0123456789") != "" {
			continue
		}
		t := throttled{
			pkg: r.value(dir + name + "/topology/physical_package_id"), core: r.value(dir + name + "/topology/core_id"),
			byPkg:  natural(r.number(dir + name + "/thermal_throttle/package_throttle_count")),
			byCore: natural(r.number(dir + name + "/thermal_throttle/core_throttle_count")),
		}
		if t.byPkg != nil || t.byCore != nil {
			threads = append(threads, t)
		}
	}
	return threads
}
