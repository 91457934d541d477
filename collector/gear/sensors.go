package gear

import (
	"cmp"
	"context"
	"maps"
	"math"
	"strconv"

	"google.golang.org/protobuf/proto"

	"constat/internal/snmp"
	constatv1 "constat/proto/constat/v1"
)

// reading is a row of a sensor table: of CISCO-ENTITY-SENSOR-MIB or of
// ENTITY-SENSOR-MIB (RFC 3433), which have the same columns.
type reading struct{ kind, scale, precision, value, status *int64 }

func sensorColumns(table string) []column[reading] {
	return []column[reading]{
		{"entSensorType", table + ".1", func(r *reading, v snmp.Value) { r.kind = integer(v) }},
		{"entSensorScale", table + ".2", func(r *reading, v snmp.Value) { r.scale = integer(v) }},
		{"entSensorPrecision", table + ".3", func(r *reading, v snmp.Value) { r.precision = integer(v) }},
		{"entSensorValue", table + ".4", func(r *reading, v snmp.Value) { r.value = integer(v) }},
		{"entSensorStatus", table + ".5", func(r *reading, v snmp.Value) { r.status = integer(v) }},
	}
}

const (
	ciscoSensors    = "1.3.6.1.4.1.9.9.91.1.1.1.1"
	standardSensors = "1.3.6.1.2.1.99.1.1.1"
)

// sensorKinds and sensorUnits are SensorDataType: other(1), unknown(2),
// voltsAC(3), voltsDC(4), …
var (
	sensorKinds = []string{"", "other", "other", "voltage", "voltage", "current", "power", "other", "temperature", "other", "fan", "other", "other", "other", "opticalPower"}
	sensorUnits = []string{"", "", "", "V", "V", "A", "W", "Hz", "C", "%", "rpm", "m3/min", "", "", "dBm"}
	// sensorStates are SensorStatus: ok(1), unavailable(2), nonoperational(3).
	sensorStates = words{1: "normal", 2: "unknown", 3: "notFunctioning"}
)

// Bounds of what a scale and a precision may be (SensorDataScale from yocto(1)
// to yotta(17), SensorPrecision from -8 to 9): some agents send garbage, and no
// figure is better than an absurd one.
const (
	minScale, unitsScale, maxScale = 1, 9, 17
	minPrecision, maxPrecision     = -8, 9
	maxReading                     = 1e9
)

// figures bound what a sensor of each kind can measure in a device that works:
// agents tell -32768, 2147483647 or what lay in memory of a sensor that is not
// there, and millivolts for volts. Light that a receiver does not see is -40 dBm, or
// -inf cut to whatever; a mains input has 480 V; no load measures as a little less than nothing.
var figures = map[string][2]float64{
	"temperature": {-100, 300}, "voltage": {-1000, 1000}, "current": {-1000, 1000}, "power": {-1, 100_000}, "fan": {0, 100_000},
	"opticalPower": {-100, 60},
}

// sensible rounds a figure; ok is false where no sensor of the kind measures that.
func sensible(kind string, value float64) (float64, bool) {
	if limits, known := figures[kind]; known && (value < limits[0] || value > limits[1]) {
		return 0, false
	}
	return math.Round(value*1e6) / 1e6, math.Abs(value) < maxReading
}

// measured is the value in its unit; ok is false where it makes no sense.
func (r *reading) measured(kind string) (value float64, ok bool) {
	if r.value == nil || r.status != nil && *r.status != 1 {
		return 0, false
	}
	factor, ok := r.factor()
	if !ok {
		return 0, false
	}
	return sensible(kind, float64(*r.value)*factor)
}

// factor turns the sensor's figures into its unit; ok is false where scale and
// precision make no sense.
func (r *reading) factor() (float64, bool) {
	scale, precision := int64(unitsScale), int64(0)
	if r.scale != nil {
		scale = *r.scale
	}
	if r.precision != nil {
		precision = *r.precision
	}
	if scale < minScale || scale > maxScale || precision < minPrecision || precision > maxPrecision {
		return 0, false
	}
	return math.Pow10(int(3*(scale-unitsScale) - precision)), true
}

// environment is a row of CISCO-ENVMON-MIB, or of a table of the same shape.
type environment struct {
	name  string
	value *int64
	state *string
}

var environmentStates = words{1: "normal", 2: "warning", 3: "critical", 4: "shutdown", 5: "notPresent", 6: "notFunctioning"}

// environments are the tables, with their columns of value and state; the name
// is column 2 of each.
var environments = []struct {
	kind, unit   string
	factor       float64
	table        string
	value, state string
}{
	{"voltage", "V", 1e-3, "1.3.6.1.4.1.9.9.13.1.2.1", ".3", ".7"},
	{"temperature", "C", 1, "1.3.6.1.4.1.9.9.13.1.3.1", ".3", ".6"},
	{"fan", "", 1, "1.3.6.1.4.1.9.9.13.1.4.1", "", ".3"},
	{"powerSupply", "", 1, "1.3.6.1.4.1.9.9.13.1.5.1", "", ".3"},
	{"fan", "", 1, "1.3.6.1.4.1.9.6.1.101.83.1.1.1", "", ".3"},         // rlEnvMonFanStatusTable
	{"powerSupply", "", 1, "1.3.6.1.4.1.9.6.1.101.83.1.2.1", "", ".3"}, // rlEnvMonSupplyStatusTable
}

// sensors reads temperatures, voltages, fans and power supplies. Devices tell
// the same part in several MIBs; one name of one kind is told once, by the
// richer MIB.
func (p *poll) sensors(ctx context.Context) error {
	type part struct{ kind, name string }
	told := map[part]bool{}
	for _, table := range []string{ciscoSensors, standardSensors} {
		rows, err := walk(ctx, p.session, sensorColumns(table))
		if err != nil {
			return err
		}
		names := p.sensorNames(rows)
		for _, index := range byIndex(rows) {
			if s := p.sensor(names[index], rows[index]); s != nil {
				place := int32(len(p.out.Sensors))
				if rows[index].status != nil {
					p.note("entityState", place, table+".5."+index, 1)
				}
				if factor, ok := rows[index].factor(); ok && rows[index].value != nil {
					p.note("entityValue", place, table+".4."+index, factor)
				}
				told[part{s.GetKind(), s.GetName()}] = true
				p.out.Sensors = append(p.out.Sensors, s)
			}
		}
		if len(rows) > 0 {
			break // of the two, the maker's own
		}
	}
	kinds := map[string]bool{}
	for _, e := range environments {
		rows, err := p.environment(ctx, e.table, e.value, e.state)
		if err != nil {
			return err
		}
		for _, index := range byIndex(rows) {
			r := rows[index]
			s := &constatv1.Sensor{Name: proto.String(cmp.Or(r.name, e.kind+" "+index)), Kind: proto.String(e.kind), State: r.state}
			if r.value != nil && s.GetState() != "notPresent" {
				if value, ok := sensible(e.kind, float64(*r.value)*e.factor); ok {
					s.Value, s.Unit = proto.Float64(value), present(e.unit)
				}
			}
			kinds[e.kind] = true
			if !told[part{e.kind, s.GetName()}] {
				place := int32(len(p.out.Sensors))
				p.note("environmentState", place, e.table+e.state+"."+index, 1)
				if r.value != nil {
					p.note("environmentValue", place, e.table+e.value+"."+index, e.factor)
				}
				p.out.Sensors = append(p.out.Sensors, s)
			}
		}
	}
	return p.replaceable(ctx, kinds)
}

func (p *poll) environment(ctx context.Context, table, value, state string) (map[string]*environment, error) {
	columns := []column[environment]{
		{"name", table + ".2", func(r *environment, v snmp.Value) { r.name = v.Text() }},
		{"state", table + state, func(r *environment, v snmp.Value) { r.state = environmentStates.of(v) }},
	}
	if value != "" {
		columns = append(columns, column[environment]{"value", table + value, func(r *environment, v snmp.Value) { r.value = integer(v) }})
	}
	return walk(ctx, p.session, columns)
}

// kindAndUnit are what a sensor measures, and in what.
func (r *reading) kindAndUnit() (kind, unit string) {
	if r.kind != nil && *r.kind > 0 && *r.kind < int64(len(sensorKinds)) {
		return sensorKinds[*r.kind], sensorUnits[*r.kind]
	}
	return "other", ""
}

// sensorNames name the sensors of a table, each of a kind otherwise than the rest:
// many devices call every inlet "Inlet temperature", and say only in what it sits.
func (p *poll) sensorNames(rows map[string]*reading) map[string]string {
	type part struct{ kind, name string }
	names, times := map[string]string{}, map[part]int{}
	count := func(by int) {
		for index, r := range rows {
			kind, _ := r.kindAndUnit()
			times[part{kind, names[index]}] += by
		}
	}
	alike := func(index string) bool {
		kind, _ := rows[index].kindAndUnit()
		return times[part{kind, names[index]}] > 1
	}
	for index := range rows {
		names[index] = p.entityName(index, "sensor")
	}
	count(1)
	for _, better := range []func(index string) string{
		func(index string) string {
			in := p.physical[strconv.FormatInt(p.physical[index].containedIn, 10)]
			if in == nil || cmp.Or(in.name, in.description) == "" {
				return names[index]
			}
			return cmp.Or(in.name, in.description) + " " + names[index]
		},
		func(index string) string { return names[index] + " (" + index + ")" },
	} {
		renamed := map[string]string{}
		for index := range rows {
			if p.physical[index] != nil && alike(index) {
				renamed[index] = better(index)
			}
		}
		count(-1)
		maps.Copy(names, renamed)
		count(1)
	}
	return names
}

func (p *poll) sensor(name string, r *reading) *constatv1.Sensor {
	if r.kind == nil && r.value == nil {
		return nil
	}
	kind, unit := r.kindAndUnit()
	s := &constatv1.Sensor{Name: proto.String(name), Kind: proto.String(kind), Unit: present(unit)}
	if value, ok := r.measured(s.GetKind()); ok {
		s.Value = proto.Float64(value)
	}
	if r.status != nil && *r.status >= 1 && *r.status <= 3 {
		s.State = proto.String(sensorStates[*r.status])
	}
	return s
}

// entityName names a physical entity as people do.
func (p *poll) entityName(index, otherwise string) string {
	if e := p.physical[index]; e != nil && cmp.Or(e.name, e.description) != "" {
		return cmp.Or(e.name, e.description)
	}
	return otherwise + " " + index
}

const (
	supplyStatus = "1.3.6.1.4.1.9.9.117.1.1.2.1.2" // cefcFRUPowerOperStatus
	fanStatus    = "1.3.6.1.4.1.9.9.117.1.4.1.1.1" // cefcFanTrayOperStatus
)

var (
	// supplyStates are PowerOperType: offEnvOther(1), on(2), offAdmin(3),
	// offDenied(4), offEnvPower(5), offEnvTemp(6), offEnvFan(7), failed(8),
	// onButFanFail(9), offCooling(10), offConnectorRating(11),
	// onButInlinePowerFail(12).
	supplyStates = words{
		1: "notFunctioning", 2: "normal", 3: "shutdown", 4: "shutdown", 5: "notFunctioning", 6: "critical", 7: "critical", 8: "notFunctioning",
		9: "warning", 10: "critical", 11: "notFunctioning", 12: "warning",
	}
	// fanStates are unknown(1), up(2), down(3), warning(4).
	fanStates = words{1: "unknown", 2: "normal", 3: "notFunctioning", 4: "warning"}
)

// replaceable reads power supplies and fan trays where no environment table has
// them: Nexus, ASR and newer Catalysts (CISCO-ENTITY-FRU-CONTROL-MIB).
func (p *poll) replaceable(ctx context.Context, told map[string]bool) error {
	return p.session.Walk(ctx, []string{supplyStatus, fanStatus}, func(column int, index string, v snmp.Value) {
		s := &constatv1.Sensor{Kind: proto.String("powerSupply"), State: supplyStates.of(v)}
		if column == 1 {
			s.Kind, s.State = proto.String("fan"), fanStates.of(v)
		} else if e := p.physical[index]; e == nil || e.class != classSupply { // line cards have power too
			return
		}
		if !told[s.GetKind()] {
			s.Name = proto.String(p.entityName(index, s.GetKind()))
			what := [...]string{"supplyState", "fanState"}[column]
			p.note(what, int32(len(p.out.Sensors)), [...]string{supplyStatus, fanStatus}[column]+"."+index, 1)
			p.out.Sensors = append(p.out.Sensors, s)
		}
	})
}
