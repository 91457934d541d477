package host

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/binary"
	"math"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	constatv1 "constat/proto/constat/v1"
)

// The buffers and texts here are composed from Windows' documentation, not
// recorded.

// composer lays out a buffer as Windows' functions fill it: structures, and behind
// them the texts that their pointers mean.
type composer struct {
	fixed, texts []byte
	base         uint64
	pointers     map[int]int // place in fixed: offset in texts
}

func compose(size int) *composer {
	return &composer{fixed: make([]byte, size), base: 0x7ff6_1000_0000, pointers: map[int]int{}}
}

func (c *composer) u16(at int, v uint16) { binary.LittleEndian.PutUint16(c.fixed[at:], v) }
func (c *composer) u32(at int, v uint32) { binary.LittleEndian.PutUint32(c.fixed[at:], v) }
func (c *composer) text(at int, s string) {
	c.pointers[at] = len(c.texts)
	c.texts = append(c.texts, inUTF16(s+"\x00")...)
}

func (c *composer) block() winBuffer {
	for at, offset := range c.pointers {
		binary.LittleEndian.PutUint64(c.fixed[at:], c.base+uint64(len(c.fixed)+offset))
	}
	return winBuffer{slices.Concat(c.fixed, c.texts), c.base}
}

func inUTF16(s string) []byte {
	var raw []byte
	for _, unit := range utf16.Encode([]rune(s)) {
		raw = binary.LittleEndian.AppendUint16(raw, unit)
	}
	return raw
}

func composedServices() (winBuffer, uint32) {
	c := compose(3 * scmRowSize)
	for i, s := range []struct {
		name, shown           string
		state, exit, specific uint32
	}{{"Spooler", "Print Spooler", 1, 1067, 0}, {"WlanSvc", "WLAN AutoConfig", 4, 0, 0}, {"Maker", "A maker's service", 1, scmSpecific, 3}} {
		at := i * scmRowSize
		c.text(at, s.name)
		c.text(at+scmShown, s.shown)
		c.u32(at+scmState, s.state)
		c.u32(at+scmExit, s.exit)
		c.u32(at+scmSpecificExit, s.specific)
	}
	return c.block(), 3
}

func TestServicesOfWindows(t *testing.T) {
	b, n := composedServices()
	all := decodeServices(b, n)
	if len(all) != 3 {
		t.Fatalf("%d services, want 3", len(all))
	}
	c := compose(64)
	c.u32(4, 2)
	c.text(16, `C:\Windows\System32\spoolsv.exe`)
	for i := range all {
		all[i].start, all[i].program = decodeServiceConfig(c.block())
	}
	picked := notableServices(all)
	if len(picked) != 3 { // the last one because it failed
		t.Fatalf("%v", picked)
	}
	spooler := picked[1].facts()
	if spooler.GetName() != "Spooler" || spooler.GetState() != "failed" || spooler.GetExitCode() != 1067 || spooler.GetStartType() != "automatic" || spooler.GetProgram() != "spoolsv.exe" {
		t.Error(spooler)
	}
	if maker := picked[0].facts(); maker.GetExitCode() != 3 || maker.GetState() != "failed" {
		t.Error(maker)
	}
	if wlan := picked[2].facts(); wlan.GetState() != "running" || wlan.Result != nil || wlan.ExitCode != nil {
		t.Error(wlan)
	}
	// One that was never started since the machine was is at rest, whatever starts it.
	if s := (scmService{name: "x", state: 1, start: 2, exit: scmNeverStarted}); s.failed() || s.facts().GetState() != "stopped" || s.facts().Result != nil {
		t.Error(s.facts())
	}
	// So is one that nothing starts by itself.
	if s := (scmService{name: "x", state: 1, start: 3, exit: 5}); s.facts().GetState() != "stopped" {
		t.Error(s.facts())
	}
	// How it starts was not told.
	if s := (scmService{name: "x", state: 1, start: -1, exit: 5}); s.facts().StartType != nil || s.facts().GetState() != "stopped" {
		t.Error(s.facts())
	}
}

func TestProgramOfACommand(t *testing.T) {
	for command, want := range map[string]string{
		`"C:\Program Files\A B\a.exe" -k x`: "a.exe", `C:\Program Files\A B\a.EXE -k`: "a.EXE", `\SystemRoot\x.sys`: "x.sys", `svchost -k`: "svchost", "": "", `"`: "",
	} {
		if got := commandProgram(command); got != want {
			t.Errorf("%s: %q, want %q", command, got, want)
		}
	}
}

func composedQueues() (winBuffer, uint32) {
	c := compose(4 * printerRowSize)
	for i, q := range []struct {
		name, port, driver string
		attributes, status uint32
	}{
		{"Office", "IP_192.0.2.9", "HP Universal Printing PCL 6", attributeShared, 0x1 | 0x10},
		{"Lost", "WSD-1f", "IPP class", attributeWorkOffline, 0x400},
		{"Paper", "USB001", "Brother", 0, 0x8 | 0x400000},
		{"PDF", "PORTPROMPT:", "Microsoft Print To PDF", 0, 0},
	} {
		at := i * printerRowSize
		c.text(at+8, q.name)
		c.text(at+24, q.port)
		c.text(at+32, q.driver)
		c.u32(at+104, q.attributes)
		c.u32(at+124, q.status)
	}
	return c.block(), 4
}

func TestQueuesOfWindows(t *testing.T) {
	b, n := composedQueues()
	queues := decodeQueues(b, n)
	if len(queues) != 4 {
		t.Fatal(queues)
	}
	ports := winPorts{
		tcp: map[string]registryKey{"ip_192.0.2.9": {values: map[string]any{"hostname": "192.0.2.9", "portnumber": uint64(9101), "protocol": uint64(1), "snmp community": "secret"}}},
		wsd: map[string]string{"wsd-1f": "http://192.0.2.10:3911/"},
		usb: map[string]usbPort{"USB001": {instance: `USB\VID_04F9&PID_0001\E7812`}},
	}
	office, lost, paper, pdf := queues[0], queues[1], queues[2], queues[3]
	if office.GetState() != "stopped" || !slices.Equal(office.StateReasons, []string{"media-empty-error", "paused"}) || !office.GetShared() || office.GetOffline() {
		t.Error(office.Queue)
	}
	if d := ports.device(office); d.shown != "socket://192.0.2.9:9101" || d.address != "192.0.2.9:9101" || d.connection != "socket" {
		t.Errorf("%+v", d)
	}
	if !lost.GetOffline() || lost.GetState() != "processing" {
		t.Error(lost.Queue)
	}
	if d := ports.device(lost); d.address != "192.0.2.10:3911" || d.connection != "wsd" {
		t.Errorf("%+v", d)
	}
	if d := ports.device(paper); d.connection != "usb" || d.id != "E7812" || !slices.Equal(paper.StateReasons, []string{"door-open-error", "media-jam-error"}) {
		t.Errorf("%+v %v", d, paper.StateReasons)
	}
	if d := ports.device(pdf); d.connection != "file" || d.physical == nil || *d.physical || len(pdf.StateReasons) != 0 || pdf.GetState() != "idle" {
		t.Errorf("%+v", d)
	}
	shared := winQueue{Queue: &constatv1.Queue{Name: set(`\\server\Floor 2`)}}
	if d := ports.device(shared); d.connection != "smb" || d.shown != "smb://server" {
		t.Errorf("%+v", d)
	}
	if d := tcpPort(registryKey{values: map[string]any{"ipaddress": "2001:db8::9", "protocol": uint64(2)}}); d.shown != "lpd://[2001:db8::9]:515" {
		t.Errorf("%+v", d)
	}
}

func composedJobs() (winBuffer, uint32) {
	c := compose(3 * jobRowSize)
	for i, j := range []struct{ status, ms, pages, bytes uint32 }{{jobPrinting, 90_000, 2, 5000}, {jobPrinting | jobError | jobPaperOut, 0, 0, 0}, {jobPrinted, 0, 3, 1}} {
		at := i * jobRowSize
		c.u32(at, uint32(i+7))
		c.text(at+24, "ann")
		c.text(at+32, "A title")
		c.u32(at+104, j.status)
		c.u32(at+128, j.bytes)
		for k, v := range []uint16{2026, 3, 1, 9, 10, 11, 12, 0} {
			c.u16(at+132+2*k, v)
		}
		c.u32(at+148, j.ms)
		c.u32(at+152, j.pages)
	}
	return c.block(), 3
}

func TestJobsOfWindows(t *testing.T) {
	b, n := composedJobs()
	q := &constatv1.Queue{}
	addWinJobs(q, decodeJobs(b, n), time.Date(2026, 3, 9, 10, 12, 12, 0, time.UTC))
	if q.GetPendingJobs() != 2 || q.GetOldestJobSeconds() != 60 || len(q.Jobs) != 3 {
		t.Fatal(q)
	}
	done, stuck, prints := q.Jobs[0], q.Jobs[1], q.Jobs[2]
	if done.GetId() != 9 || done.GetState() != "completed" || done.GetSizeKbytes() != 1 {
		t.Error(done)
	}
	if stuck.GetState() != "processingStopped" || stuck.SizeKbytes != nil {
		t.Error(stuck)
	}
	if prints.GetState() != "processing" || prints.GetProcessingSeconds() != 90 || prints.GetImpressionsCompleted() != 2 {
		t.Error(prints)
	}
	if text := q.String(); strings.Contains(text, "ann") || strings.Contains(text, "title") {
		t.Error(text)
	}
}

func TestPortsOfWindows(t *testing.T) {
	if got := interfaceInstance(`##?#USB#VID_03F0&PID_0C17#CN1234#{28d78fad-5a12-11d1-ae5b-0000f803a8c2}`); got != `USB\VID_03F0&PID_0C17\CN1234` || serialOf(got) != "CN1234" {
		t.Error(got)
	}
	if serialOf(`USB\VID_03F0&PID_0C17\6&1a2b&0&3`) != "" {
		t.Error("Windows' own number is taken for a serial")
	}
	if got := chosenDefault("Floor 2, left,winspool,Ne00:"); got != "Floor 2, left" {
		t.Error(got)
	}
	c := compose(portRowSize)
	c.text(0, "IP_1")
	c.text(8, "TCPMON.DLL")
	if ports := decodePorts(c.block(), 1); ports["IP_1"] != "TCPMON.DLL" {
		t.Error(ports)
	}
	c = compose(2 * driverRowSize)
	c.text(0, "A")
	c.text(8, "B")
	if names := decodeDriverNames(c.block(), 2); !slices.Equal(names, []string{"A", "B"}) {
		t.Error(names)
	}
}

// xmlEvent composes an event as EvtRender writes it.
func xmlEvent(provider string, id string, fields ...string) string {
	var b strings.Builder
	b.WriteString(`<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'><System><Provider Name='` + provider + `' Guid='{a0}' EventSourceName='x'/><EventID Qualifiers='16384'>` +
		id + `</EventID><TimeCreated SystemTime='2026-03-09T10:11:12.1234567Z'/><Channel>System</Channel></System><EventData>`)
	for _, f := range fields {
		name, value, named := strings.Cut(f, "=")
		switch {
		case named:
			b.WriteString(`<Data Name='` + name + `'>` + value + `</Data>`)
		case f == "":
			b.WriteString(`<Data/>`)
		default:
			b.WriteString(`<Data>` + f + `</Data>`)
		}
	}
	return b.String() + `</EventData></Event>`
}

func logged(t *testing.T, text string) loggedEvent {
	t.Helper()
	e, ok := parseLoggedEvent(text)
	if !ok {
		t.Fatalf("no event: %s", text)
	}
	return e
}

func TestEventsOfPrograms(t *testing.T) {
	old := logged(t, xmlEvent("Application Error", "1000", "winword.exe", "16.0.1.2", "5f", "addin.dll", "1.2.0.0", "60", "c0000005", "0001", "1a4", "01d9", `C:\P\winword.exe`))
	if c := programCrash(old); c.GetProgram() != "WINWORD.EXE" || c.GetModule() != "addin.dll" || c.GetModuleVersion() != "1.2.0.0" || c.GetCode() != "0xc0000005" || c.GetKind() != "crash" {
		t.Error(c)
	}
	named := logged(t, xmlEvent("Application Error", "1000", "AppName=a&amp;b.exe", "AppVersion=0.0.0.0", "ModuleName=unknown", "ModuleVersion=0.0.0.0", "ExceptionCode=c0000409"))
	if c := programCrash(named); c.GetProgram() != "a&b.exe" || c.Version != nil || c.Module != nil || c.GetCode() != "0xc0000409" {
		t.Error(c)
	}
	hang := logged(t, xmlEvent("Application Hang", "1002", "OUTLOOK.EXE", "16.0.1.2", "1a", ""))
	if c := programCrash(hang); c.GetProgram() != "OUTLOOK.EXE" || c.GetKind() != "hang" || c.GetAt().AsTime().Year() != 2026 {
		t.Error(c)
	}
}

func composedCrashes(t *testing.T) []loggedEvent {
	t.Helper()
	return []loggedEvent{
		logged(t, xmlEvent("Microsoft-Windows-Kernel-Power", "41", "BugcheckCode=0")), logged(t, xmlEvent("EventLog", "6008", "10:00:00", "09.03.2026")),
		logged(t, xmlEvent("Display", "4101", "nvlddmkm", "")),
		logged(t, xmlEvent("SideBySide", "33", "Microsoft.VC90.CRT,version", "", `C:\p\tool.exe`)),
		logged(t, xmlEvent("Microsoft-Windows-AppLocker", "8004", `FilePath=%OSDRIVE%\USERS\ANN\X.EXE`)),
		logged(t, xmlEvent("Microsoft-Windows-Kernel-Power", "41", "BugcheckCode=159", "PowerButtonTimestamp=0")),
	}
}

func TestEventsOfTheMachine(t *testing.T) {
	var l crashLog
	l.windowsEvents([]loggedEvent{
		logged(t, xmlEvent("Microsoft-Windows-Kernel-Power", "41", "BugcheckCode=159", "PowerButtonTimestamp=0")),
		logged(t, xmlEvent("Microsoft-Windows-WER-SystemErrorReporting", "1001", "0x0000009f (0x3, 0x1, 0x2, 0x4)", `C:\Windows\MEMORY.DMP`)),
		logged(t, xmlEvent("EventLog", "6008", "10:00:00", "09.03.2026")),
	})
	if len(l.system) != 1 || l.system[0].GetKind() != "bugcheck" || l.system[0].GetCode() != "0x0000009f" {
		t.Errorf("a stop error, told three times: %v", l.system)
	}
	l = crashLog{}
	l.windowsEvents(composedCrashes(t)[:5])
	if len(l.system) != 2 || l.system[0].GetKind() != "gpuReset" || l.system[0].GetModule() != "nvlddmkm" || l.system[1].GetKind() != "powerLoss" {
		t.Error(l.system)
	}
	if len(l.failures) != 1 || l.failures[0].GetProgram() != "tool.exe" || l.failures[0].GetDetail() != "Microsoft.VC90.CRT" {
		t.Error(l.failures)
	}
	if len(l.refusals) != 1 || l.refusals[0].GetProgram() != "X.EXE" || l.refusals[0].GetBy() != "applocker" {
		t.Error(l.refusals)
	}
}

func composedRestarts(t *testing.T) []loggedEvent {
	t.Helper()
	return []loggedEvent{
		logged(t, xmlEvent(scmProvider, "7031", "Print Spooler", "1", "60000", "1", "Restart the service")),
		logged(t, xmlEvent(scmProvider, "7031", "Print Spooler", "2", "0", "0", "Nothing")),
		logged(t, xmlEvent(scmProvider, "7034", "Print Spooler", "3")),
	}
}

func composedFall(t *testing.T) loggedEvent {
	t.Helper()
	return logged(t, xmlEvent("Application Error", "1000", "spoolsv.exe", "10.0.1", "5f", "maker.dll", "1.2.0.0", "60", "c0000005"))
}

func composedWake(t *testing.T) loggedEvent {
	t.Helper()
	return logged(t, xmlEvent("Microsoft-Windows-Power-Troubleshooter", "1", "SleepTime=2026-03-08T18:00:00.5Z", "WakeTime=2026-03-09T08:01:02.1234567Z"))
}

func TestSingleEventsOfWindows(t *testing.T) {
	if at := wokeAt([]loggedEvent{{}, composedWake(t)}); at.AsTime() != time.Date(2026, 3, 9, 8, 1, 0, 0, time.UTC) || wokeAt(nil) != nil {
		t.Error(at)
	}
	other := logged(t, xmlEvent("Application Error", "1000", "a.exe", "1", "5f", "b.dll", "1", "60", "c0000005"))
	if module := spoolerFellOver([]loggedEvent{other, composedFall(t)}); module == nil || *module != "maker.dll" || spoolerFellOver([]loggedEvent{other}) != nil {
		t.Error(module)
	}
}

func TestEventQuery(t *testing.T) {
	got := eventQuery([]eventRow{{"System", "A", []int{1, 2}}, {"System", "B", []int{3}}}, time.Minute)
	const want = "*[System[((Provider[@Name='A'] and (EventID=1 or EventID=2)) or (Provider[@Name='B'] and (EventID=3))) and TimeCreated[timediff(@SystemTime) <= 60000]]]"
	if got != want {
		t.Error(got)
	}
	restarts := scmRestarts(composedRestarts(t), time.Date(2026, 3, 9, 10, 0, 0, 0, time.UTC))
	if restarts["Print Spooler"] != 1 {
		t.Error(restarts)
	}
}

func report(lines ...string) []byte {
	return append([]byte{0xff, 0xfe}, inUTF16(strings.Join(lines, "\r\n"))...)
}

func TestReportsOfWER(t *testing.T) {
	crash := report("Version=1", "EventType=APPCRASH", "EventTime=134175570720000000", "Sig[0].Name=Nom de l’application", "Sig[0].Value=excel.exe", "Sig[1].Value=16.0.1", "Sig[3].Value=ntdll.dll",
		"Sig[4].Value=10.0.1", "Sig[6].Value=c0000374", "Sig[7].Value=00000001", `AppPath=C:\Users\ann\excel.exe`)
	if c := parseWER(crash); c.GetProgram() != "EXCEL.EXE" || c.GetModule() != "ntdll.dll" || c.GetCode() != "0xc0000374" || c.GetAt().AsTime().Year() != 2026 || strings.Contains(c.String(), "ann") {
		t.Error(c)
	}
	bex := report("EventType=BEX64", "EventTime=134175570720000000", "Sig[0].Value=a.exe", "Sig[3].Value=m.dll", "Sig[6].Value=00000001", "Sig[7].Value=c0000409")
	if c := parseWER(bex); c.GetCode() != "0xc0000409" {
		t.Error(c)
	}
	if c := parseWER(report("EventType=AppHangB1", "EventTime=134175570720000000", "Sig[0].Value=a.exe")); c.GetKind() != "hang" {
		t.Error(c)
	}
	for _, other := range [][]byte{report("EventType=WindowsUpdateFailure3", "EventTime=134175570720000000", "Sig[0].Value=a.exe"), report("EventType=APPCRASH", "Sig[0].Value=a.exe"), nil, {0xff}} {
		if c := parseWER(other); c != nil {
			t.Error(c)
		}
	}
}

func key(name string, values ...any) registryKey {
	k := registryKey{name: name, values: map[string]any{}}
	for i := 0; i+1 < len(values); i += 2 {
		if n, isInt := values[i+1].(int); isInt {
			values[i+1] = uint64(n)
		}
		k.values[strings.ToLower(values[i].(string))] = values[i+1]
	}
	return k
}

func TestInstalledPrograms(t *testing.T) {
	msi := installedProgram(key("{A}", "DisplayName", "Tool", "DisplayVersion", "1.2", "Publisher", "Maker", "WindowsInstaller", 1, "InstallDate", "20260301"))
	if msi.GetName() != "Tool" || msi.GetVersion() != "1.2" || msi.GetSource() != "msi" || msi.GetInstalledAt().AsTime().Day() != 1 {
		t.Error(msi)
	}
	if p := installedProgram(key("O365", "DisplayName", "Microsoft 365 Apps", "UninstallString", `"C:\Program Files\Common Files\Microsoft Shared\ClickToRun\OfficeClickToRun.exe" scenario=install`)); p.GetSource() != "clickToRun" {
		t.Error(p)
	}
	if p := installedProgram(key("x", "DisplayName", "Setup made", "InstallDate", "1 March")); p.GetSource() != "exe" || p.InstalledAt != nil || p.Version != nil {
		t.Error(p)
	}
	for _, hidden := range []registryKey{
		key("a"), key("b", "DisplayName", "Part", "SystemComponent", 1), key("c", "DisplayName", "KB1", "ParentKeyName", "Office"), key("d", "DisplayName", "KB2", "ReleaseType", "Hotfix"),
		{name: "e", values: map[string]any{"displayname": []byte{1}}},
	} {
		if p := installedProgram(hidden); p != nil {
			t.Error(p)
		}
	}
	if p := packagedProgram("Microsoft.WindowsCalculator_11.2401.0.0_x64__8wekyb3d8bbwe"); p.GetName() != "Microsoft.WindowsCalculator" || p.GetVersion() != "11.2401.0.0" {
		t.Error(p)
	}
	for _, name := range []string{"", "x", "A_1_x64_fr-fr_p", "____"} {
		if p := packagedProgram(name); p != nil {
			t.Error(p)
		}
	}
}

func TestComponentsOfWindowsInstaller(t *testing.T) {
	// The code and its key of a product that many machines have.
	if got := packedCode("{90150000-008C-0000-1000-0000000FF1CE}"); got != "00005109C80000000100000000F01FEC" {
		t.Error(got)
	}
	for _, other := range []string{"", "{}", "Browser", "{90150000-008C-0000-1000-0000000FF1C}", "{9015000-0008C-0000-1000-0000000FF1CE}"} {
		if got := packedCode(other); got != "" {
			t.Errorf("%s: %s", other, got)
		}
	}
	for value, want := range map[string]string{
		`C:\Program Files\Tool\tool.exe`: `C:\Program Files\Tool\tool.exe`, `C?\Windows\a.dll`: `C:\Windows\a.dll`, `C:\Program Files\Tool\`: "", `02:\SOFTWARE\Tool\x`: "", "": "",
	} {
		if got := keyFile(value); got != want {
			t.Errorf("%s: %q", value, got)
		}
	}
}

func TestWinget(t *testing.T) {
	table := "\r   - \r   \\ \rNom                        ID                    Version     Disponible  Source\r\n" +
		"-----------------------------------------------------------------------------\r\n" +
		"Mozilla Firefox (x64 fr)   Mozilla.Firefox.fr    140.0       151.0.1     winget\r\n" +
		"Microsoft Visual C++ 2015… Microsoft.VCRedist    14.38.33130 14.40.1     winget\r\n" +
		"Teams                      Microsoft.Teams       < 1.2       2.0         winget\r\n" +
		"3 mises à niveau disponibles.\r\n"
	offers := parseWinget(table)
	if len(offers) != 2 || offers[0] != (wingetOffer{"Mozilla Firefox (x64 fr)", "140.0", "151.0.1"}) {
		t.Fatal(offers)
	}
	programs := []*constatv1.Program{{Name: set("Mozilla Firefox (x64 fr)"), Version: set("140.0")}, {Name: set("Microsoft Visual C++ 2015-2022 (x64)"), Version: set("14.38.33130")}, {Name: set("Teams"), Version: set("1.2")}}
	offerWinget(programs, offers)
	if programs[0].GetAvailableVersion() != "151.0.1" || programs[1].GetAvailableVersion() != "14.40.1" || programs[2].AvailableVersion != nil {
		t.Error(programs)
	}
}

func disabled(module, name string) []byte {
	first, second := inUTF16(module+"\x00"), inUTF16(name+"\x00")
	raw := binary.LittleEndian.AppendUint32(nil, 1)
	raw = binary.LittleEndian.AppendUint32(raw, uint32(len(first)))
	raw = binary.LittleEndian.AppendUint32(raw, uint32(len(second)))
	return slices.Concat(raw, first, second)
}

func TestAddInsOfOffice(t *testing.T) {
	all := []addIn{
		officeAddIn("OUTLOOK.EXE", key("Maker.Connect", "FriendlyName", "Maker", "LoadBehavior", 3), "maker.dll"),
		officeAddIn("OUTLOOK.EXE", key("Maker.Connect", "FriendlyName", "Maker", "LoadBehavior", 3), "maker.dll"),
		officeAddIn("WINWORD.EXE", key("Other", "LoadBehavior", 2), ""),
	}
	module, name, ok := disabledItem(disabled(`c:\program files\maker\maker.dll`, "Maker"))
	if !ok || module != "maker.dll" || name != "Maker" {
		t.Fatal(module, name, ok)
	}
	all = disable(all, "OUTLOOK.EXE", module, name)
	all = disable(all, "EXCEL.EXE", "gone.dll", "Gone")
	list := sortAddIns(slices.Clone(all))
	if len(list) != 3 {
		t.Fatal(list)
	}
	if a := list[1]; a.GetName() != "Maker" || a.Enabled == nil || a.GetEnabled() || !a.GetDisabledByCrash() {
		t.Error(a)
	}
	if a := list[2]; a.GetName() != "Other" || a.Enabled == nil || a.GetEnabled() || a.DisabledByCrash != nil {
		t.Error(a)
	}
	l := crashLog{programs: []*constatv1.Crash{{Program: set("OUTLOOK.EXE"), Module: set("MAKER.DLL")}, {Program: set("OUTLOOK.EXE"), Module: set("ntdll.dll")}}}
	l.addIns(all)
	if l.programs[0].GetAddIn() != "Maker" || l.programs[1].AddIn != nil {
		t.Error(l.programs)
	}
	for _, id := range []string{"http://officecdn.microsoft.com/pr/492350f6-3a01-4f97-b9c0-c7c6ddf67d60", "https://officecdn.microsoft.com/pr/492350F6-3A01-4F97-B9C0-C7C6DDF67D60/"} {
		if got := officeChannel(key("Configuration", "CDNBaseUrl", id)); got == nil || *got != "Current" {
			t.Error(got)
		}
	}
}

func atHour(e loggedEvent, hour int) loggedEvent {
	e.at = time.Date(2026, 3, 9, hour, 0, 0, 0, time.UTC)
	return e
}

// composedUpdates are newest first, as the log gives them.
func composedUpdates(t *testing.T) []loggedEvent {
	t.Helper()
	failure := logged(t, xmlEvent(updateProvider, "20", "errorCode=0x80070070", "updateTitle=2026-03 Cumulative Update", "updateGuid={1}"))
	return []loggedEvent{
		atHour(logged(t, xmlEvent(updateProvider, "26", "updateCount=2")), 12),
		atHour(failure, 11), atHour(failure, 10),
		atHour(logged(t, xmlEvent(updateProvider, "19", "updateTitle=Other", "updateGuid={2}")), 9),
		atHour(logged(t, xmlEvent(updateProvider, "20", "errorCode=-2145124329", "updateTitle=Other", "updateGuid={2}")), 8),
	}
}

func TestUpdatesOfWindows(t *testing.T) {
	u := &constatv1.Updates{}
	updateEvents(u, composedUpdates(t))
	if len(u.Failures) != 1 || u.Failures[0].GetAttempts() != 2 || u.Failures[0].GetCode() != "0x80070070" || u.GetPending() != 2 || u.GetLastSuccessAt().AsTime().Hour() != 9 || u.GetLastCheckAt().AsTime().Hour() != 12 {
		t.Error(u)
	}
	u = &constatv1.Updates{}
	updateEvents(u, []loggedEvent{
		atHour(logged(t, xmlEvent(updateProvider, "19", "updateTitle=Security Intelligence Update - KB2267602 (Version 2)", "updateGuid={4}")), 9),
		atHour(logged(t, xmlEvent(updateProvider, "20", "errorCode=0x80070643", "updateTitle=Security Intelligence Update - KB2267602 (Version 1)", "updateGuid={3}")), 8),
		atHour(logged(t, xmlEvent(updateProvider, "20", "errorCode=0x80073d02", "updateTitle=9WZDNCRFJBMP-Microsoft.WindowsStore", "updateGuid={5}")), 7),
	})
	if len(u.Failures) != 0 {
		t.Errorf("one that a newer version replaced, and an application that was open: %v", u.Failures)
	}
	if got := hresult("-2145124329"); got == nil || *got != "0x80240017" {
		t.Error(got)
	}
	files := replacedFiles([]string{`\??\C:\x\new.tmp`, `!\??\C:\x\old.dll`, `\??\C:\x\gone.tmp`, ""})
	if !slices.Equal(files, []string{"old.dll"}) {
		t.Error(files)
	}
}

// Whatever a machine holds, the readers of its buffers and texts come back.
func FuzzBuffersOfWindows(f *testing.F) {
	for _, composed := range []func() (winBuffer, uint32){composedServices, composedQueues, composedJobs} {
		b, n := composed()
		f.Add(b.data, b.base, n)
	}
	f.Add(composedProcesses().data, composedProcesses().base, uint32(0))
	f.Fuzz(func(t *testing.T, data []byte, base uint64, n uint32) {
		b := winBuffer{data, base}
		decodeServices(b, n)
		decodeServiceConfig(b)
		for _, q := range decodeQueues(b, n) {
			winPorts{}.device(q)
		}
		addWinJobs(&constatv1.Queue{}, decodeJobs(b, n), time.Now())
		decodePorts(b, n)
		decodeDriverNames(b, n)
		disabledItem(data)
		parseWER(data)
		certificateOf(data)
		decodeProcesses(b, time.Unix(0, 0))
		localAccount(&constatv1.Account{}, b, n, time.Unix(0, 0))
		displayTargets(b, n)
		displayTargetName(b)
		addExtents(&constatv1.Mount{}, data)
		addDirty(&constatv1.Mount{}, data)
		addBatteryTexts(&constatv1.Battery{}, data, data, nil)
	})
}

func FuzzTextsOfWindows(f *testing.F) {
	f.Add(xmlEvent("Application Error", "1000", "AppName=a.exe", "", "x"))
	f.Add("\xcd.eXe")
	f.Add("Name Id Version Available Source\n----\nA B.C 1 2 winget\n")
	f.Fuzz(func(t *testing.T, text string) {
		if e, ok := parseLoggedEvent(text); ok {
			var l crashLog
			l.windowsEvents([]loggedEvent{e, e})
			u := &constatv1.Updates{}
			updateEvents(u, []loggedEvent{e})
			bootOfWindows([]loggedEvent{e}, time.Time{})
			wokeAt([]loggedEvent{e})
			spoolerFellOver([]loggedEvent{e})
			diskErrors([]loggedEvent{e})
		}
		parseWinget(text)
		w32timeStatus(&constatv1.Clock{}, text)
		packagedProgram(text)
		packedCode(text)
		_ = keyFile(text)
		commandProgram(text)
		interfaceInstance(text)
		chosenDefault(text)
		hresult(text)
		radioAddress(text)
		endpointKey(text)
		winPorts{wsd: map[string]string{"x": text}}.device(winQueue{Queue: &constatv1.Queue{}, port: "x"})
		winPorts{}.device(winQueue{Queue: &constatv1.Queue{Name: &text}, port: text})
	})
}

func TestHostOfWindows(t *testing.T) {
	for _, test := range []struct {
		key                          registryKey
		name, version, build, kernel string
	}{
		{key("CurrentVersion", "ProductName", "Windows 10 Pro", "DisplayVersion", "23H2", "CurrentBuildNumber", "22631", "UBR", 3447, "CurrentMajorVersionNumber", 10, "CurrentMinorVersionNumber", 0), "Windows 11 Pro", "23H2", "22631.3447", "10.0.22631"},
		{key("CurrentVersion", "ProductName", "Windows 10 Enterprise LTSC 2019", "ReleaseId", "1809", "CurrentBuildNumber", "17763", "CurrentVersion", "6.3"), "Windows 10 Enterprise LTSC 2019", "1809", "17763", "6.3.17763"},
		{key("CurrentVersion", "ProductName", "Windows Server 2025 Datacenter", "InstallationType", "Server", "CurrentBuildNumber", "26100"), "Windows Server 2025 Datacenter", "", "26100", ""},
		{key("CurrentVersion"), "", "", "", ""},
	} {
		h := &constatv1.Host{}
		windowsVersion(h, test.key)
		if h.GetOsName() != test.name || h.GetOsVersion() != test.version || h.GetOsBuild() != test.build || h.GetKernel() != test.kernel {
			t.Error(h)
		}
	}
	if zone := windowsZone("Romance Standard Time\x00"); zone == nil || *zone != "Europe/Paris" {
		t.Error(zone)
	}
	if windowsZone("") != nil || windowsZone("Moon Standard Time") != nil {
		t.Error("a zone that is none")
	}
	for line := range strings.Lines(windowsZones) {
		if _, iana, found := strings.Cut(strings.TrimSpace(line), "\t"); found {
			if _, err := time.LoadLocation(iana); err != nil {
				t.Error(err)
			}
		}
	}
	if s := windowsSession("ann", sessionDisconnected, set(uint16(2))); s.GetKind() != "remote" || s.GetActive() || s.Active == nil {
		t.Error(s)
	}
	if s := windowsSession("ann", sessionActive, nil); s.Kind != nil || !s.GetActive() {
		t.Error(s)
	}
	if windowsSession("", sessionActive, nil) != nil || windowsSession("x", 6, nil) != nil {
		t.Error("a session that nobody has")
	}
}

// frenchStatus is what w32tm prints in French, composed.
const frenchStatus = "Indicateur de saut : 0(aucun avertissement)\r\nStrate : 4 (référence secondaire)\r\nPrécision : -23 (119.209ns par battement)\r\nDélai racine : 0.0345s\r\nDispersion : 7.7s\r\n" +
	"ID de référence : 0x287CC3A8 (IP source : 40.124.195.168)\r\nHeure : 01/03/2026\r\nSource : time.windows.com,0x9 \r\nIntervalle : 10\r\n"

func TestClockOfWindows(t *testing.T) {
	const alone = "Leap Indicator: 3(not synchronized)\r\nStratum: 0 (unspecified)\r\nPrecision: -23\r\nRoot Delay: 0.0s\r\nRoot Dispersion: 0.0s\r\nReferenceId: 0x4C4F434C (source name:  \"LOCL\")\r\nLast Successful Sync Time: unspecified\r\nSource: Local CMOS Clock\r\nPoll Interval: 10 (1024s)\r\n"
	c := &constatv1.Clock{}
	if !w32timeStatus(c, frenchStatus) || !c.GetSynchronized() || c.GetSource() != "time.windows.com" {
		t.Error(c)
	}
	c = &constatv1.Clock{}
	if !w32timeStatus(c, alone) || c.Synchronized == nil || c.GetSynchronized() || c.Source != nil {
		t.Error(c)
	}
	for _, other := range []string{"", "The service has not been started. (0x80070426)", strings.Repeat("a: b\n", 9)} {
		c = &constatv1.Clock{}
		if w32timeStatus(c, other) || c.Synchronized != nil {
			t.Error(c)
		}
	}
	if on := w32timeWanted("manual", key("Parameters", "Type", "NTP")); on != nil {
		t.Error("it is not known when Windows starts it")
	}
	if on := w32timeWanted("automatic", key("Parameters", "Type", "NoSync")); on == nil || *on {
		t.Error("it is told to ask nobody")
	}
	if on := w32timeWanted("automatic", key("Parameters", "Type", "NT5DS")); on == nil || !*on {
		t.Error("it is wanted")
	}
}

func composedProcesses() winBuffer {
	c := compose(2 * processRowSize)
	put := func(at int, v uint64) { binary.LittleEndian.PutUint64(c.fixed[at:], v) }
	c.u32(0, processRowSize)
	put(processID, 0) // the idle process
	at := processRowSize
	put(at+processID, 1234)
	put(at+processCreated, 134175570720000000)
	put(at+processUser, 2e7)
	put(at+processKernel, 1e7)
	put(at+processMemory, 5<<20)
	c.u16(at+processName, uint16(2*len("tool.exe")))
	c.text(at+processName+8, "tool.exe")
	return c.block()
}

func TestProcessesOfWindows(t *testing.T) {
	created := fileTime(134175570720000000)
	all := decodeProcesses(composedProcesses(), created.Add(-time.Minute))
	want := processStat{pid: 1234, name: "tool.exe", cpu: 300, started: 6000, resident: 5 << 20}
	if len(all) != 1 || all[1234] != want {
		t.Errorf("%+v", all)
	}
	c := windowsCPU(systemTimes{100, 200, 100}, systemTimes{150, 260, 140}, 8, time.Second)
	if c.GetBusyPercent() != 50 || c.GetThreads() != 8 || c.IowaitPercent != nil {
		t.Error(c)
	}
	if c := windowsCPU(systemTimes{}, systemTimes{}, 8, time.Second); c.BusyPercent != nil {
		t.Error(c)
	}
}

func composedAccount(flags, age, expired uint32) winBuffer {
	c := compose(userInfoSize)
	c.u32(userInfoFlags, flags)
	c.u32(userInfoAge, age)
	c.u32(userInfoExpired, expired)
	return c.block()
}

func TestAccountsOfWindows(t *testing.T) {
	now := time.Date(2026, 3, 9, 10, 0, 0, 0, time.UTC)
	a := &constatv1.Account{}
	localAccount(a, composedAccount(userLockout, 3600, 0), 7200, now)
	if !a.GetLocked() || a.GetPasswordExpired() || a.GetPasswordExpiresAt().AsTime() != now.Add(time.Hour) {
		t.Error(a)
	}
	a = &constatv1.Account{}
	localAccount(a, composedAccount(userPasswordStays, 9999, 0), 7200, now)
	if a.Locked == nil || a.GetLocked() || a.GetPasswordExpired() || a.PasswordExpiresAt != nil {
		t.Error(a)
	}
	a = &constatv1.Account{}
	if localAccount(a, composedAccount(0, 9999, 0), 7200, now); !a.GetPasswordExpired() {
		t.Error(a)
	}
	a = &constatv1.Account{}
	if localAccount(a, composedAccount(0, 9999, 0), foreverAge, now); a.GetPasswordExpired() || a.PasswordExpiresAt != nil {
		t.Error(a)
	}
	if on := temporaryProfile(key("S-1-5-21-1", "State", 0x900)); on == nil || !*on {
		t.Error("a temporary profile")
	}
	if temporaryProfile(key("S-1-5-21-1")) != nil {
		t.Error("it is not told")
	}
	d := &constatv1.Directory{}
	if trust(d, 0, `\\DC1.example`); !d.GetTrustOk() || d.GetState() != "online" || d.GetServer() != "DC1.example" {
		t.Error(d)
	}
	d = &constatv1.Directory{}
	if trust(d, 1787, ""); d.TrustOk == nil || d.GetTrustOk() || d.State != nil {
		t.Error(d)
	}
	d = &constatv1.Directory{}
	if trust(d, trustNoServers, ""); d.TrustOk != nil || d.GetState() != "offline" {
		t.Error(d)
	}
}

func composedProduct() *constatv1.SecurityProduct {
	return securityProduct(key("{1}", "DISPLAYNAME", "Maker Antivirus", "STATE", 0x41010), "antivirus")
}

func TestSecurityOfWindows(t *testing.T) {
	ca := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Company Root", Organization: []string{"Company"}}, NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificate(rand.Reader, ca, ca, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	property := func(id uint32, content []byte) []byte {
		raw := binary.LittleEndian.AppendUint32(nil, id)
		raw = binary.LittleEndian.AppendUint32(raw, 1)
		raw = binary.LittleEndian.AppendUint32(raw, uint32(len(content)))
		return append(raw, content...)
	}
	blob := slices.Concat(property(3, []byte("hash")), property(32, der))
	if got := certificateOf(blob); !slices.Equal(got, der) || addedRoot(got) != "Company Root" {
		t.Errorf("%d bytes", len(got))
	}
	for n := range len(blob) {
		certificateOf(blob[:n])
	}
	p := composedProduct()
	if !p.GetEnabled() || p.UpToDate == nil || p.GetUpToDate() {
		t.Error(p)
	}
	if p := securityProduct(key("{1}", "DISPLAYNAME", "Maker Antivirus", "STATE", 0x60000), "antivirus"); p.Enabled == nil || p.GetEnabled() || !p.GetUpToDate() {
		t.Error(p)
	}
	if p := securityProduct(key("{1}", "DISPLAYNAME", "Maker"), "firewall"); p.Enabled != nil || p.UpToDate != nil {
		t.Error(p)
	}
	applied := binary.LittleEndian.AppendUint64(nil, 134175570720000000)
	d := defender(true, key("Real-Time Protection"), key("Signature Updates", "AVSignatureApplied", applied), fileTime(134175570720000000).Add(8*24*time.Hour))
	if !d.GetEnabled() || d.UpToDate == nil || d.GetUpToDate() {
		t.Error(d)
	}
	if d := defender(true, key("x", "DisableRealtimeMonitoring", 1), key("y"), time.Now()); d.GetEnabled() || d.UpToDate != nil {
		t.Error(d)
	}
}

// composedScreen is the answer about a screen at the only DisplayPort of an adapter.
func composedScreen() []byte {
	raw := displayTarget{adapter: 0x1234, id: 256}.nameQuestion()
	binary.LittleEndian.PutUint32(raw[nameTechnology:], 10)
	copy(raw[namePath:], inUTF16(`\\?\DISPLAY#DELA0EC#5&1A2B&0&UID256#{e6f07b5f-ee97-4a90-b076-33f57bf4eaa7}`))
	return raw
}

func TestScreensOfWindows(t *testing.T) {
	path := make([]byte, 2*displayPathSize+7)
	binary.LittleEndian.PutUint64(path[displayPathSize+displayAdapter:], 0x1234)
	binary.LittleEndian.PutUint32(path[displayPathSize+displayID:], 256)
	if targets := displayTargets(winBuffer{data: path}, 2); len(targets) != 2 || targets[1] != (displayTarget{0x1234, 256}) {
		t.Error(targets)
	}
	if instance, connector := displayTargetName(winBuffer{data: composedScreen()}); instance != `DISPLAY\DELA0EC\5&1A2B&0&UID256` || connector != "DP-1" {
		t.Error(instance, connector)
	}
	second := composedScreen()
	binary.LittleEndian.PutUint32(second[nameTechnology:], 5)
	binary.LittleEndian.PutUint32(second[nameConnector:], 2)
	if _, connector := displayTargetName(winBuffer{data: second}); connector != "HDMI-A-2" {
		t.Error(connector)
	}
	if instance, connector := displayTargetName(winBuffer{data: second[:100]}); instance+connector != "" {
		t.Error(instance, connector)
	}
}

// composedMouse is a mouse of Bluetooth LE, and the node by which a headset tells of
// its battery.
func composedMouse() []plugDevice {
	const started = 0x0180200a
	return []plugDevice{
		{instance: `BTHLE\DEV_C8D083A1B2C3\8&1&0&C8D083A1B2C3`, class: "Bluetooth", friendly: "MX Anywhere 3", status: started, battery: set(int32(80))},
		{instance: `HID\{00001812-0000-1000-8000-00805F9B34FB}_DEV_VID&02046D_PID&B025_C8D083A1B2C3\9&2&0&0000`, parent: `BTHLE\DEV_C8D083A1B2C3\8&1&0&C8D083A1B2C3`, class: "Mouse", status: started},
		{instance: `BTHENUM\{0000111E-0000-1000-8000-00805F9B34FB}_LOCALMFG&0000\7&1&0&00A1B2C3D4E5_C00000000`, class: "System", status: started, battery: set(int32(40))},
		{instance: `BTHLE\DEV_AABBCCDDEEFF\8&1&0&AABBCCDDEEFF`, class: "Bluetooth", friendly: "Ann's phone", status: started, battery: set(int32(255))},
	}
}

func composedHeadset() *bluetoothInfo {
	i := &bluetoothInfo{address: 0x00a1b2c3d4e5, class: 0x240404, connected: 1, authenticated: 1}
	copy(i.name[:], utf16.Encode([]rune("Jabra Evolve2 65")))
	return i
}

func TestBluetoothOfWindows(t *testing.T) {
	tree := newPlugTree(composedMouse())
	mice := tree.peripherals()
	if len(mice) != 1 || mice[0].GetKind() != "mouse" || mice[0].GetConnection() != "bluetooth" || mice[0].GetModel() != "MX Anywhere 3" || mice[0].GetBatteryPercent() != 80 {
		t.Error(mice)
	}
	paired := tree.lowEnergy()
	if len(paired) != 2 || paired[0].GetKind() != "mouse" || paired[0].GetName() != "MX Anywhere 3" || paired[0].GetBatteryPercent() != 80 || paired[0].Connected != nil {
		t.Error(paired)
	}
	if phone := paired[1]; phone.Name != nil || phone.GetKind() != "other" || phone.BatteryPercent != nil {
		t.Error(phone)
	}
	headset := composedHeadset()
	if d := headset.device(); d.GetName() != "Jabra Evolve2 65" || d.GetKind() != "headset" || !d.GetPaired() || !d.GetConnected() {
		t.Error(d)
	}
	if percent := tree.radioBattery(headset.address); percent == nil || *percent != 40 {
		t.Error(percent)
	}
	if tree.radioBattery(0) != nil || radioAddress(`USB\VID_046D&PID_C31C\A1B2C3D4E5F6`) != 0 {
		t.Error("an address that is none")
	}
	if (&bluetoothInfo{remembered: 1}).device() != nil {
		t.Error("one that was paired once")
	}
}

func TestSoundOfWindows(t *testing.T) {
	if got := endpointKey(`{0.0.1.00000000}.{B3A5B5A4-0000-0000-0000-000000000001}`); got != `{b3a5b5a4-0000-0000-0000-000000000001}` {
		t.Error(got)
	}
	for level, want := range map[float32]int32{0: 0, 0.335: 34, 1: 100} {
		if got := volumePercent(level); got == nil || *got != want {
			t.Errorf("%v: %v", level, got)
		}
	}
	if volumePercent(-0.1) != nil || volumePercent(1.1) != nil || volumePercent(float32(math.NaN())) != nil {
		t.Error("a volume that is none")
	}
	e := &constatv1.AudioEndpoint{}
	endpointState{muted: set(true)}.addTo(e)
	if e.DefaultEndpoint == nil || e.GetDefaultEndpoint() || !e.GetMuted() || e.VolumePercent != nil {
		t.Error(e)
	}
}

func composedHeat() []acpiZone {
	return []acpiZone{{`ACPI\ThermalZone\TZ00_0`, set(uint32(3182)), set(uint32(3632)), set(uint32(3782))}, {`ACPI\ThermalZone\TZ00_0`, set(uint32(0)), nil, nil}}
}

func TestHeatAndEncryptionOfWindows(t *testing.T) {
	zones := heatOf(composedHeat())
	if len(zones) != 2 || zones[0].GetName() == zones[1].GetName() || math.Abs(zones[0].GetCelsius()-45.05) > 0.1 || zones[1].Celsius != nil || zones[0].PassiveCelsius == nil || zones[0].CriticalCelsius == nil {
		t.Error(zones)
	}
	kinds := encryptionOf([]bitLockerVolume{{set("C:"), set(uint32(1))}, {set("D:"), set(uint32(0))}, {nil, set(uint32(1))}, {set("E:"), nil}})
	if len(kinds) != 2 || kinds["C:"] != "bitlocker" || kinds["D:"] != "none" {
		t.Error(kinds)
	}
	m := &constatv1.Mount{}
	addExtents(m, words(1, 0, 2))
	addDirty(m, words(0))
	if m.GetDevice() != "PhysicalDrive2" || m.ErrorCount == nil || m.GetErrorCount() != 0 {
		t.Error(m)
	}
	b := &constatv1.Battery{}
	addBatteryTexts(b, inUTF16("DELL G8VCF6C\x00"), nil, inUTF16(" 4711 \x00"))
	if b.GetModel() != "DELL G8VCF6C" || b.Manufacturer != nil || b.GetSerial() != "4711" {
		t.Error(b)
	}
	if tpm, err := tpmOf(0x8028400f, 0); err != nil || tpm.Present == nil || tpm.GetPresent() {
		t.Error(tpm, err)
	}
	if _, err := tpmOf(0x80284005, 0); err == nil {
		t.Error("an error of the base services is none")
	}
	if tpm, err := tpmOf(0, 3); err != nil || !tpm.GetPresent() || tpm.Version != nil {
		t.Error(tpm, err)
	}
	if c := (powerStatus{line: 0, flags: 1}).chargers(); len(c) != 1 || c[0].Online == nil || c[0].GetOnline() {
		t.Error(c)
	}
	if (powerStatus{line: 1, flags: 128}).chargers() != nil || (powerStatus{line: 255, flags: 1}).chargers() != nil {
		t.Error("a charger of a machine without a battery, or that nobody knows of")
	}
}
