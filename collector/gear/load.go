package gear

import (
	"cmp"
	"context"
	"math"
	"strings"

	"google.golang.org/protobuf/proto"

	"constat/internal/snmp"
	constatv1 "constat/proto/constat/v1"
)

// cpuColumns are where devices tell their load over five minutes in percent, the
// better first: of several with values, the first counts. Rows are processors of
// modules, of which the busiest makes a device slow; of coreLoad they are the cores
// of one, which share the work.
var cpuColumns = []string{
	"1.3.6.1.4.1.9.9.109.1.1.1.1.8", // cpmCPUTotal5minRev
	"1.3.6.1.4.1.9.9.109.1.1.1.1.5", // cpmCPUTotal5min
	"1.3.6.1.4.1.9.2.1.58",          // avgBusy5 (OLD-CISCO-CPU-MIB)
	"1.3.6.1.4.1.9.6.1.101.1.9",     // rlCpuUtilDuringLast5Minutes
	coreLoad,
}

const (
	coreLoad      = "1.3.6.1.2.1.25.3.3.1.2"         // hrProcessorLoad, over a minute
	cpuMemoryUsed = "1.3.6.1.4.1.9.9.109.1.1.1.1.12" // cpmCPUMemoryUsed, kilobytes
	cpuMemoryFree = "1.3.6.1.4.1.9.9.109.1.1.1.1.13" // cpmCPUMemoryFree
)

// pool is a row of the memory pool tables.
type pool struct {
	name               string
	kind               int64
	used, free         *int64
	wideUsed, wideFree *int64 // 64 bits
}

// fixed tells pools that are taken once and for all when the device starts, and so
// always full: reservedMemory(11), imageMemory(12) of CempMemPoolTypes.
func (r *pool) fixed() bool { return r.kind == 11 || r.kind == 12 }

// empty tells pools of a size of nothing.
func (r *pool) empty() bool {
	used, free := cmp.Or(r.wideUsed, r.used), cmp.Or(r.wideFree, r.free)
	return used == nil || *used == 0 && free != nil && *free == 0
}

// poolTables are CISCO-ENHANCED-MEMPOOL-MIB, by entity and number, and
// CISCO-MEMORY-POOL-MIB, by number.
var poolTables = [][]column[pool]{
	{
		{"cempMemPoolName", "1.3.6.1.4.1.9.9.221.1.1.1.1.3", func(r *pool, v snmp.Value) { r.name = v.Text() }},
		{"cempMemPoolUsed", "1.3.6.1.4.1.9.9.221.1.1.1.1.7", func(r *pool, v snmp.Value) { r.used = integer(v) }},
		{"cempMemPoolFree", "1.3.6.1.4.1.9.9.221.1.1.1.1.8", func(r *pool, v snmp.Value) { r.free = integer(v) }},
		{"cempMemPoolHCUsed", "1.3.6.1.4.1.9.9.221.1.1.1.1.18", func(r *pool, v snmp.Value) { r.wideUsed = integer(v) }},
		{"cempMemPoolType", "1.3.6.1.4.1.9.9.221.1.1.1.1.2", func(r *pool, v snmp.Value) { r.kind, _ = v.Int() }},
		{"cempMemPoolHCFree", "1.3.6.1.4.1.9.9.221.1.1.1.1.20", func(r *pool, v snmp.Value) { r.wideFree = integer(v) }},
	},
	{
		{"ciscoMemoryPoolName", "1.3.6.1.4.1.9.9.48.1.1.1.2", func(r *pool, v snmp.Value) { r.name = v.Text() }},
		{"ciscoMemoryPoolUsed", "1.3.6.1.4.1.9.9.48.1.1.1.5", func(r *pool, v snmp.Value) { r.used = integer(v) }},
		{"ciscoMemoryPoolFree", "1.3.6.1.4.1.9.9.48.1.1.1.6", func(r *pool, v snmp.Value) { r.free = integer(v) }},
	},
}

// load reads CPU and memory. Of several processors the busiest counts: it is the
// one that makes a device slow.
func (p *poll) load(ctx context.Context) error {
	busiest, sum := make([]*int64, len(cpuColumns)), int64(0)
	processors := make([][]string, len(cpuColumns))
	used, free := map[string]int64{}, map[string]int64{}
	columns := append(append([]string{}, cpuColumns...), cpuMemoryUsed, cpuMemoryFree)
	err := p.session.Walk(ctx, columns, func(i int, index string, v snmp.Value) {
		n, ok := v.Int()
		switch {
		case !ok:
		case columns[i] == cpuMemoryUsed:
			used[index] = n
		case columns[i] == cpuMemoryFree:
			free[index] = n
		case n >= 0 && n <= 100:
			processors[i] = append(processors[i], columns[i]+"."+index)
			if columns[i] == coreLoad {
				sum += n
			}
			if busiest[i] == nil || *busiest[i] < n {
				busiest[i] = proto.Int64(n)
			}
		}
	})
	if err != nil {
		return err
	}
	for i, n := range busiest {
		if n == nil {
			continue
		}
		what, cores := "cpu", float64(len(processors[i]))
		p.out.CpuPercent = proto.Float64(float64(*n))
		if cpuColumns[i] == coreLoad {
			what, p.out.CpuPercent = "cpuCore", proto.Float64(math.Round(float64(sum)/cores))
		}
		for _, oid := range processors[i] {
			p.note(what, 0, oid, 1/cores)
		}
		break
	}
	if err := p.memory(ctx); err != nil || len(p.out.Memory) > 0 {
		return err
	}
	for _, index := range byIndex(used) { // Nexus: one for each processor
		if left, ok := free[index]; ok {
			p.notePool(cpuMemoryUsed+"."+index, cpuMemoryFree+"."+index, 1024)
			p.out.Memory = append(p.out.Memory, &constatv1.MemoryPool{
				Pool: proto.String("CPU " + index), UsedBytes: proto.Int64(used[index] * 1024), FreeBytes: proto.Int64(left * 1024),
			})
		}
	}
	return nil
}

// notePool has the figures of the pool that comes next read again.
func (p *poll) notePool(used, free string, factor float64) {
	place := int32(len(p.out.Memory))
	p.note("memoryUsed", place, used, factor)
	p.note("memoryFree", place, free, factor)
}

func (p *poll) memory(ctx context.Context) error {
	told := map[string]bool{}
	for _, columns := range poolTables {
		rows, err := walk(ctx, p.session, columns)
		if err != nil {
			return err
		}
		times := map[string]int{}
		for _, r := range rows {
			times[r.name]++
		}
		for _, index := range byIndex(rows) {
			r := rows[index]
			if told[r.name] || r.fixed() || r.empty() {
				continue // by the other MIB, or a row without a figure
			}
			name := cmp.Or(r.name, "pool "+index)
			if entity, _, of := strings.Cut(index, "."); of && times[r.name] > 1 {
				name = p.entityName(entity, "module") + " " + name // two supervisors have pools of one name
			}
			used, free := columns[1].oid, columns[2].oid
			if r.wideUsed != nil {
				used, free = columns[3].oid, columns[len(columns)-1].oid
			}
			p.notePool(used+"."+index, free+"."+index, 1)
			p.out.Memory = append(p.out.Memory, &constatv1.MemoryPool{
				Pool: proto.String(name), UsedBytes: cmp.Or(r.wideUsed, r.used), FreeBytes: cmp.Or(r.wideFree, r.free),
			})
		}
		for name := range times {
			told[name] = true
		}
	}
	return nil
}

const (
	macUsed  = "1.3.6.1.4.1.9.9.663.1.1.1.1.1.2" // cshcMacUsed
	macTotal = "1.3.6.1.4.1.9.9.663.1.1.1.1.1.3" // cshcMacTotal
	fibUsed  = "1.3.6.1.4.1.9.9.663.1.1.2.2.1.2" // cshcProtocolFibTcamUsed
	fibTotal = "1.3.6.1.4.1.9.9.663.1.1.2.2.1.3" // cshcProtocolFibTcamTotal
)

// capacity reads how full the forwarding tables are, by engine and by protocol
// (CISCO-SWITCH-HARDWARE-CAPACITY-MIB): of several the fullest counts.
func (p *poll) capacity(ctx context.Context) error {
	columns := []string{macUsed, macTotal, fibUsed, fibTotal}
	values := make([]map[string]int64, len(columns))
	for i := range values {
		values[i] = map[string]int64{}
	}
	err := p.session.Walk(ctx, columns, func(i int, index string, v snmp.Value) {
		if n, ok := v.Int(); ok && n >= 0 {
			values[i][index] = n
		}
	})
	for of := 0; of < len(columns); of += 2 {
		for index, used := range values[of] {
			total := values[of+1][index]
			if total == 0 || used > total {
				continue // a table that is not there, or one that counts otherwise
			}
			p.fuller(used, total)
			p.note("tableUsed", 0, columns[of]+"."+index, float64(total))
		}
	}
	return err
}

func (p *poll) fuller(used, total int64) {
	if percent := 100 * float64(used) / float64(total); p.out.TableUsedPercent == nil || percent > p.out.GetTableUsedPercent() {
		p.out.TableUsedPercent = proto.Float64(math.Round(10*percent) / 10)
	}
}
