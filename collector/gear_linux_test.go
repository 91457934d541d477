package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"constat/internal/lab"
	"constat/internal/snmp"
)

// chassis is a recording of a switch with many ports and one sensor, each of four
// columns.
func chassis(ports int, more ...string) string {
	var text strings.Builder
	text.WriteString("1.3.6.1.2.1.1.1.0|4|Cisco IOS Software, Version 15.2(7)E4, RELEASE SOFTWARE (fc2)\n1.3.6.1.2.1.1.2.0|6|1.3.6.1.4.1.9.1.1208\n1.3.6.1.2.1.1.3.0|67|864000000\n1.3.6.1.2.1.1.5.0|4|sw-1\n")
	for _, column := range []struct{ oid, value string }{
		{"1.3.6.1.2.1.2.2.1.3", "2|6"}, {"1.3.6.1.2.1.2.2.1.7", "2|1"}, {"1.3.6.1.2.1.2.2.1.8", "2|1"}, {"1.3.6.1.2.1.31.1.1.1.1", "4|Gi%d"},
	} {
		for n := 1; n <= ports; n++ {
			value := column.value
			if strings.Contains(value, "%d") {
				value = fmt.Sprintf(value, n)
			}
			fmt.Fprintf(&text, "%s.%d|%s\n", column.oid, n, value)
		}
	}
	return text.String() + strings.Join(more, "\n") + "\n"
}

// polls runs the command once, for as long as it may take.
func polls(t *testing.T, within time.Duration, args ...string) (report map[string]any, said string, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	cmd := gearPollCommand()
	var out, complaints strings.Builder
	cmd.SetOut(&out)
	cmd.SetErr(&complaints)
	cmd.SilenceUsage = true
	cmd.SetArgs(append(args, "--json"))
	err = cmd.ExecuteContext(ctx)
	if out.Len() > 0 {
		if failed := json.Unmarshal([]byte(out.String()), &report); failed != nil {
			t.Fatalf("no JSON: %v", failed)
		}
	}
	return report, complaints.String(), err
}

// The one-shot poll puts up with what the watch does: what is huge, slow, absurd or
// refuses is told plainly, in bounded time, and never named a fault.
func TestPollOfBadDevices(t *testing.T) {
	const ever = 10 * time.Minute
	count := func(report map[string]any, key string) int { list, _ := report[key].([]any); return len(list) }

	t.Run("20,000 interfaces", func(t *testing.T) {
		device := lab.Respond(t, 1, chassis(20_000)).Addresses[0]
		report, said, err := polls(t, ever, device, "--community", "public")
		if err != nil || said != "" || count(report, "interfaces") != 20_000 || count(report, "faults") != 0 {
			t.Errorf("%d interfaces, faults %v, %v, said %q", count(report, "interfaces"), report["faults"], err, said)
		}
	})
	t.Run("slow for ever", func(t *testing.T) {
		device := lab.Respond(t, 1, chassis(500), "-delay", "20ms", "-cut", "1").Addresses[0]
		report, said, err := polls(t, 3*time.Second, device, "--community", "public")
		if err != nil || !strings.HasPrefix(said, "not all was read:") || !strings.Contains(said, "deadline") || count(report, "faults") != 0 || report["identity"] == nil {
			t.Errorf("faults %v, %v, said %q", report["faults"], err, said)
		}
	})
	t.Run("a hostile table", func(t *testing.T) {
		device := lab.Respond(t, 1, chassis(4,
			"1.3.6.1.2.1.2.2.1.8.4294967295|2|1", "1.3.6.1.2.1.31.1.1.1.15.1|66|4294967295", "1.3.6.1.2.1.31.1.1.1.15.2|4|"+strings.Repeat("%s", 200),
			"1.3.6.1.2.1.99.1.1.1.1.9|2|8", "1.3.6.1.2.1.99.1.1.1.2.9|2|99", "1.3.6.1.2.1.99.1.1.1.3.9|2|-100", "1.3.6.1.2.1.99.1.1.1.4.9|2|2147483647", "1.3.6.1.2.1.99.1.1.1.5.9|2|1",
			"1.3.6.1.4.1.9.9.548.1.3.1.1.2.1|2|-7", "1.3.6.1.4.1.9.9.23.1.2.1.1.6.7777777.1|4|\x1b[2J")).Addresses[0]
		report, said, err := polls(t, ever, device, "--community", "public")
		if err != nil || said != "" || count(report, "faults") != 0 || count(report, "interfaces") < 4 {
			t.Errorf("faults %v, %v, said %q", report["faults"], err, said)
		}
		sensors, _ := report["sensors"].([]any)
		if slices.ContainsFunc(sensors, func(s any) bool { return s.(map[string]any)["value"] != nil }) {
			t.Errorf("an absurd sensor has a figure: %v", sensors)
		}
	})
	t.Run("wrong credentials", func(t *testing.T) {
		played := lab.Play(t, lab.Recording{Community: "one", Text: chassis(2)})
		right := played.V3("one")
		wrong := []string{"--v3-user", right.User, "--v3-auth", right.Auth, "--v3-auth-password", "certainly not", "--v3-privacy", right.Privacy, "--v3-privacy-password", right.PrivacyPassword, "--v3-context", right.Context}
		report, said, err := polls(t, ever, append([]string{played.Address}, wrong...)...)
		if !errors.Is(err, snmp.ErrRefused) || report != nil || strings.Contains(said+err.Error(), "certainly") {
			t.Errorf("a wrong password: %v, said %q", err, said)
		}
		report, said, err = polls(t, ever, played.Address, "--community", "nobody knows", "--timeout", "200ms")
		if !errors.Is(err, snmp.ErrSilent) || report != nil || strings.Contains(said+err.Error(), "nobody knows") {
			t.Errorf("a wrong community: %v, said %q", err, said)
		}
	})
}
