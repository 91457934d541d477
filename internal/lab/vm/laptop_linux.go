package vm

import (
	_ "embed"
	"fmt"
	"strings"
)

// Laptop is the ACPI table of a laptop: battery, adapter and a thermal zone, as
// the machine's dials say.
//
//go:embed laptop.asl
var Laptop string

// Asus is what an Asus notebook has beside, for the driver of its maker.
//
//go:embed asus.asl
var Asus string

// dialsAddress is where the table finds the dials: memory that the kernel is
// told to leave alone.
const dialsAddress = 0x30000000

// Dial is a number that the laptop's embedded controller tells.
type Dial int

// The dials, in the order of the table's fields.
const (
	DesignMilliwattHours Dial = iota
	FullMilliwattHours
	Cycles
	BatteryState // 0 idle, 1 discharging, 2 charging
	RateMilliwatts
	LeftMilliwattHours
	AdapterOnline
	TenthsKelvin
	BatteryGone
)

// Dials of a notebook of Asus.
const (
	FanHundreds Dial = 0x40 + iota // turns a minute
)

// Celsius is a temperature for the dial TenthsKelvin.
func Celsius(degrees float64) int { return int(degrees*10 + 2731.5) }

// Turn sets dials, and lets the kernel meet the battery anew, as it would after
// a notification.
func (m *Machine) Turn(dials map[Dial]int) {
	m.t.Helper()
	var script strings.Builder
	for d, value := range dials {
		fmt.Fprintf(&script, `printf '\%03o\%03o\%03o\%03o' | dd of=/dev/mem bs=4 seek=%d conv=notrunc 2>/dev/null`+"\n",
			value&0xff, value>>8&0xff, value>>16&0xff, value>>24&0xff, dialsAddress/4+int(d))
	}
	script.WriteString(`d=/sys/bus/acpi/drivers/battery
[ ! -e $d/PNP0C0A:00 ] || { echo PNP0C0A:00 >$d/unbind; echo PNP0C0A:00 >$d/bind; }
`)
	m.Run(script.String())
}
