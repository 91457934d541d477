package wine

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"constat/internal/lab"
)

// remedyRun is what `remedy run --json` prints.
type remedyRun struct {
	Outcome, Reason, Action string
}

// mend does a remedy as a person at the machine does, with their consent.
func mend(t *testing.T, w *Windows, arguments ...string) (run remedyRun, code int) {
	t.Helper()
	r := w.Try(agent, append([]string{"remedy", "run", "--yes", "--json"}, arguments...)...)
	if err := json.Unmarshal([]byte(r.Stdout), &run); err != nil {
		t.Fatalf("%v: %v\n%s%s", arguments, err, r.Stdout, r.Stderr)
	}
	return run, r.Code
}

// tool is an installation of one program with one file.
const tool = `<?xml version="1.0" encoding="utf-8"?>
<Wix xmlns="http://schemas.microsoft.com/wix/2006/wi">
  <Product Id="{0B1F9A52-6E3D-4C57-9A4B-1D2E3F405162}" Name="Lab Tool" UpgradeCode="{7C2B8E10-35A4-4D1B-8A5E-90A1B2C3D4E5}" Language="1033" Version="1.2.3" Manufacturer="Lab">
    <Package InstallerVersion="200" Compressed="yes" InstallScope="perMachine" />
    <Media Id="1" Cabinet="tool.cab" EmbedCab="yes" />
    <Directory Id="TARGETDIR" Name="SourceDir">
      <Directory Id="ProgramFilesFolder">
        <Directory Id="INSTALLDIR" Name="Lab Tool">
          <Component Id="Tool" Guid="{4E5F6071-8293-4A4B-B5C6-D7E8F9A0B1C2}">
            <File Id="ToolFile" Name="tool.txt" Source="tool.txt" KeyPath="yes" />
          </Component>
        </Directory>
      </Directory>
    </Directory>
    <Feature Id="All" Level="1"><ComponentRef Id="Tool" /></Feature>
  </Product>
</Wix>
`

// TestRemedies: a print service that was stopped is started anew, and a program
// whose file is gone is repaired by Windows Installer, each after the fault was
// seen and until it is not seen any more. What is not broken is left alone, and
// what can't be done says so.
func TestRemedies(t *testing.T) {
	t.Run("Printing", func(t *testing.T) {
		c := lab.StartCUPS(t, lab.PrintQueue{Name: "Floor2", DeviceURI: "file:///dev/null", Default: true})
		w := Start(t)
		install(w)
		w.Share(filepath.Dir(c.Address))
		w.Setenv("CUPS_SERVER", c.Address)
		// No service was installed: the place for the journal is made now.
		if run, code := mend(t, w, "restart-printing"); run.Outcome != "fixed" || code != 0 {
			t.Errorf("exit code %d: %+v", code, run)
		}
		if s := facts(w, "printing").GetPrinting(); s.GetSpooler().GetState() != "running" || len(s.GetQueues()) != 1 {
			t.Error(s)
		}
		if info, err := os.Stat(w.Path(`C:\ProgramData\Constat`)); err != nil || info.Mode().Perm()&0o007 != 0 {
			t.Errorf("others may look into the journal's directory: %v, %v", info, err)
		}
		for _, verb := range []string{"restart-printing", "resume-queue", "clear-stuck-job"} {
			if run, code := mend(t, w, verb); run.Outcome != "refused" || !strings.Contains(run.Reason, "not needed") && !strings.Contains(run.Reason, "not begun") || code != 1 {
				t.Errorf("%s, where nothing is wrong, exit code %d: %+v", verb, code, run)
			}
		}
	})
	t.Run("Program", func(t *testing.T) {
		lab.Need(t, "wixl (Debian: wixl)", lookPath("wixl"))
		dir := t.TempDir()
		for name, content := range map[string]string{"tool.wxs": tool, "tool.txt": "whole"} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		build := exec.CommandContext(t.Context(), "wixl", "-a", "x86", "-o", "tool.msi", "tool.wxs")
		build.Dir = dir
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("wixl: %v\n%s", err, out)
		}
		w := Start(t)
		install(w)
		w.Copy(filepath.Join(dir, "tool.msi"), `C:\lab\tool.msi`)
		w.Run("msiexec.exe", "/i", `C:\lab\tool.msi`, "/qn")
		const file = `C:\Program Files (x86)\Lab Tool\tool.txt`
		if run, _ := mend(t, w, "repair-package", "Lab Tool"); run.Outcome != "refused" {
			t.Errorf("a program that is whole: %+v", run)
		}
		if err := os.Remove(w.Path(file)); err != nil {
			t.Fatal(err)
		}
		if run, code := mend(t, w, "repair-package", "Lab Tool"); run.Outcome != "fixed" || code != 0 {
			t.Errorf("exit code %d: %+v", code, run)
		}
		if content, err := os.ReadFile(w.Path(file)); string(content) != "whole" {
			t.Errorf("the file holds %q: %v", content, err)
		}
	})
	t.Run("Office", func(t *testing.T) {
		w := Start(t)
		install(w)
		w.Run(agent, "service", "install")
		const suite = "Microsoft 365 Apps for enterprise - fr-fr"
		w.Registry(`Windows Registry Editor Version 5.00

[HKEY_LOCAL_MACHINE\SOFTWARE\Microsoft\Office\ClickToRun\Configuration]
"VersionToReport"="16.0.17928.20114"
"InstallationPath"="C:\\Program Files\\Microsoft Office"
"Platform"="x64"
"ClientCulture"="fr-fr"

[HKEY_LOCAL_MACHINE\SOFTWARE\Microsoft\Windows\CurrentVersion\Uninstall\O365ProPlusRetail - fr-fr]
"DisplayName"="` + suite + `"
"UninstallString"="\"C:\\Program Files\\Common Files\\Microsoft Shared\\ClickToRun\\OfficeClickToRun.exe\" scenario=install"

[HKEY_LOCAL_MACHINE\SOFTWARE\Microsoft\Windows\CurrentVersion\App Paths\Winword.exe]
@="C:\\Program Files\\Microsoft Office\\Root\\Office16\\WINWORD.EXE"
`)
		const program = `C:\Program Files\Microsoft Office\Root\Office16\WINWORD.EXE`
		w.Write(program, []byte("a program"))
		if run, _ := mend(t, w, "repair-package", suite); run.Outcome != "refused" || strings.Contains(run.Reason, "Office") {
			t.Errorf("a suite that is whole: %+v", run)
		}
		if err := os.Remove(w.Path(program)); err != nil {
			t.Fatal(err)
		}
		// Its own repair is not there either: that is said, and nothing is done.
		if run, code := mend(t, w, "repair-package", suite); run.Outcome != "refused" || code != 1 || !strings.Contains(run.Reason, "Office's own repair is not there") {
			t.Errorf("exit code %d: %+v", code, run)
		}
	})
	t.Run("Verbs", func(t *testing.T) {
		w := Start(t)
		w.Copy(testsOf(t, "constat/agent/privileged"), `C:\lab\tests.exe`)
		// "flush-dns", "resume-queue", "clear-stuck-job", "enable-device", "reset-usb"
		r := w.Try(`C:\lab\tests.exe`, "-test.v", "-test.run", "TestRemediesFailCleanly|TestFlushNames|TestQuickRepair")
		if t.Log(r.Stdout); r.Code != 0 {
			t.Error(r.Stderr)
		}
	})
}

func lookPath(program string) bool {
	_, err := exec.LookPath(program)
	return err == nil
}
