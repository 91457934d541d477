package gear

import (
	"bufio"
	"compress/bzip2"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	"constat/internal/lab"
	"constat/internal/snmp"
	constatv1 "constat/proto/constat/v1"
)

// recorded is a recording as its file tells it, read without any of the code
// under test.
type recorded map[string]string

func readRecording(t testing.TB, text io.Reader) recorded {
	t.Helper()
	r := recorded{}
	lines := bufio.NewScanner(text)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		parts := strings.SplitN(lines.Text(), "|", 3)
		if len(parts) != 3 {
			continue
		}
		if kind, isHex := strings.CutSuffix(parts[1], "x"); isHex && kind == "4" {
			raw, err := hex.DecodeString(parts[2])
			if err != nil {
				continue
			}
			parts[2] = string(raw)
		}
		r[parts[0]] = parts[2]
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return r
}

// column gives a column's values by index.
func (r recorded) column(oid string) map[string]string {
	rows := map[string]string{}
	for name, value := range r {
		if index, ok := strings.CutPrefix(name, oid+"."); ok {
			rows[index] = value
		}
	}
	return rows
}

// rows counts the indexes of a table, whichever columns have them.
func (r recorded) rows(entry string) map[string]bool {
	found := map[string]bool{}
	for name := range r {
		if rest, ok := strings.CutPrefix(name, entry+"."); ok {
			if _, index, ok := strings.Cut(rest, "."); ok {
				found[index] = true
			}
		}
	}
	return found
}

// busiest is the largest value up to 100 of the first column that has one.
func (r recorded) busiest(columns ...string) (float64, bool) {
	for _, c := range columns {
		found, known := 0.0, false
		for _, value := range r.column(c) {
			if n, err := strconv.ParseFloat(value, 64); err == nil && n <= 100 {
				found, known = max(found, n), true
			}
		}
		if known {
			return found, true
		}
	}
	return 0, false
}

// percents are the supplies' levels by index, as RFC 3805 means them.
func (r recorded) percents() []int {
	const table = "1.3.6.1.2.1.43.11.1.1."
	levels, capacities, units := r.column(table+"9"), r.column(table+"8"), r.column(table+"7")
	var all []int
	for index, text := range levels {
		level, _ := strconv.ParseFloat(text, 64)
		full, _ := strconv.ParseFloat(capacities[index], 64)
		if full <= 0 && units[index] == "19" {
			full = 100
		}
		if level >= 0 && full > 0 {
			all = append(all, int(min(level/full*100+0.5, 100)))
		}
	}
	slices.Sort(all)
	return all
}

// worldly is what a sensor of a type of RFC 3433 can measure at most, in volts,
// amperes, watts, degrees and turns a minute.
var worldly = map[string]float64{"3": 1000, "4": 1000, "5": 1000, "6": 100_000, "8": 300, "10": 100_000, "14": 100}

// readings are the figures of the sensor table and how often each is there,
// where scale and precision are ones that RFC 3433 knows.
func (r recorded) readings() map[string]int {
	found := map[string]int{}
	for _, table := range []string{"1.3.6.1.4.1.9.9.91.1.1.1.1", "1.3.6.1.2.1.99.1.1.1"} {
		scales, precisions, states := r.column(table+".2"), r.column(table+".3"), r.column(table+".5")
		for index, text := range r.column(table + ".4") {
			value, _ := strconv.ParseFloat(text, 64)
			kind := r.column(table + ".1")[index]
			scale, err := strconv.Atoi(scales[index])
			precision, unclear := strconv.Atoi(precisions[index])
			if err == nil && unclear == nil && states[index] == "1" && scale > 0 && scale < 18 && precision > -9 && precision < 10 {
				value *= math.Pow(1000, float64(scale-9)) / math.Pow(10, float64(precision))
				if most := worldly[kind]; math.Abs(value) < 1e9 && (most == 0 || math.Abs(value) <= most) && (kind != "6" || value > -1) {
					found[fmt.Sprintf("%.4g", math.Round(value*1e6)/1e6)]++
				}
			}
		}
		if len(r.rows(table)) > 0 {
			break // the maker's own
		}
	}
	return found
}

// compare holds a poll against the recording it was made of.
func (r recorded) compare(t *testing.T, g *constatv1.Gear) {
	t.Helper()
	const interfaces, extensions = "1.3.6.1.2.1.2.2.1", "1.3.6.1.2.1.31.1.1.1"
	union := r.rows(interfaces)
	maps.Copy(union, r.rows(extensions))
	up := 0
	for _, status := range r.column(interfaces + ".8") {
		if status == "1" {
			up++
		}
	}
	gotUp := 0
	for _, p := range g.GetInterfaces() {
		if p.GetOperStatus() == "up" {
			gotUp++
		}
		index := strconv.Itoa(int(p.GetIfIndex()))
		if !union[index] {
			t.Errorf("interface %s is not in the recording", index)
		}
		if was := r.column(interfaces + ".8")[index]; (was == "1") != (p.GetOperStatus() == "up") {
			t.Errorf("interface %s is %s, in the recording %s", index, p.GetOperStatus(), was)
		}
		if name := clean(r.column(extensions + ".1")[index]); name != "" && p.GetName() != name {
			t.Errorf("interface %s is %q, want %q", index, p.GetName(), name)
		}
	}
	if len(g.GetInterfaces()) != len(union) || gotUp != up {
		t.Errorf("%d interfaces, %d up; want %d and %d", len(g.GetInterfaces()), gotUp, len(union), up)
	}
	neighbours := len(r.rows("1.3.6.1.4.1.9.9.23.1.2.1.1")) + len(r.rows("1.0.8802.1.1.2.1.4.1.1"))
	if len(g.GetNeighbours()) != neighbours {
		t.Errorf("%d neighbours, want %d", len(g.GetNeighbours()), neighbours)
	}
	cpu, known := r.busiest("1.3.6.1.4.1.9.9.109.1.1.1.1.8", "1.3.6.1.4.1.9.9.109.1.1.1.1.5", "1.3.6.1.4.1.9.2.1.58", "1.3.6.1.4.1.9.6.1.101.1.9")
	if cores := r.column("1.3.6.1.2.1.25.3.3.1.2"); !known && len(cores) > 0 {
		sum, n := 0.0, 0.0
		for _, value := range cores {
			if load, err := strconv.ParseFloat(value, 64); err == nil && load <= 100 {
				sum, n = sum+load, n+1
			}
		}
		cpu, known = math.Round(sum/n), n > 0
	}
	if known != (g.CpuPercent != nil) || cpu != g.GetCpuPercent() {
		t.Errorf("CPU %v (%t), want %v (%t)", g.GetCpuPercent(), g.CpuPercent != nil, cpu, known)
	}
	if want := r.column("1.3.6.1.2.1.1.3")["0"]; want != "" {
		ticks, _ := strconv.ParseInt(want, 10, 64)
		if g.GetIdentity().GetUptimeSeconds() != ticks/100 {
			t.Errorf("up for %d s, want %d", g.GetIdentity().GetUptimeSeconds(), ticks/100)
		}
	}
	sensors := len(r.rows("1.3.6.1.4.1.9.9.91.1.1.1.1"))
	if sensors == 0 {
		sensors = len(r.rows("1.3.6.1.2.1.99.1.1.1"))
	}
	if len(g.GetSensors()) < sensors {
		t.Errorf("%d sensors, want at least the %d of the sensor table", len(g.GetSensors()), sensors)
	}
	for value, n := range r.readings() {
		for _, s := range g.GetSensors() {
			if s.Value != nil && fmt.Sprintf("%.4g", s.GetValue()) == value {
				n--
			}
		}
		if n > 0 {
			t.Errorf("%d sensors do not say %s", n, value)
		}
	}
	r.compareStock(t, g)
	var percents []int
	for _, s := range g.GetPrinter().GetSupplies() {
		if s.Percent != nil {
			percents = append(percents, int(s.GetPercent()))
		}
	}
	slices.Sort(percents)
	if want := r.percents(); !slices.Equal(percents, want) || len(g.GetPrinter().GetSupplies()) != len(r.rows("1.3.6.1.2.1.43.11.1.1")) {
		t.Errorf("%d supplies at %v %%, want %d at %v %%", len(g.GetPrinter().GetSupplies()), percents, len(r.rows("1.3.6.1.2.1.43.11.1.1")), want)
	}
	if len(g.GetPrinter().GetAlerts()) != len(r.rows("1.3.6.1.2.1.43.18.1.1")) {
		t.Errorf("%d alerts, want %d", len(g.GetPrinter().GetAlerts()), len(r.rows("1.3.6.1.2.1.43.18.1.1")))
	}
}

// compareStock holds serial number, memory and VLANs against the recording.
func (r recorded) compareStock(t *testing.T, g *constatv1.Gear) {
	t.Helper()
	serials := []string{clean(r["1.3.6.1.4.1.9.3.6.3.0"])}
	for _, table := range []string{"1.3.6.1.2.1.47.1.1.1.1.11", "1.3.6.1.2.1.43.5.1.1.17"} {
		for _, serial := range r.column(table) {
			serials = append(serials, clean(serial))
		}
	}
	id := r["1.3.6.1.4.1.2699.1.2.1.2.1.1.3.1"] // of IEEE 1284
	if serial := g.GetIdentity().GetSerial(); serial != "" && !slices.Contains(serials, serial) && !strings.Contains(id, serial) {
		t.Errorf("serial number %q is not in the recording", serial)
	}
	chassis := 0
	for index, class := range r.column("1.3.6.1.2.1.47.1.1.1.1.5") {
		if class == "3" && clean(r["1.3.6.1.2.1.47.1.1.1.1.11."+index]) != "" && clean(r["1.3.6.1.2.1.47.1.1.1.1.13."+index]) != "" {
			chassis++
		}
	}
	if chassis > 0 && g.GetIdentity().GetSerial() == "" {
		t.Errorf("no serial number, of %d chassis that have one", chassis)
	}

	bytes := map[string]bool{"0": true}
	for _, column := range []string{"9.9.221.1.1.1.1.7", "9.9.221.1.1.1.1.8", "9.9.221.1.1.1.1.18", "9.9.221.1.1.1.1.20", "9.9.48.1.1.1.5", "9.9.48.1.1.1.6"} {
		for _, value := range r.column("1.3.6.1.4.1." + column) {
			bytes[value] = true
		}
	}
	for _, column := range []string{"12", "13"} {
		for _, value := range r.column("1.3.6.1.4.1.9.9.109.1.1.1.1." + column) {
			n, _ := strconv.ParseInt(value, 10, 64)
			bytes[strconv.FormatInt(n*1024, 10)] = true
		}
	}
	for _, m := range g.GetMemory() {
		if !bytes[strconv.FormatInt(m.GetUsedBytes(), 10)] || !bytes[strconv.FormatInt(m.GetFreeBytes(), 10)] || m.GetUsedBytes() == 0 && m.GetFreeBytes() == 0 {
			t.Errorf("memory %v is not in the recording", m)
		}
	}
	pools := map[string]bool{} // by name, as two MIBs tell the same
	for index, name := range r.column("1.3.6.1.4.1.9.9.48.1.1.1.2") {
		if r["1.3.6.1.4.1.9.9.48.1.1.1.5."+index] > "0" {
			pools[name] = true
		}
	}
	if len(g.GetMemory()) < len(pools) {
		t.Errorf("%d pools of memory, want at least %d", len(g.GetMemory()), len(pools))
	}

	vlans := map[string]bool{}
	for _, table := range []string{"1.3.6.1.4.1.9.9.46.1.3.1.1.2", "1.3.6.1.4.1.9.9.46.1.3.1.1.4", "1.3.6.1.2.1.17.7.1.4.3.1.1"} {
		for index := range r.column(table) {
			id := index[strings.LastIndexByte(index, '.')+1:]
			if n, _ := strconv.Atoi(id); n < 1002 || n > 1005 { // of FDDI and Token Ring
				vlans[id] = true
			}
		}
	}
	for _, v := range g.GetVlans() {
		if !vlans[strconv.Itoa(int(v.GetId()))] {
			t.Errorf("VLAN %d is not in the recording", v.GetId())
		}
	}
	if len(g.GetVlans()) != len(vlans) {
		t.Errorf("%d VLANs, want %d", len(g.GetVlans()), len(vlans))
	}
}

// clean is a name as people read it: some agents end it with a zero byte.
func clean(s string) string {
	return strings.Join(strings.Fields(strings.ReplaceAll(s, "\x00", "")), " ")
}

// pollOnce polls a device that is played.
func pollOnce(t testing.TB, address string, c snmp.Credentials) *Result {
	t.Helper()
	// The player is slow and shares the machine with other tests.
	session, err := snmp.Open(t.Context(), address, c, snmp.Patience{Timeout: 10 * time.Second, Retries: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	result, err := Poll(t.Context(), session, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	learn(result.Plan, nil, session.Profile())
	return result
}

// between holds the polls between two whole ones against the whole one: of a
// device at which nothing changes they say the same, and ask less.
func between(t *testing.T, address string, c snmp.Credentials, whole *Result) {
	t.Helper()
	now := time.UnixMilli(whole.Plan.GetTakenAt())
	last := Known{whole.Gear, whole.Counters, whole.Plan}
	for _, kind := range []string{"status", "counters", "counters and stations", "whole"} {
		session, err := snmp.Open(t.Context(), address, c, snmp.Patience{Timeout: 10 * time.Second, Retries: 2})
		if err != nil {
			t.Fatal(err)
		}
		defer session.Close()
		learnt, _ := profile(whole.Plan, now)
		session.Use(learnt)
		var news *News
		switch kind {
		case "status":
			news, err = Status(t.Context(), session, last, now)
		case "whole":
			var again *Result
			again, err = Poll(t.Context(), session, now)
			news = &News{Result: again}
		default:
			news, err = Counters(t.Context(), session, last, kind != "counters", now)
		}
		if err != nil || news.Partial != nil && whole.Partial == nil {
			t.Errorf("%s: %v, %v", kind, err, news)
			return
		}
		if news.Changed {
			t.Errorf("%s: something changed", kind)
		}
		if diff := cmp.Diff(whole.Gear, news.Gear, protocmp.Transform(), protocmp.IgnoreFields(&constatv1.Gear{}, "poll_result")); diff != "" {
			t.Errorf("%s says otherwise:\n%s", kind, diff)
		}
		t.Logf("%s: %d objects in %d requests, of %d in %d", kind, news.Stats.Objects, news.Stats.PDUs, whole.Stats.Objects, whole.Stats.PDUs)
	}
}

// TestRealDevices polls recordings of real gear, where they lie beside the
// repository, by both versions of the protocol.
func TestRealDevices(t *testing.T) {
	root := filepath.Join("..", "..", "..", "shared", "recordings")
	files, err := filepath.Glob(filepath.Join(root, "*", "*.snmprec*"))
	if err != nil || len(files) == 0 {
		t.Skip("no recordings of real devices lie beside the repository")
	}
	known := map[string]recorded{}
	var all []lab.Recording
	for _, file := range files {
		f, err := os.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		name, packed := strings.CutSuffix(filepath.Base(file), ".bz2")
		name = strings.TrimSuffix(name, ".snmprec")
		from := io.Reader(f)
		if packed {
			from = bzip2.NewReader(f)
		}
		text, err := io.ReadAll(from)
		f.Close()
		if err != nil {
			t.Fatal(err)
		}
		known[name] = readRecording(t, strings.NewReader(string(text)))
		all = append(all, lab.Recording{Community: name, Text: string(text)})
	}
	played := lab.Play(t, all...)
	for name, r := range known {
		if strings.Contains(name, "@") { // a switch's table of one VLAN
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			whole := pollOnce(t, played.Address, snmp.Credentials{Community: name})
			r.compare(t, whole.Gear)
			between(t, played.Address, snmp.Credentials{Community: name}, whole)
		})
		t.Run(name+" by SNMPv3", func(t *testing.T) {
			t.Parallel()
			r.compare(t, pollOnce(t, played.Address, played.V3(name)).Gear)
		})
	}
}
