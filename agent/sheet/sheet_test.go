package sheet

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/timestamppb"

	constatv1 "constat/proto/constat/v1"
)

func printed(s *constatv1.Snapshot, language string) string {
	var b bytes.Buffer
	Write(&b, s, language)
	return strings.ReplaceAll(b.String(), "\u00a0", " ")
}

// A laptop with a worn battery, a disk that warns and a printer without toner,
// as a technician reads it.
func TestWhatATechnicianReads(t *testing.T) {
	s := &constatv1.Snapshot{
		Manifest: &constatv1.Manifest{TakenAt: &timestamppb.Timestamp{Seconds: 1700100000}, Groups: []*constatv1.GroupEntry{
			{Group: "wifi", Observation: &constatv1.Observation{Status: "denied", Reason: "nobody may"}},
			{Group: "host", Observation: &constatv1.Observation{Status: "observed", Gaps: []*constatv1.Gap{
				{Fact: "sessions", Status: "denied", Reason: "nobody may"}, {Fact: "locale", Status: "unsupported", Reason: "none is set"},
			}}},
		}},
		Host: &constatv1.Host{Hostname: proto.String("pc-7"), BootTime: &timestamppb.Timestamp{Seconds: 1700000000}},
		Hardware: &constatv1.Hardware{
			System: &constatv1.System{Brand: proto.String("Dell"), Model: proto.String("Latitude 7420"), Serial: proto.String("7XK2ZZ3")}, Chassis: proto.String("laptop"),
			Firmware: &constatv1.Firmware{Vendor: proto.String("Dell Inc."), Version: proto.String("1.2.3"), SecureBoot: proto.Bool(false)},
			MemoryModules: []*constatv1.MemoryModule{
				{Locator: proto.String("DIMM A"), SizeBytes: proto.Int64(8 << 30), Type: proto.String("DDR4")}, {Locator: proto.String("DIMM B"), SizeBytes: proto.Int64(0)},
			},
		},
		Power: &constatv1.Power{Batteries: []*constatv1.Battery{{
			Name: proto.String("BAT0"), ChargePercent: proto.Int32(80), State: proto.String("notCharging"), NotChargingReason: proto.String("chargeLimit"),
			HealthPercent: proto.Int32(62), FullMwh: proto.Int64(31000), DesignMwh: proto.Int64(50000),
		}}},
		Storage: &constatv1.Storage{Disks: []*constatv1.Disk{{
			Name: proto.String("nvme0n1"), Model: proto.String("KBG40"), SizeBytes: proto.Int64(512_110_190_592), Bus: proto.String("nvme"), SmartPassed: proto.Bool(false), PercentageUsed: proto.Int32(104),
		}}},
		Readings: &constatv1.Readings{Disks: []*constatv1.DiskReading{{Name: proto.String("nvme0n1"), Celsius: proto.Float64(38)}}},
		Printing: &constatv1.Printing{Printers: []*constatv1.Printer{{
			Brand: proto.String("HP"), Model: proto.String("HP LaserJet"), Reachable: proto.Bool(true),
			Supplies: []*constatv1.Supply{{Name: proto.String("Black"), Percent: proto.Int32(0), State: proto.String("empty")}, {Name: proto.String("Waste"), State: proto.String("unknown")}},
		}}},
	}
	for language, want := range map[string][]string{
		"en": {
			"  Model             Dell Latitude 7420, laptop\n", "Dell Inc. 1.2.3, Secure Boot off", "DIMM A: 8 GiB, DDR4\n", "DIMM B: empty", "(27 h)",
			"BAT0: charged to 80 %, not charging (charge limit)", "health 62 %, 31.0 of 50.0 Wh", "nvme0n1: KBG40, 512 GB, NVMe", "SAYS IT IS FAILING, 104 % worn, 38 °C",
			"HP LaserJet: answers", "Black 0 %, Waste level not told", "  No permission     Wi-Fi · System: sessions – this account may not read it\n", "  Not there         System: language – this system does not have it\n",
		},
		"fr": {"  Modèle            Dell Latitude 7420, portable\n", "santé 62 %, 31,0 sur 50,0 Wh", "512 Go", "SE DIT DÉFAILLANT, 104 % d’usure", "Waste niveau non communiqué", "Accès refusé      Wi-Fi · Système : sessions – ce compte n’a pas le droit\n", "DIMM A : 8 Gio"},
	} {
		got := printed(s, language)
		for _, text := range want {
			if !strings.Contains(got, text) {
				t.Errorf("%s: %q is not in\n%s", language, text, got)
			}
		}
	}
	if got := printed(s, "en"); strings.Contains(got, "NETWORK") || strings.Contains(got, "CLOCK") {
		t.Errorf("sections of groups that were not asked for:\n%s", got)
	}
}

func TestNothingToTell(t *testing.T) {
	if got := printed(&constatv1.Snapshot{}, "fr"); got != "" {
		t.Errorf("%q", got)
	}
}

// Whatever the facts are, a line fits a terminal.
func TestLinesFit(t *testing.T) {
	for _, text := range []string{"word", strings.Repeat("é", 300), "many short words in a row that go on and on and on and on and on and on", ""} {
		s := &constatv1.Snapshot{}
		fill(s.ProtoReflect(), text, 4)
		for _, language := range []string{"en", "fr"} {
			for line := range strings.Lines(printed(s, language)) {
				if n := utf8.RuneCountInString(strings.TrimRight(line, "\n")); n > width {
					t.Errorf("%s: %d columns: %q", language, n, line)
				}
			}
		}
	}
}

// fill sets every field of a message.
func fill(m protoreflect.Message, text string, depth int) {
	if depth == 0 {
		return
	}
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		value := func() protoreflect.Value {
			switch f.Kind() {
			case protoreflect.StringKind:
				return protoreflect.ValueOfString(text)
			case protoreflect.BytesKind:
				return protoreflect.ValueOfBytes([]byte(text))
			case protoreflect.BoolKind:
				return protoreflect.ValueOfBool(len(text)%2 == 0)
			case protoreflect.Int32Kind:
				return protoreflect.ValueOfInt32(int32(7 * len(text)))
			case protoreflect.Int64Kind:
				return protoreflect.ValueOfInt64(int64(len(text)) * 1e9)
			case protoreflect.DoubleKind:
				return protoreflect.ValueOfFloat64(float64(len(text)) * 1.1)
			}
			return protoreflect.Value{}
		}
		switch {
		case f.IsMap():
		case f.IsList() && f.Message() != nil:
			for range 12 {
				fill(m.Mutable(f).List().AppendMutable().Message(), text, depth-1)
			}
		case f.IsList() && value().IsValid():
			m.Mutable(f).List().Append(value())
		case f.Message() != nil && f.Message().FullName() == "google.protobuf.Timestamp":
			m.Set(f, protoreflect.ValueOfMessage((&timestamppb.Timestamp{Seconds: 1700000000}).ProtoReflect()))
		case f.Message() != nil:
			fill(m.Mutable(f).Message(), text, depth-1)
		case value().IsValid():
			m.Set(f, value())
		}
	}
}
