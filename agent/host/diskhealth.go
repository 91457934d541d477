package host

import (
	"cmp"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"

	constatv1 "constat/proto/constat/v1"
)

// nvmePage is the length of the SMART/Health Information log page.
const nvmePage = 512

// health is what a disk tells of itself: what stays, and what changes by itself.
type health struct {
	disk    *constatv1.Disk
	reading *constatv1.DiskReading
}

// diskState is what the disks are and tell of themselves, read at most once for
// the two groups that tell of it: what stays, and what changes by itself.
type diskState struct {
	disks    []*constatv1.Disk
	readings []*constatv1.DiskReading
	// listErr says why no disk could be listed, silent what single disks did not
	// tell.
	listErr error
	silent  []error
}

// parseNVMeHealth adds what an NVMe disk tells of its health (NVM Express base
// specification 1.4, figure 194; 5.14.1.2). A page that no disk can mean, all
// zeros or all ones, is an error.
func parseNVMeHealth(page []byte, h health) error {
	if len(page) != nvmePage {
		return fmt.Errorf("a health page of %d bytes, it has %d", len(page), nvmePage)
	}
	const (
		criticalWarning = 0
		temperature     = 1 // kelvin, 2 bytes
		spare           = 3
		spareThreshold  = 4
		used            = 5
		written         = 48  // thousands of 512 bytes
		powerOnHours    = 128 // 16 bytes, as all counters
		mediaErrors     = 160
	)
	alike := true
	for _, b := range page[:6] {
		alike = alike && b == page[0] && (b == 0 || b == 0xff)
	}
	if alike {
		return errors.New("an empty health page")
	}
	d := h.disk
	d.CriticalWarning = set(int32(page[criticalWarning]))
	d.SmartPassed = set(page[criticalWarning] == 0) // as smartctl has it
	if kelvin := binary.LittleEndian.Uint16(page[temperature:]); kelvin > 0 {
		h.reading.Celsius = sensible(float64(kelvin) - 273)
	}
	if page[spare] <= 100 && page[spareThreshold] <= 100 {
		d.AvailableSparePercent, d.SpareThresholdPercent = set(int32(page[spare])), set(int32(page[spareThreshold]))
	}
	d.PercentageUsed = set(int32(page[used])) // goes on to 255
	h.reading.PowerOnHours = counter128(page[powerOnHours:])
	if units := counter128(page[written:]); *units < math.MaxInt64/512_000 {
		h.reading.WrittenBytes = set(*units * 512_000)
	}
	d.MediaErrors = counter128(page[mediaErrors:])
	return nil
}

// counter128 reads a counter of 16 bytes; a larger one than fits stays at the
// largest.
func counter128(content []byte) *int64 {
	low, high := binary.LittleEndian.Uint64(content), binary.LittleEndian.Uint64(content[8:])
	if high != 0 || low > math.MaxInt64 {
		return set(int64(math.MaxInt64))
	}
	return set(int64(low))
}

// sensible is a temperature in a machine that a sensor can mean; others are
// sensors that are not there.
func sensible(celsius float64) *float64 {
	if celsius < -60 || celsius > 200 || math.IsNaN(celsius) {
		return nil
	}
	return set(tenth(celsius))
}

// smartctlReport is the part of smartctl's JSON that is read; numbers that are
// not told are nil.
type smartctlReport struct {
	Smartctl struct {
		Messages []struct {
			Text string `json:"string"`
		} `json:"messages"`
	} `json:"smartctl"`
	Status struct {
		Passed *bool `json:"passed"`
	} `json:"smart_status"`
	Attributes struct {
		Table []struct {
			ID  int `json:"id"`
			Raw struct {
				Value *int64 `json:"value"`
			} `json:"raw"`
		} `json:"table"`
	} `json:"ata_smart_attributes"`
	Temperature struct {
		Current *float64 `json:"current"`
	} `json:"temperature"`
	PowerOn struct {
		Hours *int64 `json:"hours"`
	} `json:"power_on_time"`
	// SCSI disks count what ATA calls reallocated.
	GrownDefects *int64 `json:"scsi_grown_defect_list"`
}

// parseSmartctl adds what `smartctl -j -A -H` tells of a disk. An answer
// without any fact is an error with smartctl's own words.
func parseSmartctl(content []byte, h health) error {
	var report smartctlReport
	if err := json.Unmarshal(content, &report); err != nil {
		return fmt.Errorf("smartctl's answer: %w", err)
	}
	if report.Status.Passed == nil && len(report.Attributes.Table) == 0 && report.GrownDefects == nil {
		said := "nothing of the disk's health"
		if messages := report.Smartctl.Messages; len(messages) > 0 {
			said = cmp.Or(clean(messages[0].Text), said)
		}
		return fmt.Errorf("smartctl says: %s", said)
	}
	d := h.disk
	d.SmartPassed = report.Status.Passed
	d.ReallocatedSectors = natural(report.GrownDefects)
	for _, a := range report.Attributes.Table {
		raw := natural(a.Raw.Value)
		switch a.ID {
		case 5:
			d.ReallocatedSectors = raw
		case 197:
			d.PendingSectors = raw
		case 198:
			d.OfflineUncorrectable = raw
		case 199:
			d.InterfaceCrcErrors = raw
		}
	}
	if c := report.Temperature.Current; c != nil && *c != 0 { // 0: no sensor
		h.reading.Celsius = sensible(*c)
	}
	h.reading.PowerOnHours = natural(report.PowerOn.Hours)
	return nil
}

// natural is a count as an optional fact: nil where it is negative, which no
// count is.
func natural(n *int64) *int64 {
	if n == nil || *n < 0 {
		return nil
	}
	return n
}

// healthVerbs are the privileged half's verbs that ask a disk on this bus for
// its health. Disks behind USB are not asked: many bridges hang or reset on it.
var healthVerbs = map[string]struct {
	verb  string
	parse func([]byte, health) error
}{
	"nvme": {"nvme-health", parseNVMeHealth},
	"sata": {"smart", parseSmartctl},
	"sas":  {"smart", parseSmartctl},
}
