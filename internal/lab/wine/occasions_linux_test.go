package wine

import (
	"bufio"
	"bytes"
	"io"
	"slices"
	"strings"
	"testing"

	"constat/internal/lab"
)

// startMinutes starts a Windows program for which time passes by lines, and returns
// what lets so many minutes pass for it and tells what it read and what is to be
// looked into.
func startMinutes(t *testing.T, w *Windows) func(n int, word string) (readings, occasions []string) {
	t.Helper()
	const file = `C:\tests\minutes.exe`
	w.Copy(testsOf(t, "constat/agent"), file)
	w.Setenv("OCCASIONS_MINUTES", "1")
	child := w.Command(t.Context(), file, "-test.run", "^TestMinutes$")
	in, err := child.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var complaint bytes.Buffer
	child.Stderr = &complaint
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Close(); _ = child.Wait() })
	said := bufio.NewScanner(out)
	return func(n int, word string) (readings, occasions []string) {
		t.Helper()
		for range n {
			if _, err := io.WriteString(in, word+"\n"); err != nil {
				t.Fatal(err)
			}
			ended := false
			for !ended && said.Scan() {
				line := strings.TrimSpace(said.Text())
				if what, is := strings.CutPrefix(line, "reading "); is {
					readings = append(readings, what)
				}
				if what, is := strings.CutPrefix(line, "occasion "); is {
					occasions = append(occasions, what)
				}
				ended = line == "end"
			}
			if !ended {
				t.Fatalf("the minutes ended: %s", complaint.String())
			}
		}
		return readings, occasions
	}
}

// TestOccasions: what happens to a Windows sets off one look each, and what only
// looks like it none. A link's signal, a battery, jobs of the print service and
// devices that are plugged in while it runs are nothing that Wine shows; what makes
// of them an occasion is tested with composed answers.
func TestOccasions(t *testing.T) {
	world := healthyWorld(t)
	w := StartIn(t, world)
	minutes := startMinutes(t, w)
	expect := func(what string, got []string, want ...string) {
		t.Helper()
		if !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", what, got, want)
		}
	}
	readings, occasions := minutes(5, ".")
	expect("a quiet start", occasions)
	for _, want := range []string{"cpuPercent", "memoryAvailablePercent", "diskFreePercent C:", "carrierLosses " + lab.Plain.Adapter, "gatewayMs " + lab.Plain.Adapter, "dnsMs " + lab.GatewayAddress} {
		if !slices.Contains(readings, want) {
			t.Errorf("no reading %s in %q", want, slices.Compact(slices.Sorted(slices.Values(readings))))
		}
	}
	look := func(n int, word string) []string { t.Helper(); _, got := minutes(n, word); return got }
	expect("a sleep", append(look(1, "woke"), look(5, ".")...))

	expect("the devices that are there", look(1, "plugged"))
	w.Registry(scanner)
	expect("a device without a driver", look(1, "plugged"), `deviceRefused USB\VID_04B8&PID_0142\583147593033363465`)
	expect("the same, still", look(2, "plugged"))

	crash := func(n, ago string) {
		w.Write(`C:\ProgramData\Microsoft\Windows\WER\ReportArchive\AppCrash_`+n+`\Report.wer`, reportAgo(t, ago))
	}
	expect("the records", look(1, "records"))
	crash("1", "3h")
	expect("a program that crashed once", look(2, "."))
	crash("2", "1m")
	expect("a program that crashed twice", look(3, "."), "programCrashes OUTLOOK.EXE")

	world.Filter(lab.Gateway, "inet", "filter", "input", "icmp type echo-request drop")
	expect("a gateway that falls silent", look(6, "."), "gatewaySilent "+lab.Plain.Adapter)
	world.IP(lab.PC, "route flush table main")
	expect("no way out any more", look(6, "."), "linkLost")
}
