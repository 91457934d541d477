package lab

import (
	"os"
	"os/exec"
	"slices"
	"testing"
	"time"

	deskv1 "constat/proto/constat/desk/v1"
)

// TestNewsOfThePort: a ticket is open and says what its machine alone could say.
// Then the switch gives its port up: it tells so by a trap, is asked soon, and the
// ticket is judged again and says why, with the event of the device beside it.
func TestNewsOfThePort(t *testing.T) {
	t.Parallel()
	_, err := exec.LookPath("snmptrap")
	Need(t, "snmptrap (package snmp)", err == nil)
	const traps = "127.0.0.1:1162"
	c := newCable(t)
	c.manages(0, bothEnds{})
	c.starts("--traps", traps)
	c.managed(0, "after")
	c.must("", "gear", "add", c.plays[0], "--credential", switchName(0))
	c.read(0, voice)
	c.enrolled(PC)
	c.hears(PC)
	c.dies()
	before := c.complains(PC, "net-link-no-carrier")
	if before.cause() != "net-link-no-carrier" || before.port != voice+" Gi1/0/5" {
		t.Fatalf("at first the ticket says %s at %q", before.cause(), before.port)
	}

	// The switch's own state changes, and only the trap tells at once.
	c.manages(0, bothEnds{after: errDisabled(2)})
	c.plays = c.plays[:1]
	c.stopsManagement()
	c.playsManagement()
	switched := &deskv1.GetGearResponse{}
	// Who sends traps is looked up now and then: a device just added may come too early.
	for tick, deadline := time.NewTicker(time.Second), time.Now().Add(3*patience); len(switched.GetEvents()) == 0; <-tick.C {
		c.Run(PC, "snmptrap", "--clientaddr=127.0.0.10", "-v2c", "-c", switchName(0)+"-after", traps, "", "1.3.6.1.4.1.9.9.548.0.1.1", atPort(errDisable)+".0", "i", "2")
		if err := c.answer(switched, "gear", "show", voice); err != nil || time.Now().After(deadline) {
			log, _ := os.ReadFile(c.path("collector.log"))
			t.Fatalf("%v: no event\n%s", err, log)
		}
	}
	if e := switched.GetEvents()[0]; e.GetKind() != "errDisable" || e.GetPort() != "Gi1/0/5" || e.GetSource() != "snmpTrap" {
		t.Errorf("the event: %v", e)
	}
	var after told
	for deadline := time.Now().Add(2 * time.Minute); time.Now().Before(deadline); { // news are read every minute
		if after = c.ticket(before.number, "cisco-errdisable-bpduguard"); after.cause() == "cisco-errdisable-bpduguard" {
			break
		}
	}
	var all []string
	for _, e := range after.GetTimeline() {
		if d := e.GetDiagnosis(); d != nil {
			all = append(all, d.GetTrigger()+" "+d.GetRootCauses()[0].GetFault())
		}
	}
	if want := []string{"user net-link-no-carrier", "collector cisco-errdisable-bpduguard"}; !slices.Equal(all, want) {
		t.Errorf("the ticket's history is %v, want %v; it says %s", all, want, after.cause())
	}
	t.Logf("ticket %d: %s", after.number, after.GetTicket().GetTitle())
}
