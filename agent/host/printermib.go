package host

import (
	"cmp"
	"context"
	"time"

	"constat/internal/snmp"
	"constat/internal/snmp/printermib"
	constatv1 "constat/proto/constat/v1"
)

// printerPatience is for a device on the same network that many people wait for:
// one that loses a datagram is asked again, and none has more than this to say.
var printerPatience = snmp.Patience{Timeout: 350 * time.Millisecond, Retries: 2, Objects: 2000}

// askMIB asks a printer over SNMP, with the community that everybody may read
// with. nil: it is silent, as many are that have it switched off, or no printer.
func askMIB(ctx context.Context, address string) *constatv1.Printer {
	ctx, cancel := context.WithTimeout(ctx, printerLimit)
	defer cancel()
	session := answeringSession(ctx, address)
	if session == nil {
		return nil
	}
	defer session.Close()
	printer, _, _ := printermib.Read(ctx, session)
	return printer
}

// answeringSession greets the device in both versions that know communities at
// once, and gives the one it answered first: most know both, some only the old.
func answeringSession(ctx context.Context, address string) *snmp.Session {
	const sysObjectID = "1.3.6.1.2.1.1.2.0"
	greeted := make(chan *snmp.Session, 2)
	for _, old := range []bool{false, true} {
		go func() {
			session, err := snmp.Open(ctx, address, snmp.Credentials{Community: snmpCommunity, Version1: old}, printerPatience)
			if err == nil {
				var id []snmp.Value
				if id, err = session.Get(ctx, sysObjectID); err == nil {
					session.Suit(id[0].OID(), "")
					greeted <- session
					return
				}
				session.Close()
			}
			greeted <- nil
		}()
	}
	for waiting := 2; waiting > 0; waiting-- {
		session := <-greeted
		if session == nil {
			continue
		}
		if waiting == 2 {
			go func() { // the other greeting ends by itself
				if other := <-greeted; other != nil {
					other.Close()
				}
			}()
		}
		return session
	}
	return nil
}

// addFromMIB adds to a printer what its tables tell and what is not known of it
// yet: IPP tells more of most things. Alerts are in the tables only.
func addFromMIB(p, told *constatv1.Printer) {
	p.Serial = cmp.Or(p.Serial, told.Serial)
	p.Manufacturer = cmp.Or(p.Manufacturer, told.Manufacturer)
	p.Model = cmp.Or(p.Model, told.Model)
	if p.Brand == nil {
		p.Brand = brandOf(cmp.Or(p.GetManufacturer(), p.GetModel()))
	}
	p.Id = cmp.Or(p.Serial, p.Uuid, p.Id)
	p.State = cmp.Or(p.State, told.State)
	p.StateReasons = withReasons(p.StateReasons, told.StateReasons)
	if len(p.Supplies) == 0 {
		p.Supplies = told.Supplies
	}
	if len(p.Trays) == 0 {
		p.Trays = told.Trays
	}
	p.Alerts = told.Alerts
}
