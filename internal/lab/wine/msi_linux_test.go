package wine

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"debug/pe"
	"encoding/binary"
	"encoding/pem"
	"io/fs"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"constat/internal/identity"
	"constat/internal/lab"
)

// signer makes a key and a certificate that signs programs, trusted by nobody.
func signer(t *testing.T) (key, certificate string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	// The commit's time is when it is signed.
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Lab"}, NotBefore: time.Unix(0, 0), NotAfter: time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC),
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning}, IsCA: true, BasicConstraintsValid: true,
	}
	signed, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	key, certificate = filepath.Join(dir, "key.pem"), filepath.Join(dir, "certificate.pem")
	for name, block := range map[string]*pem.Block{key: {Type: "PRIVATE KEY", Bytes: der}, certificate: {Type: "CERTIFICATE", Bytes: signed}} {
		if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return key, certificate
}

// state is what is on the disk and in the registry of a Windows, without what
// the installer keeps of itself.
func (w *Windows) state() map[string]bool {
	w.t.Helper()
	have := map[string]bool{}
	top := w.Path(`C:\`)
	err := filepath.WalkDir(top, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return nil // gone meanwhile
		}
		name := strings.TrimPrefix(path, top)
		if strings.Contains(name, "/Temp") || strings.HasPrefix(name, "/lab") || strings.HasPrefix(name, "/windows/temp") || strings.HasPrefix(name, "/windows/Installer") {
			return nil
		}
		have[name] = true
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
	for _, key := range []string{`HKEY_LOCAL_MACHINE\Software`, `HKEY_LOCAL_MACHINE\System\CurrentControlSet\Services`} {
		w.Run("regedit.exe", "/E", `C:\lab.reg`, key)
		content, err := os.ReadFile(w.Path(`C:\lab.reg`))
		if err != nil {
			w.t.Fatal(err)
		}
		units := make([]uint16, len(content)/2)
		for i := range units {
			units[i] = binary.LittleEndian.Uint16(content[2*i:])
		}
		for line := range strings.Lines(string(utf16.Decode(units))) {
			// Wine's installer leaves its own books, and removes a key that became empty; its
			// sound makes its own when first asked.
			if strings.HasPrefix(line, "[") && !strings.Contains(line, `\Installer`) && !strings.Contains(line, `\CurrentVersion\Run]`) && !strings.Contains(line, `\MMDevices`) {
				have[strings.TrimSpace(line)] = true
			}
		}
	}
	return have
}

// TestMSI takes the package through a life under Wine: installed with a
// collector and a token, upgraded, refused where it is older, and removed.
func TestMSI(t *testing.T) {
	for program, from := range map[string]string{"wixl": "wixl", "msibuild": "msitools", "msiinfo": "msitools", "faketime": "faketime", "osslsigncode": "osslsigncode"} {
		_, err := exec.LookPath(program)
		lab.Need(t, program+" (Debian: "+from+")", err == nil)
	}
	w := Start(t)
	key, certificate := signer(t)
	installers, programs, dir := filepath.Join("..", "..", "..", "installers", "windows"), t.TempDir(), t.TempDir()
	build := func(version, script, out string) {
		t.Helper()
		cmd := exec.Command(filepath.Join(installers, script), out)
		cmd.Env = append(os.Environ(), "VERSION="+version, "PROGRAMS="+programs, "SIGN_KEY="+key, "SIGN_CERTIFICATE="+certificate)
		if text, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s %s: %v\n%s", script, version, err, text)
		}
	}
	build("1.0.0", "programs", programs)
	build("1.0.0", "build", dir)
	build("1.1.0", "build", dir)
	const older, newer = "constat-agent-1.0.0-x64.msi", "constat-agent-1.1.0-x64.msi"

	// What Explorer shows of the program, and whose it is.
	program, err := pe.Open(filepath.Join(programs, "windows-amd64", "constat-tray.exe"))
	if err != nil {
		t.Fatal(err)
	}
	defer program.Close()
	resources, err := program.Section(".rsrc").Data()
	if err != nil {
		t.Fatal(err)
	}
	for _, word := range []string{"FileVersion", "1.0.0.0", "Diagnoses this computer before the ticket"} {
		var wide []byte
		for _, unit := range utf16.Encode([]rune(word)) {
			wide = binary.LittleEndian.AppendUint16(wide, unit)
		}
		if !bytes.Contains(resources, wide) {
			t.Errorf("no %q in the program's resources", word)
		}
	}
	if out, err := exec.Command("osslsigncode", "verify", "-CAfile", certificate, "-in", filepath.Join(dir, newer)).CombinedOutput(); err != nil {
		t.Errorf("the signature: %v\n%s", err, out)
	}
	// The same commit, the same bytes, but for a signature that is drawn.
	key, certificate = "", ""
	var sums [2][sha256.Size]byte
	for i := range sums {
		again := t.TempDir()
		build("1.0.0", "build", again)
		content, err := os.ReadFile(filepath.Join(again, older))
		if err != nil {
			t.Fatal(err)
		}
		sums[i] = sha256.Sum256(content)
	}
	if sums[0] != sums[1] {
		t.Error("one commit gives two packages")
	}

	const most = 10 << 20
	if info, err := os.Stat(filepath.Join(dir, older)); err != nil || info.Size() >= most {
		t.Errorf("the package: %v, %v; it is to have less than %d bytes", info, err, most)
	} else {
		t.Logf("%s: %.1f MiB", older, float64(info.Size())/(1<<20))
	}
	// An older version is refused before anything changes. Where the new one is, the
	// removal of the former stands in the same transaction, to be taken back: its files,
	// then its service, then that it runs. Wine takes back less.
	sequence, err := exec.Command("msiinfo", "export", filepath.Join(dir, older), "InstallExecuteSequence").Output()
	if err != nil {
		t.Fatal(err)
	}
	last := 0
	for _, action := range []string{"LaunchConditions", "InstallInitialize", "RemoveExistingProducts", "StartAgain", "ServiceAgain", "ServiceStop", "ServiceUninstall", "Aside",
		"RemoveFiles", "InstallFiles", "Deploy", "InstallExecute", "AppSearch", "Refuse", "ServiceInstall", "ServiceStart", "InstallFinalize"} {
		at := 0
		for line := range strings.Lines(string(sequence)) {
			if column := strings.Split(strings.TrimSpace(line), "\t"); column[0] == action {
				at, _ = strconv.Atoi(column[len(column)-1])
			}
		}
		if at <= last {
			t.Errorf("%s stands at %d, after %d", action, at, last)
		}
		last = at
	}
	actions, err := exec.Command("msiinfo", "export", filepath.Join(dir, older), "CustomAction").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, action := range []string{"StartAgain", "ServiceAgain", "DeployUndo", "ServiceUndo"} {
		if !strings.Contains(string(actions), action+"\t3410\tagent.exe\t") {
			t.Errorf("%s is not for taking back:\n%s", action, actions)
		}
	}
	// Nobody's icon is ended, and no computer restarted; Wine would do neither.
	properties, err := exec.Command("msiinfo", "export", filepath.Join(dir, older), "Property").Output()
	if err != nil || !strings.Contains(string(properties), "MSIRESTARTMANAGERCONTROL\tDisable\r\n") || !strings.Contains(string(properties), "REBOOT\tReallySuppress\r\n") {
		t.Errorf("%v: the properties are\n%s", err, properties)
	}
	share := w.Share(dir)
	drawn, err := identity.NewToken([32]byte{1})
	if err != nil {
		t.Fatal(err)
	}
	w.Write(`C:\lab\token.txt`, []byte(drawn.Text()+"\r\n"))
	before := w.state()
	install := func(name string, more ...string) int {
		t.Helper()
		return w.Try("msiexec.exe", append([]string{"/i", share + `\` + name, "/qn"}, more...)...).Code
	}
	version := func() string {
		t.Helper()
		out := w.Try("reg.exe", "query", `HKLM\Software\Microsoft\Windows\CurrentVersion\Uninstall`, "/s", "/v", "DisplayVersion").Stdout
		fields := strings.Fields(out)
		if i := slices.Index(fields, "REG_SZ"); i >= 0 && i+1 < len(fields) {
			return fields[i+1]
		}
		return "none"
	}
	there := func(name string) bool {
		_, err := os.Stat(w.Path(name))
		return err == nil
	}

	// refused wants an installation to end with the agent's own words in the log.
	refused := func(words, name string, more ...string) {
		t.Helper()
		const log = `C:\lab\log.txt`
		code := install(name, append(more, "/l*", log)...)
		content, err := os.ReadFile(w.Path(log))
		if err != nil {
			t.Fatal(err)
		}
		if text := string(content); code == 0 || !strings.Contains(text, "Refuse. Return value 0.") || !strings.Contains(text, "REFUSED = Constat is not installed: "+words) {
			t.Errorf("%s: exit code %d, and the log says\n%s", words, code, text)
		}
	}

	// A token that can't be one stops the installation, and leaves nothing.
	w.Write(`C:\lab\garbage.txt`, []byte("not a token"))
	refused("ENROLTOKENFILE: this is no enrolment token", older, "COLLECTOR=127.0.0.1:7400", `ENROLTOKENFILE=C:\lab\garbage.txt`)
	refused("ENROLTOKENFILE: there is no token file", older, "COLLECTOR=127.0.0.1:7400", `ENROLTOKENFILE=C:\lab\missing.txt`)
	refused("COLLECTOR: 'somewhere' is not an address", older, "COLLECTOR=somewhere", `ENROLTOKENFILE=C:\lab\token.txt`)
	if there(agent) || there(`C:\ProgramData\Constat`) {
		t.Error("a refused installation left something")
	}
	// A configuration of a newer version.
	const config = `C:\ProgramData\Constat\agent.yaml`
	w.Write(config, []byte("shiny: true\n"))
	refused(config+":1:1: unknown field 'shiny'", older)
	if err := os.RemoveAll(w.Path(`C:\ProgramData\Constat`)); err != nil {
		t.Fatal(err)
	}
	if code := install(older, "COLLECTOR=127.0.0.1:7400", `ENROLTOKENFILE=C:\lab\token.txt`); code != 0 {
		t.Fatalf("exit code %d", code)
	}
	if !there(agent) || !there(`C:\Program Files\Constat\constat-tray.exe`) || version() != "1.0.0" {
		t.Errorf("version %s is installed", version())
	}
	if out := w.Run("reg.exe", "query", `HKLM\Software\Microsoft\Windows\CurrentVersion\Run`, "/v", "Constat"); !strings.Contains(out, `constat-tray.exe`) {
		t.Errorf("the tray does not start: %s", out)
	}
	if out := w.Run("reg.exe", "query", `HKLM\System\CurrentControlSet\Services\constat-agent`); !strings.Contains(out, "service execute") || !strings.Contains(out, "DelayedAutoStart") {
		t.Errorf("the service: %s", out)
	}
	const enrolment = `C:\ProgramData\Constat\enrolment.env`
	if content, err := os.ReadFile(w.Path(enrolment)); err != nil || string(content) != "CONSTAT_COLLECTOR=127.0.0.1:7400\nCONSTAT_TOKEN="+drawn.Text()+"\n" {
		t.Errorf("the enrolment is %q, %v", content, err)
	}

	// What Refuse shows, which Wine does not, is what the log has.
	if out, err := exec.Command("msiinfo", "export", filepath.Join(dir, older), "CustomAction").Output(); err != nil || !strings.Contains(string(out), "Refuse\t19\t\t[REFUSED]") {
		t.Errorf("%v: %s", err, out)
	}
	// An upgrade keeps the identity, and there is no way back.
	const whoAmI = `C:\ProgramData\Constat\identity.json`
	w.Write(whoAmI, []byte("me"))
	if code := install(newer); code != 0 || version() != "1.1.0" || !there(whoAmI) || !there(enrolment) {
		t.Errorf("upgrade: exit code %d, version %s", code, version())
	}
	if out := w.Run("reg.exe", "query", `HKLM\System\CurrentControlSet\Services\constat-agent`); !strings.Contains(out, "service execute") {
		t.Errorf("the service after the upgrade: %s", out)
	}
	if code := install(older); code == 0 || version() != "1.1.0" || !there(agent) {
		t.Errorf("downgrade: exit code %d, version %s", code, version())
	}

	// Removed, the data stay, unless that is not wanted.
	remove := func(more ...string) {
		t.Helper()
		if r := w.Try("msiexec.exe", append([]string{"/x", share + `\` + newer, "/qn"}, more...)...); r.Code != 0 {
			t.Errorf("uninstall: exit code %d", r.Code)
		}
	}
	remove()
	if there(agent) || !there(whoAmI) {
		t.Error("the program is left, or the identity went with it")
	}
	if code := install(newer); code != 0 || !there(whoAmI) {
		t.Errorf("again: exit code %d", code)
	}
	remove("REMOVEDATA=1")
	after := w.state()
	for name := range after {
		if !before[name] {
			t.Errorf("left behind: %s", name)
		}
	}
	for name := range before {
		if !after[name] {
			t.Errorf("taken away: %s", name)
		}
	}
}
