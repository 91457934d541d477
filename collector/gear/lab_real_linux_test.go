package gear

import (
	"compress/bzip2"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// realRow is a fault put into a recording of a real device: some objects of one
// port, or of one part, are changed. ok is false where the recording has no such
// part.
type realRow struct {
	fault, how string
	put        func(b *box, draw *rand.Rand) (ok bool)
}

// value is an object's, as the recording has it.
func (d device) value(oid string) string {
	parts := strings.SplitN(d[oid], "|", 3)
	return parts[len(parts)-1]
}

// indexes are those of a column whose value fits, in their order.
func (d device) indexes(column string, fits func(value string) bool) (found []string) {
	for oid := range d {
		if index, ok := strings.CutPrefix(oid, column+"."); ok && fits(d.value(oid)) {
			found = append(found, index)
		}
	}
	slices.Sort(found)
	return found
}

func is(wanted string) func(string) bool { return func(value string) bool { return value == wanted } }

// someone is an Ethernet port that is up, at which CDP knows nobody.
func (b *box) someone(draw *rand.Rand) (string, bool) {
	var ports []string
	for _, i := range b.indexes(ifTable+"8", is("1")) {
		known := slices.ContainsFunc(b.indexes("1.3.6.1.4.1.9.9.23.1.2.1.1.6", func(string) bool { return true }), func(n string) bool { return strings.HasPrefix(n, i+".") })
		if b.value(ifTable+"3."+i) == "6" && !known {
			ports = append(ports, i)
		}
	}
	if len(ports) == 0 {
		return "", false
	}
	return ports[draw.IntN(len(ports))], true
}

func (b *box) lower(i string) {
	b.set(ifTable+"8."+i, integerType, 2).set(ifTable+"9."+i, ticksType, b.uptime-2000)
}

// one of the column's cells that hold a value gets another.
func change(column, from string, to ...int) func(*box, *rand.Rand) bool {
	return func(b *box, draw *rand.Rand) bool {
		cells := b.indexes(column, is(from))
		if len(cells) == 0 {
			return false
		}
		b.set(column+"."+cells[draw.IntN(len(cells))], integerType, to[draw.IntN(len(to))])
		return true
	}
}

var realRows = []realRow{
	{"", "nothing happens", func(*box, *rand.Rand) bool { return true }},
	{"cisco-errdisable-bpduguard", "a small switch is plugged into a socket", func(b *box, draw *rand.Rand) bool {
		i, ok := b.someone(draw)
		b.lower(i)
		b.set(fmt.Sprintf("%s.%s.0", errDisableCause, i), integerType, 2)
		return ok
	}},
	{"cisco-errdisable-linkflap", "a plug makes bad contact", func(b *box, draw *rand.Rand) bool {
		i, ok := b.someone(draw)
		b.lower(i)
		b.set(fmt.Sprintf("%s.%s.0", errDisableCause, i), integerType, 6)
		return ok
	}},
	{"cisco-high-cpu", "the processor is busy", func(b *box, draw *rand.Rand) bool {
		for _, column := range cpuColumns {
			cells := b.indexes(column, func(string) bool { return true })
			if len(cells) == 0 && b.device[column+".0"] == "" {
				continue
			}
			for _, i := range cells {
				b.set(column+"."+i, gaugeType, 86+draw.IntN(14))
			}
			return true
		}
		return false
	}},
	{"cisco-uplink-down", "the line to a neighbour is cut", func(b *box, draw *rand.Rand) bool {
		for _, index := range b.indexes("1.3.6.1.4.1.9.9.23.1.2.1.1.9", func(string) bool { return true }) {
			kind := cdpKind([]byte{0, 0, 0, hexByte(b.value("1.3.6.1.4.1.9.9.23.1.2.1.1.9." + index))})
			i, _, _ := strings.Cut(index, ".")
			if b.value(ifTable+"8."+i) == "1" && b.value(ifTable+"7."+i) == "1" && kind != nil && (*kind == "switch" || *kind == "router") {
				b.lower(i)
				return true
			}
		}
		return false
	}},
	{"cisco-psu-failed", "a power supply fails", func(b *box, draw *rand.Rand) bool {
		return change("1.3.6.1.4.1.9.9.13.1.5.1.3", "1", 6, 3)(b, draw)
	}},
	{"cisco-fan-or-overtemp", "a fan stands still", func(b *box, draw *rand.Rand) bool {
		return change("1.3.6.1.4.1.9.9.13.1.4.1.3", "1", 6, 3)(b, draw)
	}},
	{"cisco-poe-fault", "what is plugged in is broken", func(b *box, draw *rand.Rand) bool {
		return change("1.3.6.1.2.1.105.1.1.1.6", "3", 4)(b, draw)
	}},
	{"cisco-device-rebooted", "the device restarts", func(b *box, draw *rand.Rand) bool {
		b.uptime = int64(100 * (120 + draw.IntN(160)))
		return true
	}},
}

// hexByte is the last byte of a value, written in hex or as it is.
func hexByte(value string) byte {
	var n byte
	if len(value) >= 2 {
		fmt.Sscanf(value[len(value)-2:], "%02x", &n)
	}
	return n
}

// notJudged are recordings whose devices' own state nobody knows: this one tells
// ports in VLANs that its table of VLANs, cut short, does not have.
var notJudged = []string{"ios_2960x", "ios_stp-vlans"}

// realWorlds put faults into recordings of real devices, where they lie beside the
// repository.
func realWorlds(t *testing.T, seed string) (worlds []*world) {
	recordings := filepath.Join("..", "..", "..", "shared", "recordings")
	files, err := filepath.Glob(filepath.Join(recordings, "cisco", "*.snmprec*"))
	if err != nil {
		t.Fatal(err)
	}
	printers, err := filepath.Glob(filepath.Join(recordings, "printers", "*.snmprec"))
	if err != nil {
		t.Fatal(err)
	}
	files = append(files, printers...)
	prints := map[string]bool{}
	beside := map[string]map[string]string{}
	whole := map[string]device{}
	for _, file := range files {
		f, err := os.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		name, packed := strings.CutSuffix(filepath.Base(file), ".bz2")
		name = strings.TrimSuffix(name, ".snmprec")
		prints[name] = slices.Contains(printers, file)
		from := io.Reader(f)
		if packed {
			from = bzip2.NewReader(f)
		}
		text, err := io.ReadAll(from)
		f.Close()
		if err != nil {
			t.Fatal(err)
		}
		if of, vlan, found := strings.Cut(name, "@"); found {
			if beside[of] == nil {
				beside[of] = map[string]string{}
			}
			beside[of]["@"+vlan] = string(text)
			continue
		}
		d := device{}
		for line := range strings.Lines(string(text)) {
			if oid, _, ok := strings.Cut(line, "|"); ok {
				d[oid] = strings.TrimRight(line, "\r\n")
			}
		}
		whole[name] = d
	}
	for _, name := range slices.Sorted(maps.Keys(whole)) {
		if slices.Contains(notJudged, name) {
			continue
		}
		if beside[name] == nil { // real ones show these tables; these recordings were made without
			beside[name] = map[string]string{}
			for _, index := range whole[name].indexes(vlanState, is("1")) {
				beside[name]["@"+index[strings.LastIndexByte(index, '.')+1:]] = upTime + "|" + ticksType + "|864000000\n"
			}
		}
		rows, make := realRows, func(draw *rand.Rand) *box {
			return &box{device: maps.Clone(whole[name]), shape: &shape{name: "the recording " + name}, draw: draw, uptime: 864_000_000}
		}
		if prints[name] {
			rows, make = realPrinterRows, func(draw *rand.Rand) *box { return realPrinter(name, whole[name], draw) }
		}
		for _, row := range rows {
			words := []any{seed, "real", name, row.fault}
			if prints[name] {
				words = append(words, row.how) // several of one fault
			}
			draw := chance(words...)
			before := make(draw)
			if known := before.value(upTime); known != "" {
				fmt.Sscan(known, &before.uptime)
			}
			before.set(upTime, ticksType, before.uptime)
			after := before.later(300)
			if !row.put(after, draw) {
				continue
			}
			after.set(upTime, ticksType, after.uptime)
			fault := row.fault
			if name == "cisco-c3560" { // its sensor is yellow: ciscoEnvMonTemperatureState is warning(2)
				if fault != "" {
					continue
				}
				fault = "cisco-fan-or-overtemp"
			}
			worlds = append(worlds, &world{
				row: gearRow{fault: fault, how: row.how}, where: "a real device", id: fmt.Sprintf("r%x", draw.Uint32()),
				beside: beside[name], gearCase: &gearCase{before: before, after: after, draw: draw},
			})
		}
	}
	return worlds
}
