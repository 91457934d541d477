package host

import (
	"path"
	"slices"
	"strconv"
	"strings"

	constatv1 "constat/proto/constat/v1"
)

// macJobs are launchd's jobs that faults ask about: printing, names, Wi-Fi,
// Bluetooth, time, sound, sign-in, the network's set-up, Constat itself.
var macJobs = []string{
	"com.apple.airportd", "com.apple.audio.coreaudiod", "com.apple.blued", "com.apple.bluetoothd", "com.apple.configd",
	"com.apple.mDNSResponder", "com.apple.mDNSResponder.reloaded", "com.apple.opendirectoryd", "com.apple.timed", "com.apple.wifid",
	"constat-agent", "org.cups.cups-lpd", "org.cups.cupsd",
}

// macDiscovery tells whether what finds printers runs, by launchd's word of
// mDNSResponder.
func macDiscovery(job []byte) *string {
	if parseMacJob("com.apple.mDNSResponder", job).GetState() == "running" {
		return set("running")
	}
	return set("stopped")
}

// macJob is one line of launchctl's list of a domain.
type macJob struct {
	label string
	pid   int
	// status is how it ended last; nil: it did not, or that is not told.
	status *int32
}

// parseMacJobs reads the services in what launchctl print system writes: process,
// how it ended last, and label. It is written for people: what has another form is
// passed over.
func parseMacJobs(content []byte) (jobs []macJob) {
	inside := false
	for line := range strings.Lines(string(content)) {
		trimmed := strings.TrimSpace(line)
		switch {
		case trimmed == "services = {":
			inside = true
			continue
		case inside && trimmed == "}":
			return jobs
		case !inside:
			continue
		}
		fields := strings.Fields(trimmed)
		if len(fields) != 3 || len(jobs) == 4096 {
			continue
		}
		pid, err := strconv.Atoi(fields[0])
		if err != nil || pid < 0 {
			continue
		}
		j := macJob{label: fields[2], pid: pid}
		if status, err := strconv.ParseInt(fields[1], 10, 32); err == nil {
			j.status = set(int32(status))
		}
		jobs = append(jobs, j)
	}
	return jobs
}

// notableJobs picks the labels of jobs worth asking more about: those that faults
// ask about, and others' that ended with an error. Labels are put behind other
// words of a program, so those of another form are left out.
func notableJobs(jobs []macJob) (labels []string) {
	others := 0
	for _, j := range jobs {
		asked := slices.Contains(macJobs, j.label)
		wrong := j.pid == 0 && j.status != nil && *j.status != 0 && !strings.HasPrefix(j.label, "com.apple.")
		if !asked && !wrong || strings.HasPrefix(j.label, "-") || strings.ContainsAny(j.label, "/ ") {
			continue
		}
		if !asked {
			if others++; others > 10 {
				continue
			}
		}
		labels = append(labels, j.label)
	}
	slices.Sort(labels)
	return slices.Compact(labels)
}

// parseMacJob reads launchctl print system/LABEL. A job that launchd will start
// anew after it failed, again and again, is restarting; one that starts when
// somebody asks for it, and is not asked for, has stopped.
func parseMacJob(label string, content []byte) *constatv1.Service {
	s := &constatv1.Service{Name: &label}
	runs := int32(-1)
	properties := ""
	for line := range strings.Lines(string(content)) {
		// Only the job's own properties: those below it are further in.
		if !strings.HasPrefix(line, "\t") || strings.HasPrefix(line, "\t\t") {
			continue
		}
		key, value, found := strings.Cut(strings.TrimSpace(line), " = ")
		if !found {
			continue
		}
		switch key {
		case "state":
			s.State = filled(map[string]string{"running": "running", "not running": "stopped", "waiting": "stopped", "spawn scheduled": "starting", "xpcproxy": "starting", "exited": "stopped"}[value])
		case "program":
			s.Program = filled(path.Base(value))
		case "runs":
			if n, err := strconv.ParseInt(value, 10, 32); err == nil && n >= 0 {
				runs = int32(n)
			}
		case "properties":
			properties = value
		case "last exit code":
			code, _, _ := strings.Cut(value, ":") // “78: EX_CONFIG”
			if n, err := strconv.ParseInt(code, 10, 32); err == nil {
				s.ExitCode = set(int32(n))
				s.Result = set("success")
				if n != 0 {
					s.Result = set("exitCode")
				}
			}
		case "last terminating signal":
			s.Result = set("signal")
		}
	}
	if strings.Contains(properties, "runatload") || strings.Contains(properties, "keepalive") {
		s.StartType = set("automatic")
	} else if properties != "" {
		s.StartType = set("manual")
	}
	bad := s.GetResult() == "signal" || s.GetResult() == "exitCode"
	if s.GetState() == "starting" && bad && runs > 1 {
		s.State, s.Restarts = set("restarting"), set(runs-1)
	}
	return s
}
