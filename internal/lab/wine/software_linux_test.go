package wine

import (
	"encoding/binary"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"constat/internal/lab"
	constatv1 "constat/proto/constat/v1"
)

// registryHeader begins every .reg file.
const registryHeader = "Windows Registry Editor Version 5.00\n\n"

// binaryValue writes bytes as a .reg file has them; kind is "" for binary, "(7)"
// for a list of texts.
func binaryValue(kind string, raw []byte) string {
	var bytes []string
	for _, b := range raw {
		bytes = append(bytes, fmt.Sprintf("%02x", b))
	}
	return "hex" + kind + ":" + strings.Join(bytes, ",")
}

func inUTF16(texts ...string) []byte {
	var raw []byte
	for _, text := range texts {
		for _, unit := range append(utf16.Encode([]rune(text)), 0) {
			raw = binary.LittleEndian.AppendUint16(raw, unit)
		}
	}
	return raw
}

// disabledItem is an entry of Office's list of what it switched off.
func disabledItem(module, name string) []byte {
	first, second := inUTF16(module), inUTF16(name)
	raw := binary.LittleEndian.AppendUint32(nil, 1)
	raw = binary.LittleEndian.AppendUint32(raw, uint32(len(first)))
	raw = binary.LittleEndian.AppendUint32(raw, uint32(len(second)))
	return slices.Concat(raw, first, second)
}

// programsOf is a registry with programs in all three places, an Office of
// click-to-run with add-ins, and an update that waits for a restart.
func programsOf() string {
	const uninstall = `\Software\Microsoft\Windows\CurrentVersion\Uninstall\`
	return registryHeader + `[HKEY_LOCAL_MACHINE` + uninstall + `{11111111-2222-3333-4444-555555555555}]
"DisplayName"="Société Tool"
"DisplayVersion"="4.2.1"
"Publisher"="Société"
"InstallDate"="20260301"
"WindowsInstaller"=dword:00000001

[HKEY_LOCAL_MACHINE` + uninstall + `Part]
"DisplayName"="Part of the system"
"SystemComponent"=dword:00000001

[HKEY_LOCAL_MACHINE` + uninstall + `O365ProPlusRetail - en-us]
"DisplayName"="Microsoft 365 Apps for enterprise - en-us"
"DisplayVersion"="16.0.1"
"UninstallString"="\"C:\\Program Files\\Common Files\\Microsoft Shared\\ClickToRun\\OfficeClickToRun.exe\" scenario=install"

[HKEY_LOCAL_MACHINE\SOFTWARE\WOW6432Node\Microsoft\Windows\CurrentVersion\Uninstall\Adobe Reader]
"DisplayName"="Adobe Acrobat Reader"
"DisplayVersion"="25.001.20432"

[HKEY_CURRENT_USER` + uninstall + `Browser]
"DisplayName"="A Browser"
"DisplayVersion"="151.0"

[HKEY_LOCAL_MACHINE\SOFTWARE\Microsoft\Office\ClickToRun\Configuration]
"VersionToReport"="16.0.17328.20162"
"CDNBaseUrl"="http://officecdn.microsoft.com/pr/492350f6-3a01-4f97-b9c0-c7c6ddf67d60"

[HKEY_LOCAL_MACHINE\SOFTWARE\Microsoft\Office\ClickToRun\Updates]
"UpdateToVersion"="16.0.17425.20176"

[HKEY_LOCAL_MACHINE\SOFTWARE\Microsoft\Office\Outlook\Addins\Maker.Connect]
"FriendlyName"="Maker for Outlook"
"LoadBehavior"=dword:00000003

[HKEY_LOCAL_MACHINE\SOFTWARE\Classes\Maker.Connect\CLSID]
@="{99999999-2222-3333-4444-555555555555}"

[HKEY_LOCAL_MACHINE\SOFTWARE\Classes\CLSID\{99999999-2222-3333-4444-555555555555}\InprocServer32]
@="C:\\Program Files\\Maker\\maker.dll"

[HKEY_CURRENT_USER\Software\Microsoft\Office\Word\Addins\Other.Connect]
"LoadBehavior"=dword:00000002

[HKEY_CURRENT_USER\Software\Microsoft\Office\16.0\Outlook\Resiliency\DisabledItems]
"3F2A"=` + binaryValue("", disabledItem(`c:\program files\maker\maker.dll`, "Maker for Outlook")) + `

[HKEY_LOCAL_MACHINE\SOFTWARE\Microsoft\Windows\CurrentVersion\WindowsUpdate\Auto Update\RebootRequired]

[HKEY_LOCAL_MACHINE\SYSTEM\CurrentControlSet\Control\Session Manager]
"PendingFileRenameOperations"=` + binaryValue("(7)", inUTF16(`\??\C:\x\new.tmp`, `!\??\C:\x\driver.dll`, `\??\C:\x\gone.tmp`, "", "")) + `

[HKEY_LOCAL_MACHINE\SOFTWARE\Microsoft\Windows\CurrentVersion\Run]
"Assistant"="C:\\Program Files\\Maker\\assistant.exe"
`
}

// report is a report of Windows Error Reporting about the add-in's library.
func report() []byte { return reportAt(fileTimeNow()) }

func reportAt(fileTime int64) []byte {
	text := "Version=1\r\nEventType=APPCRASH\r\nEventTime=%d\r\nSig[0].Name=Application Name\r\nSig[0].Value=outlook.exe\r\nSig[1].Value=16.0.17328.20162\r\n" +
		"Sig[3].Value=maker.dll\r\nSig[4].Value=1.2.0.0\r\nSig[6].Value=c0000005\r\nSig[7].Value=0000000000001234\r\n"
	return append([]byte{0xff, 0xfe}, inUTF16(fmt.Sprintf(text, fileTime))...)
}

// reportAgo is one of so long ago.
func reportAgo(t *testing.T, ago string) []byte {
	t.Helper()
	past, err := time.ParseDuration(ago)
	if err != nil {
		t.Fatal(err)
	}
	return reportAt(fileTimeNow() - int64(past/100))
}

// TestSoftware: programs of the machine in both views and of a person, Office with
// its channel, add-ins and what it switched off, a crash in one of these, and a
// restart that is waited for, each as Windows would keep it.
func TestSoftware(t *testing.T) {
	w := Start(t)
	install(w)
	w.Registry(programsOf())
	w.Write(`C:\ProgramData\Microsoft\Windows\WER\ReportArchive\AppCrash_outlook.exe_1\Report.wer`, report())
	s := facts(w, "crashes", "host", "software", "updates")
	programs := map[string]*constatv1.Program{}
	for _, p := range s.GetSoftware().GetPrograms() {
		programs[p.GetName()] = p
	}
	for name, want := range map[string][3]string{
		"Société Tool":         {"msi", "4.2.1", "Société"},
		"Adobe Acrobat Reader": {"exe", "25.001.20432", ""},
		"A Browser":            {"exe", "151.0", ""},
		"Microsoft 365 Apps for enterprise - en-us": {"clickToRun", "16.0.17328.20162", ""},
	} {
		p := programs[name]
		if p.GetSource() != want[0] || p.GetVersion() != want[1] || p.GetPublisher() != want[2] {
			t.Errorf("%s: %v", name, p)
		}
	}
	if programs["Part of the system"] != nil {
		t.Error("what Windows hides is told")
	}
	if office := programs["Microsoft 365 Apps for enterprise - en-us"]; office.GetChannel() != "Current" || office.GetAvailableVersion() != "16.0.17425.20176" {
		t.Error(office)
	}
	if at := programs["Société Tool"].GetInstalledAt().AsTime(); at.Format("2006-01-02") != "2026-03-01" {
		t.Error(at)
	}
	if !slices.Contains(s.GetSoftware().GetStartupItems(), "Assistant") {
		t.Error(s.GetSoftware().GetStartupItems())
	}
	addIns := s.GetSoftware().GetAddIns()
	if len(addIns) != 2 || addIns[0].GetName() != "Maker for Outlook" || addIns[0].GetEnabled() || !addIns[0].GetDisabledByCrash() || addIns[1].GetEnabled() || addIns[1].Enabled == nil {
		t.Error(addIns)
	}
	crashes := s.GetCrashes().GetPrograms()
	if len(crashes) != 1 || crashes[0].GetProgram() != "OUTLOOK.EXE" || crashes[0].GetModule() != "maker.dll" || crashes[0].GetCode() != "0xc0000005" || crashes[0].GetAddIn() != "Maker for Outlook" {
		t.Error(crashes)
	}
	u := s.GetUpdates()
	if !u.GetRestartPending() || !slices.Equal(u.GetRestartReasons(), []string{"Windows Update", "driver.dll"}) || u.GetRestartPendingSince() == nil || u.GetLocked() {
		t.Error(u)
	}
	h := s.GetHost()
	if h.GetOsFamily() != "windows" || h.GetVirtualization() != "wine" || h.GetHostname() == "" || h.GetOsBuild() == "" || h.GetTimezone() == "" || h.GetBootTime() == nil || len(h.GetSessions()) != 1 || h.GetJoinKind() != "workgroup" {
		t.Error(h)
	}
	if r := w.Try(agent, "diagnose", "software", "--json"); !strings.Contains(r.Stdout, `"sw-addin-fault"`) || !strings.Contains(r.Stdout, `"os-pending-reboot"`) {
		t.Errorf("the diagnosis, %d: %s%s", r.Code, r.Stdout, r.Stderr)
	}
}

// TestPrinting: a queue of CUPS is one of Windows' queues, what waits in it is
// counted, and a print service that was stopped is told and diagnosed.
func TestPrinting(t *testing.T) {
	c := lab.StartCUPS(t, lab.PrintQueue{Name: "Floor2", DeviceURI: "file:///dev/null", Default: true})
	w := Start(t)
	install(w)
	w.Share(filepath.Dir(c.Address))
	w.Setenv("CUPS_SERVER", c.Address)
	w.Run("net.exe", "start", "Spooler")
	s := facts(w, "clock", "load", "printing", "security", "services", "sign_in")
	p := s.GetPrinting()
	if len(p.GetQueues()) != 1 || p.GetSpooler().GetState() != "running" || p.GetDefaultQueue() != "Floor2" {
		t.Fatal(p)
	}
	if q := p.GetQueues()[0]; q.GetName() != "Floor2" || q.GetState() != "idle" || !q.GetAcceptingJobs() || !q.GetDriverPresent() || q.Offline == nil || q.GetOffline() {
		t.Error(q)
	}
	// Wine's EnumJobs answers nothing: how many documents wait is unknown, not none.
	c.Hold(t, "Floor2", "a letter")
	again := facts(w, "printing")
	if q := again.GetPrinting().GetQueues(); len(q) != 1 || q[0].PendingJobs != nil || q[0].BrokenHop != nil || !slices.ContainsFunc(again.GetManifest().GetGroups()[0].GetObservation().GetGaps(), func(g *constatv1.Gap) bool {
		return g.GetFact() == "queues.jobs" && g.GetStatus() == "unsupported"
	}) {
		t.Error(again)
	}
	if c := s.GetLoad().GetCpu(); c.GetThreads() == 0 || c.BusyPercent == nil || len(s.GetLoad().GetProcesses()) == 0 || s.GetLoad().GetMemory().GetTotalBytes() == 0 {
		t.Error(s.GetLoad())
	}
	if accounts := s.GetSignIn().GetAccounts(); len(accounts) != 1 || accounts[0].GetKind() != "local" || accounts[0].GetUser() == "" {
		t.Error(accounts)
	}
	if c := s.GetClock(); c.GetService() != "none" || c.GetServiceState() != "absent" { // Wine has no time service
		t.Error(c)
	}
	spooler := func(s *constatv1.Snapshot) *constatv1.Service {
		for _, service := range s.GetServices().GetServices() {
			if service.GetName() == "Spooler" {
				return service
			}
		}
		return nil
	}
	if f := spooler(s); f.GetState() != "running" || f.GetProgram() != "spoolsv.exe" || f.GetStartType() == "" || f.GetDescription() == "" {
		t.Error(f)
	}
	w.Run("net.exe", "stop", "Spooler")
	stopped := facts(w, "printing", "services")
	if f := spooler(stopped); stopped.GetPrinting().GetSpooler().GetState() != "stopped" || f.GetState() != "stopped" || f.GetResult() != "success" {
		t.Error(stopped.GetPrinting(), f)
	}
	if r := w.Try(agent, "diagnose", "printing", "--json"); !strings.Contains(r.Stdout, `"fault": "printer-spooler-stopped"`) || r.Code != 1 {
		t.Errorf("the diagnosis, %d: %s%s", r.Code, r.Stdout, r.Stderr)
	}
}

// fileTimeNow is the time as Windows counts it.
func fileTimeNow() int64 { return time.Now().Unix()*1e7 + 116444736000000000 }
