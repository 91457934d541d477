package desk

import (
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	deskv1 "constat/proto/constat/desk/v1"
	constatv1 "constat/proto/constat/v1"
)

// FuzzMACOfUUID: whatever a computer calls its printer, the address in it is one or
// is none.
func FuzzMACOfUUID(f *testing.F) {
	for _, text := range []string{
		"urn:uuid:00000000-1dd2-11b2-8000-00506e000001", "00000000-1dd2-11b2-8000-01506e000001", "019577f1-0000-7000-8000-000000000001", "", "urn:uuid:", "{x}",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if mac := macOfUUID(text); mac != "" && parseMAC(mac) != mac {
			t.Errorf("%q: %q", text, mac)
		}
	})
}

// What a printer told the poll counts as long as it is of the time, and not beside
// what it told the computer itself after that.
func TestPollsOfPrintersGrowOld(t *testing.T) {
	taken := time.Date(2026, 3, 4, 9, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		how       string
		reachable bool
		sources   []string
		state     string
		age       time.Duration
		fresh     bool
	}{
		{"silent to the computer", false, nil, "ok", 5 * time.Minute, true},
		{"silent to the computer, and polled long ago", false, nil, "ok", 20 * time.Minute, false},
		{"silent to both", false, nil, "timeout", time.Minute, false},
		{"only its port answers the computer", true, nil, "ok", 5 * time.Minute, true},
		{"it told the computer over IPP", true, []string{"ipp"}, "ok", time.Minute, true},
		{"it told the computer over IPP, minutes later", true, []string{"ipp"}, "ok", 3 * time.Minute, false},
		{"it told the computer the same tables later", true, []string{"ipp", "snmp"}, "ok", time.Second, false},
		{"it told the poll after the computer", true, []string{"ipp", "snmp"}, "ok", -time.Second, true},
	} {
		p := &Printer{
			Own:    &constatv1.Printer{Id: proto.String("x"), Reachable: &c.reachable, Sources: c.sources},
			Device: &deskv1.Device{State: c.state}, Polled: &constatv1.Printer{StateReasons: []string{"media-jam-error"}}, ReadAt: timestamppb.New(taken.Add(-c.age)),
		}
		if p.fresh(taken) != c.fresh {
			t.Errorf("%s: fresh is %v", c.how, !c.fresh)
		}
		polled, _, gaps := polledOf([]*Printer{p}, taken)
		if told := len(polled.GetPrinters()[0].GetStateReasons()) > 0; told != c.fresh || (len(gaps) == 0) != c.fresh || polled.GetPrinters()[0].GetReachable() != c.reachable {
			t.Errorf("%s: %v, gaps %v", c.how, polled, gaps)
		}
	}
}
