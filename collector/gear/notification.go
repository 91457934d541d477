package gear

import (
	"fmt"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"constat/internal/snmp"
	constatv1 "constat/proto/constat/v1"
)

// notifications are the traps that mean something here, by their OID.
var notifications = map[string]struct{ name, kind, severity string }{
	"1.3.6.1.6.3.1.1.5.1":       {"coldStart", "restarted", "warning"}, // SNMPv2-MIB
	"1.3.6.1.6.3.1.1.5.2":       {"warmStart", "restarted", "warning"},
	"1.3.6.1.6.3.1.1.5.3":       {"linkDown", "linkDown", "warning"}, // IF-MIB
	"1.3.6.1.6.3.1.1.5.4":       {"linkUp", "linkUp", "notice"},
	"1.3.6.1.6.3.1.1.5.5":       {"authenticationFailure", "authenticationFailure", "warning"},
	"1.3.6.1.4.1.9.9.276.0.1":   {"cieLinkDown", "linkDown", "warning"}, // CISCO-IF-EXTENSION-MIB
	"1.3.6.1.4.1.9.9.276.0.2":   {"cieLinkUp", "linkUp", "notice"},
	"1.3.6.1.4.1.9.9.548.0.1.1": {"cErrDisableInterfaceEvent", "errDisable", "warning"}, // CISCO-ERR-DISABLE-MIB
	"1.3.6.1.4.1.9.9.548.0.2":   {"cErrDisableInterfaceEventRev1", "errDisable", "warning"},
	"1.3.6.1.4.1.9.9.43.2.0.1":  {"ciscoConfigManEvent", "configChanged", "notice"}, // CISCO-CONFIG-MAN-MIB
	"1.3.6.1.4.1.9.9.43.2.0.2":  {"ccmCLIRunningConfigChanged", "configChanged", "notice"},
	"1.3.6.1.4.1.9.9.13.3.0.1":  {"ciscoEnvMonShutdownNotification", "temperature", "critical"}, // CISCO-ENVMON-MIB
	"1.3.6.1.4.1.9.9.13.3.0.3":  {"ciscoEnvMonTemperatureNotification", "temperature", "critical"},
	"1.3.6.1.4.1.9.9.13.3.0.4":  {"ciscoEnvMonFanNotification", "fan", "critical"},
	"1.3.6.1.4.1.9.9.13.3.0.5":  {"ciscoEnvMonRedundantSupplyNotification", "powerSupply", "critical"},
	"1.3.6.1.4.1.9.9.13.3.0.7":  {"ciscoEnvMonTempStatusChangeNotif", "temperature", "warning"},
	"1.3.6.1.4.1.9.9.13.3.0.8":  {"ciscoEnvMonFanStatusChangeNotif", "fan", "warning"},
	"1.3.6.1.4.1.9.9.13.3.0.9":  {"ciscoEnvMonSuppStatusChangeNotif", "powerSupply", "warning"},
	"1.3.6.1.4.1.9.9.91.2.0.1":  {"entSensorThresholdNotification", "temperature", "warning"},   // CISCO-ENTITY-SENSOR-MIB
	"1.3.6.1.4.1.9.9.117.2.0.2": {"cefcPowerStatusChange", "powerSupply", "warning"},            // CISCO-ENTITY-FRU-CONTROL-MIB
	"1.3.6.1.4.1.9.9.117.2.0.6": {"cefcFanTrayStatusChange", "fan", "warning"},                  // same
	"1.3.6.1.4.1.9.9.117.2.0.7": {"cefcPowerSupplyOutputChange", "powerSupply", "warning"},      // same
	"1.3.6.1.4.1.9.9.315.0.0.1": {"cpsSecureMacAddrViolation", "portSecurity", "warning"},       // CISCO-PORT-SECURITY-MIB
	"1.3.6.1.4.1.9.9.215.2.0.2": {"cmnMacMoveNotification", "macFlap", "warning"},               // CISCO-MAC-NOTIFICATION-MIB
	"1.3.6.1.4.1.9.9.500.0.0.1": {"cswStackPortChange", "stack", "warning"},                     // CISCO-STACKWISE-MIB
	"1.3.6.1.4.1.9.9.500.0.0.2": {"cswStackNewMaster", "stack", "warning"},                      // same
	"1.3.6.1.4.1.9.9.500.0.0.3": {"cswStackMismatch", "stack", "warning"},                       // same
	"1.3.6.1.4.1.9.9.500.0.0.4": {"cswStackRingRedundant", "stack", "warning"},                  // same
	"1.3.6.1.4.1.9.9.500.0.0.5": {"cswStackNewMember", "stack", "notice"},                       // same
	"1.3.6.1.4.1.9.9.500.0.0.6": {"cswStackMemberRemoved", "stack", "warning"},                  // same
	"1.3.6.1.4.1.9.9.109.2.0.1": {"cpmCPURisingThreshold", "cpu", "warning"},                    // CISCO-PROCESS-MIB
	"1.3.6.1.2.1.17.0.1":        {"newRoot", "topologyChange", "warning"},                       // BRIDGE-MIB
	"1.3.6.1.2.1.17.0.2":        {"topologyChange", "topologyChange", "notice"},                 // same
	"1.3.6.1.4.1.9.9.82.2.0.1":  {"stpxInconsistencyUpdate", "topologyChange", "warning"},       // CISCO-STP-EXTENSIONS-MIB
	"1.3.6.1.4.1.9.9.82.2.0.2":  {"stpxRootInconsistencyUpdate", "topologyChange", "warning"},   // same
	"1.3.6.1.4.1.9.9.82.2.0.3":  {"stpxLoopInconsistencyUpdate", "topologyChange", "warning"},   // same
	"1.3.6.1.2.1.105.0.2":       {"pethMainPowerUsageOnNotification", "powerDenied", "warning"}, // POWER-ETHERNET-MIB
	"1.3.6.1.2.1.43.18.2.0.1":   {"printerV2Alert", "other", "warning"},                         // Printer-MIB
}

// Objects of notifications, whose index or value names the port or the station.
const (
	varIfIndex   = "1.3.6.1.2.1.2.2.1.1."
	varIfEntry   = "1.3.6.1.2.1.2.2.1."
	varIfName    = "1.3.6.1.2.1.31.1.1.1.1."
	varLastMAC   = "1.3.6.1.4.1.9.9.315.1.2.1.1.10." // cpsIfSecureLastMacAddress
	varMoved     = "1.3.6.1.4.1.9.9.215.1.3.2.1.2."  // cmnMACMoveAddress
	maxVariables = 64
)

// notified is what a trap means; nil when it concerns nobody here.
func notified(n *snmp.Notice, now time.Time) *constatv1.GearEvent {
	what, known := notifications[n.OID]
	if !known {
		return nil
	}
	e := &constatv1.GearEvent{
		At: timestamppb.New(now), Mnemonic: proto.String(what.name), Source: proto.String("snmpTrap"), Kind: proto.String(what.kind), Severity: proto.String(what.severity),
	}
	var told []string
	for _, v := range n.Variables[:min(len(n.Variables), maxVariables)] {
		switch {
		case strings.HasPrefix(v.OID, varIfIndex):
			e.IfIndex = small(v.Value)
		case strings.HasPrefix(v.OID, varIfEntry) && e.IfIndex == nil:
			if _, last, ok := cutLast(v.OID); ok {
				if i, ok := number(last); ok && i > 0 {
					e.IfIndex = proto.Int32(i)
				}
			}
		case strings.HasPrefix(v.OID, varIfName) && v.Text() != "":
			e.Port = proto.String(word(v.Text(), maxWord))
		case strings.HasPrefix(v.OID, errDisableCause+".") && what.kind == "errDisable": // by ifIndex and VLAN
			of, _, _ := strings.Cut(strings.TrimPrefix(v.OID, errDisableCause+"."), ".")
			if i, ok := number(of); ok && i > 0 {
				e.IfIndex = proto.Int32(i)
			}
			e.Cause = errDisableCauses.of(v.Value)
		case strings.HasPrefix(v.OID, varLastMAC), strings.HasPrefix(v.OID, varMoved):
			e.Mac = present(v.MAC())
		}
		if text := v.Text(); text != "" && len(told) < 8 && v.OID != sysUpTime {
			told = append(told, fmt.Sprintf("%s=%s", v.OID, text))
		}
	}
	if what.kind == "errDisable" && e.Cause == nil {
		e.Cause = proto.String("other")
	}
	e.Text = present(word(strings.Join(told, " "), maxEventText))
	return e
}
