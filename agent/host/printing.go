package host

import (
	"cmp"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"constat/internal/snmp/printermib"
	constatv1 "constat/proto/constat/v1"
)

// printDevice is what a CUPS device URI says of where documents go.
type printDevice struct {
	// shown is the URI as it may be told: no account, no share, no options.
	shown      string
	connection string
	// address is host:port to ask whether the device answers; "" when it is not
	// on the network, or only a discovery protocol knows where.
	address string
	path    string
	secure  bool
	// id is the device's serial or UUID where the URI has it.
	id string
	// physical is unset where the scheme does not tell.
	physical *bool
}

// printSchemes tell how a device is connected by the scheme of its URI, which
// is the name of a CUPS backend. The port is that of the scheme's protocol.
var printSchemes = map[string]struct {
	connection, port string
	physical         bool
}{
	"usb":   {"usb", "", true},
	"ipp":   {"ipp", "631", true},
	"ipps":  {"ipps", "631", true},
	"http":  {"ipp", "80", true},
	"https": {"ipps", "443", true},
	// AppSocket, also called JetDirect.
	"socket":        {"socket", "9100", true},
	"lpd":           {"lpd", "515", true},
	"smb":           {"smb", "445", true},
	"dnssd":         {"ipp", "", true},
	"implicitclass": {"implicitclass", "", true},
	"file":          {"file", "", false},
	"cups-pdf":      {"file", "", false},
	"cups-brf":      {"file", "", false},
}

// dnssdServices are the connections behind the service type in a dnssd URI.
var dnssdServices = []struct{ in, connection string }{
	{"._ipps._tcp", "ipps"}, {"._ipp._tcp", "ipp"}, {"._pdl-datastream._tcp", "socket"}, {"._printer._tcp", "lpd"},
}

// parsePrintDevice reads a device URI as CUPS backends write them.
func parsePrintDevice(uri string) printDevice {
	u, err := url.Parse(uri)
	if err != nil {
		// Service names have escapes where a URL's host may not.
		scheme, rest, _ := strings.Cut(uri, "://")
		end := strings.IndexAny(rest+"/", "/?")
		name, nameErr := url.PathUnescape(rest[:end])
		if u, err = url.Parse(scheme + "://" + rest[end:]); err == nil && nameErr == nil {
			u.Host = name[strings.LastIndex(name, "@")+1:]
		}
	}
	if err != nil || u.Scheme == "" {
		return printDevice{connection: "other"}
	}
	d := printDevice{connection: "other", path: u.Path}
	scheme, known := printSchemes[u.Scheme]
	if known {
		d.connection, d.physical = scheme.connection, &scheme.physical
	}
	query := u.Query()
	d.id = cmp.Or(query.Get("serial"), strings.TrimPrefix(query.Get("uuid"), "urn:uuid:"))
	host := u.Host
	switch {
	case u.Scheme == "usb":
		host += u.EscapedPath() // maker and model, not a path
	case u.Scheme == "dnssd":
		for _, s := range dnssdServices {
			if strings.Contains(strings.ToLower(u.Host), s.in) {
				d.connection = s.connection
				break
			}
		}
	case u.Scheme == "hp" && strings.HasPrefix(u.Path, "/usb/"): // HPLIP
		d.connection, d.physical = "usb", set(true)
	case u.Scheme == "hp" && query.Get("ip") != "":
		d.connection, d.physical = "socket", set(true)
		host = query.Get("ip")
		d.address = net.JoinHostPort(host, "9100")
	case scheme.port != "" && u.Hostname() != "":
		d.address = net.JoinHostPort(u.Hostname(), cmp.Or(u.Port(), scheme.port))
		d.secure = scheme.connection == "ipps"
	}
	d.shown = u.Scheme + "://" + host
	return d
}

// Words of RFC 8011: printer-state (5.4.11) and job-state (5.3.7).
var (
	printerStates = map[int32]string{3: "idle", 4: "processing", 5: "stopped"}
	jobStates     = map[int32]string{
		3: "pending", 4: "pendingHeld", 5: "processing", 6: "processingStopped", 7: "canceled", 8: "aborted", 9: "completed",
	}
)

// Bits of CUPS' printer-type (cups_ptype_e).
const (
	printerTypeClass = 0x1
	printerTypeFax   = 0x40000
)

// queueAttributes are the attributes asked of each queue.
var queueAttributes = wanted("printer-name", "device-uri", "printer-make-and-model", "printer-state", "printer-state-reasons",
	"printer-state-message", "printer-is-accepting-jobs", "printer-is-shared", "printer-type")

// queueOf turns the attributes of a CUPS queue into facts.
func queueOf(attributes []ippAttribute) (*constatv1.Queue, printDevice) {
	d := parsePrintDevice("")
	if uri := ippValue[string](attributes, "device-uri"); uri != nil {
		d = parsePrintDevice(*uri)
	}
	q := &constatv1.Queue{
		Name:          ippValue[string](attributes, "printer-name"),
		DeviceUri:     filled(d.shown),
		Connection:    &d.connection,
		Driver:        ippValue[string](attributes, "printer-make-and-model"),
		State:         word(printerStates, ippValue[int32](attributes, "printer-state")),
		StateReasons:  reasons(attributes, "printer-state-reasons"),
		StateMessage:  discreetMessage(ippValue[string](attributes, "printer-state-message")),
		AcceptingJobs: ippValue[bool](attributes, "printer-is-accepting-jobs"),
		Shared:        ippValue[bool](attributes, "printer-is-shared"),
		Physical:      d.physical,
		PrinterId:     filled(d.id),
	}
	if kind := ippValue[int32](attributes, "printer-type"); kind != nil && *kind&printerTypeFax != 0 {
		q.Physical = set(false)
	} else if kind != nil && *kind&printerTypeClass != 0 {
		q.Physical = nil // a class: its members are queues of their own
	}
	// CUPS checks the filters of a queue when it loads it, and says so here.
	if ippValues[string](attributes, "printer-state-reasons") != nil {
		q.DriverPresent = set(!slices.ContainsFunc(q.StateReasons, func(reason string) bool {
			return strings.HasPrefix(reason, "cups-missing-filter")
		}))
	}
	return q, d
}

// word looks up an enum's word; nil when the number is not there or has none.
func word(words map[int32]string, n *int32) *string {
	if n == nil {
		return nil
	}
	return filled(words[*n])
}

// reasons returns keywords of an attribute without "none", sorted.
func reasons(attributes []ippAttribute, name string) []string {
	list := slices.DeleteFunc(ippValues[string](attributes, name), func(reason string) bool { return reason == "none" || reason == "" })
	slices.Sort(list)
	return slices.Compact(list)
}

// discreetMessage takes quoted names and accounts out of a printer's message;
// nil when there is no message.
func discreetMessage(message *string) *string {
	if message == nil || *message == "" {
		return nil
	}
	return set(printermib.Discreet(*message))
}

// jobAttributes are the attributes asked of each job: never its name or owner.
var jobAttributes = wanted("job-id", "job-state", "job-state-reasons", "job-printer-uri", "time-at-creation", "time-at-processing",
	"time-at-completed", "job-k-octets", "job-impressions-completed")

// jobOf turns the attributes of a CUPS job into facts, and names its queue.
// CUPS gives times as seconds since 1970.
func jobOf(attributes []ippAttribute, now time.Time) (job *constatv1.Job, queue string) {
	job = &constatv1.Job{
		Id:                   ippValue[int32](attributes, "job-id"),
		State:                word(jobStates, ippValue[int32](attributes, "job-state")),
		StateReasons:         reasons(attributes, "job-state-reasons"),
		CreatedAt:            cupsTime(ippValue[int32](attributes, "time-at-creation")),
		CompletedAt:          cupsTime(ippValue[int32](attributes, "time-at-completed")),
		SizeKbytes:           ippValue[int32](attributes, "job-k-octets"),
		ImpressionsCompleted: ippValue[int32](attributes, "job-impressions-completed"),
	}
	started := cupsTime(ippValue[int32](attributes, "time-at-processing"))
	if started != nil && strings.HasPrefix(job.GetState(), "processing") {
		job.ProcessingSeconds = set(int32(max(0, now.Sub(started.AsTime()).Seconds())))
	}
	if uri := ippValue[string](attributes, "job-printer-uri"); uri != nil {
		queue = (*uri)[strings.LastIndex(*uri, "/")+1:]
		if name, err := url.PathUnescape(queue); err == nil {
			queue = name
		}
	}
	return job, queue
}

func cupsTime(seconds *int32) *timestamppb.Timestamp {
	if seconds == nil || *seconds <= 0 {
		return nil
	}
	return &timestamppb.Timestamp{Seconds: int64(*seconds)}
}

// How many jobs of a queue a snapshot keeps, how many of them may be finished,
// and for how long those are of interest.
const (
	maxJobs     = 10
	maxFinished = 3
	finishedFor = 24 * time.Hour
)

// addJobs hands jobs to their queues: those that are waiting, and the last ones
// that are done with.
func addJobs(queues []*constatv1.Queue, waiting, finished [][]ippAttribute, now time.Time) {
	pending, done := byQueue(waiting, now), byQueue(finished, now)
	for _, q := range queues {
		jobs := pending[q.GetName()]
		q.PendingJobs = set(int32(len(jobs)))
		for _, job := range jobs {
			if job.CreatedAt != nil {
				age := int32(max(0, now.Sub(job.CreatedAt.AsTime()).Seconds()))
				q.OldestJobSeconds = set(max(q.GetOldestJobSeconds(), age))
			}
		}
		last := slices.DeleteFunc(done[q.GetName()], func(job *constatv1.Job) bool {
			return job.CompletedAt == nil || now.Sub(job.CompletedAt.AsTime()) > finishedFor
		})
		last = last[:min(len(last), maxFinished)]
		q.Jobs = append(last, jobs[:min(len(jobs), maxJobs-len(last))]...)
		slices.SortFunc(q.Jobs, newerJob)
	}
}

// byQueue sorts jobs by their queue, each queue's newest first.
func byQueue(jobs [][]ippAttribute, now time.Time) map[string][]*constatv1.Job {
	all := map[string][]*constatv1.Job{}
	for _, attributes := range jobs {
		job, queue := jobOf(attributes, now)
		all[queue] = append(all[queue], job)
	}
	for _, list := range all {
		slices.SortFunc(list, newerJob)
	}
	return all
}

func newerJob(a, b *constatv1.Job) int { return cmp.Compare(b.GetId(), a.GetId()) }

// lastQueue names the queue of the job that was completed last; nil when there
// was none.
func lastQueue(completed [][]ippAttribute, now time.Time) *string {
	var last *string
	var at time.Time
	for _, attributes := range completed {
		job, queue := jobOf(attributes, now)
		if queue != "" && job.GetState() == "completed" && job.CompletedAt != nil && job.CompletedAt.AsTime().After(at) {
			last, at = &queue, job.CompletedAt.AsTime()
		}
	}
	return last
}

// printerAttributes are the attributes asked of a printer itself: RFC 8011,
// PWG 5100.9 (printer-supply, printer-input-tray) and CUPS' marker attributes.
var printerAttributes = wanted("printer-state", "printer-state-reasons", "printer-make-and-model", "printer-uuid", "printer-device-id",
	"marker-names", "marker-types", "marker-colors", "marker-levels", "marker-low-levels", "printer-input-tray", "media-ready")

// describePrinter adds to p what the device says of itself.
func describePrinter(p *constatv1.Printer, attributes []ippAttribute) {
	p.State = word(printerStates, ippValue[int32](attributes, "printer-state"))
	p.StateReasons = reasons(attributes, "printer-state-reasons")
	if uuid := ippValue[string](attributes, "printer-uuid"); uuid != nil {
		p.Uuid = filled(strings.TrimPrefix(*uuid, "urn:uuid:"))
	}
	id := map[string]string{}
	if text := ippValue[string](attributes, "printer-device-id"); text != nil {
		id = printermib.DeviceID(*text)
	}
	p.Manufacturer = filled(cmp.Or(id["MFG"], id["MANUFACTURER"]))
	p.Model = filled(cmp.Or(id["MDL"], id["MODEL"]))
	p.Serial = filled(cmp.Or(id["SN"], id["SERN"], id["SERIALNUMBER"]))
	makeAndModel := ippValue[string](attributes, "printer-make-and-model")
	if p.Model == nil {
		p.Model = makeAndModel
	}
	if p.Manufacturer != nil {
		p.Brand = brandOf(*p.Manufacturer)
	} else if makeAndModel != nil {
		p.Brand = brandOf(*makeAndModel)
	}
	p.Id = cmp.Or(p.Serial, p.Uuid, p.Id)
	p.Supplies = supplies(attributes)
	for _, text := range ippValues[string](attributes, "printer-input-tray") {
		p.Trays = append(p.Trays, trayOf(text))
	}
}

// supplyKinds fold the words of marker-types, which are those of
// prtMarkerSuppliesType (RFC 3805), into the schema's.
var supplyKinds = map[string]string{
	"toner": "toner", "toner-cartridge": "toner", "tonercartridge": "toner",
	"ink": "ink", "ink-cartridge": "ink", "inkcartridge": "ink", "ink-ribbon": "ink",
	"waste-toner": "wasteToner", "wastetoner": "wasteToner", "waste-ink": "wasteInk", "wasteink": "wasteInk",
	"opc": "drum", "drum": "drum", "fuser": "fuser", "fuser-unit": "fuser",
}

// supplyColours name the colours that CUPS writes as in HTML.
var supplyColours = map[string]string{
	"#000000": "black", "#00ffff": "cyan", "#ff00ff": "magenta", "#ffff00": "yellow", "#00ffff#ff00ff#ffff00": "tricolour",
}

// lowByDefault is the level that counts as low where the device names none.
const lowByDefault = 10

// supplies joins the parallel marker lists. A negative level is a word of RFC
// 3805 (-2 unknown, -3 some left), not a number.
func supplies(attributes []ippAttribute) []*constatv1.Supply {
	names := ippValues[string](attributes, "marker-names")
	kinds := ippValues[string](attributes, "marker-types")
	colours := ippValues[string](attributes, "marker-colors")
	levels := ippValues[int32](attributes, "marker-levels")
	lows := ippValues[int32](attributes, "marker-low-levels")
	var list []*constatv1.Supply
	for i := range min(len(levels), 64) {
		s := &constatv1.Supply{State: set("unknown"), Kind: set("other")}
		if i < len(names) {
			s.Name = filled(names[i])
		}
		if i < len(kinds) {
			s.Kind = set(cmp.Or(supplyKinds[strings.ToLower(kinds[i])], "other"))
		}
		if i < len(colours) {
			s.Colour = filled(cmp.Or(supplyColours[strings.ToLower(colours[i])], strings.TrimPrefix(colours[i], "none")))
		}
		low := int32(lowByDefault)
		if i < len(lows) && lows[i] >= 0 {
			low = lows[i]
		}
		level := levels[i]
		if level >= 0 && level <= 100 {
			s.Percent = &level
		}
		switch {
		case strings.HasPrefix(s.GetKind(), "waste"):
			// Devices disagree whether a receptacle's level is filled or free
			// space; only its state reason tells that it is full.
		case level == -3:
			s.State = set("ok")
		case level < 0 || level > 100:
		case level == 0:
			s.State = set("empty")
		case level <= low:
			s.State = set("low")
		default:
			s.State = set("ok")
		}
		list = append(list, s)
	}
	return list
}

// trayOf reads one value of printer-input-tray (PWG 5100.9 section 5.2):
// "type=sheetFeedAutoRemovableTray;maxcapacity=250;level=-2;status=0;name=Tray 1;".
func trayOf(text string) *constatv1.Tray {
	t := &constatv1.Tray{}
	values := map[string]string{}
	for part := range strings.SplitSeq(text, ";") {
		key, value, _ := strings.Cut(part, "=")
		values[strings.ToLower(strings.TrimSpace(key))] = value
	}
	t.Name, t.Media = filled(values["name"]), filled(values["mediasizename"])
	level, err := strconv.Atoi(values["level"])
	capacity, capErr := strconv.Atoi(values["maxcapacity"])
	switch {
	case err != nil || level == -2 || level < -3 || level == -1:
	case level == 0:
		t.State = set("empty")
	default:
		t.State = set("ok")
	}
	if err == nil && capErr == nil && level >= 0 && capacity > 0 {
		t.Percent = percent(uint64(level), uint64(capacity))
	}
	return t
}

// parseLpoptions returns the queue that a file of lpoptions(1) makes the
// default: a line "Default NAME[/INSTANCE] options…".
func parseLpoptions(content []byte) string {
	for line := range strings.Lines(string(content)) {
		if words := strings.Fields(line); len(words) > 1 && strings.EqualFold(words[0], "Default") {
			name, _, _ := strings.Cut(words[1], "/")
			return name
		}
	}
	return ""
}
