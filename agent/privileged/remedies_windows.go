package privileged

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/registry"
	"golang.org/x/sys/windows/svc"
	"golang.org/x/sys/windows/svc/mgr"
)

// verbs are remedies, by the system's interface where it has one, else by its own
// programs. They need the rights that the agent's service has. docs/remedies.md
// tells which were executed, under Wine.
var verbs = map[string]verb{
	"flush-dns":        flushNames,
	"renew-dhcp":       renewLease,
	"restart-wifi":     restartRadio,
	"restart-printing": restartPrinting,
	"resume-queue":     resumeQueue,
	"pause-queue":      pauseQueue,
	"clear-stuck-job":  cancelJob,
	"enable-device":    enableDevice,
	"disable-device":   disableDevice,
	"reset-usb":        resetDevice,
	"set-clock":        setClock,
	"repair-package":   repairPackage,
}

// environment is all that a program is told of its surroundings.
var environment = []string{`SystemRoot=C:\Windows`, `PATH=C:\Windows\System32`}

// Names as Windows gives them, without what its programs read as patterns or
// quotes. A product's code is a GUID.
var (
	linkForm     = form(`^[^\x00-\x1f"*?<>|/\\]{1,128}$`)
	queueForm    = form(`^[^\x00-\x1f",!]{1,200}$`)
	jobForm      = form(`^([^\x00-\x1f",!]{1,200}) ([0-9]{1,9}) ([^\x00-\x1f"/:;|=,+*?<> ]{1,104})$`)
	instanceForm = form(`^USB\\VID_[0-9A-Fa-f]{4}&PID_[0-9A-Fa-f]{4}(&MI_[0-9A-Fa-f]{2})?\\[A-Za-z0-9&_.-]{1,128}$`)
	productForm  = form(`^\{[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}\}$`)
)

// system is a program of the system's directory, which is asked for and not
// taken from the environment.
func system(ctx context.Context, program string, arguments ...string) error {
	dir, err := windows.GetSystemDirectory()
	if err != nil {
		return err
	}
	return execute(ctx, append([]string{filepath.Join(dir, program)}, arguments...)...)
}

func flushNames(_ context.Context, argument string) ([]byte, error) {
	if argument != "" {
		return nil, errors.New("flush-dns takes no argument")
	}
	if ok, _, err := windows.NewLazySystemDLL("dnsapi.dll").NewProc("DnsFlushResolverCache").Call(); ok == 0 {
		return nil, fmt.Errorf("DnsFlushResolverCache: %w", err)
	}
	return []byte("the cache was emptied of the DNS client"), nil
}

func renewLease(ctx context.Context, link string) ([]byte, error) {
	if !linkForm().MatchString(link) {
		return nil, errors.New("the argument must be the name of a link")
	}
	if err := system(ctx, "ipconfig.exe", "/renew", link); err != nil {
		return nil, err
	}
	return []byte("the DHCP client asked for the address of " + link + " anew"), nil
}

// restartRadio switches an adapter off and on. This process alone sees that it
// comes back: there is no watchdog of its own yet.
func restartRadio(ctx context.Context, link string) ([]byte, error) {
	if !linkForm().MatchString(link) {
		return nil, errors.New("the argument must be the name of a link")
	}
	off := system(ctx, "netsh.exe", "interface", "set", "interface", "name="+link, "admin=disabled")
	time.Sleep(2 * time.Second)
	if err := errors.Join(off, system(context.WithoutCancel(ctx), "netsh.exe", "interface", "set", "interface", "name="+link, "admin=enabled")); err != nil {
		return nil, err
	}
	return []byte(link + " was switched off for two seconds, and on again"), nil
}

func restartPrinting(ctx context.Context, argument string) ([]byte, error) {
	if argument != "" {
		return nil, errors.New("restart-printing takes no argument")
	}
	manager, err := mgr.Connect()
	if err != nil {
		return nil, err
	}
	defer func() { _ = manager.Disconnect() }()
	s, err := manager.OpenService("Spooler")
	if err != nil {
		return nil, err
	}
	defer s.Close()
	if _, err := s.Control(svc.Stop); err != nil && !errors.Is(err, windows.ERROR_SERVICE_NOT_ACTIVE) {
		return nil, err
	}
	if err := becomes(ctx, s, svc.Stopped); err != nil {
		return nil, err
	}
	if err := s.Start(); err != nil {
		return nil, err
	}
	if err := becomes(ctx, s, svc.Running); err != nil {
		return nil, err
	}
	return []byte("the print service was started anew"), nil
}

// becomes waits until a service is in a state.
func becomes(ctx context.Context, s *mgr.Service, state svc.State) error {
	for {
		now, err := s.Query()
		if err != nil || now.State == state {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the service does not get there: %w", ctx.Err())
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// Of the print spooler's interface (winspool.h).
const (
	printerAdminister = 0x4
	printerPause      = 1
	printerResume     = 2
	jobDelete         = 5
)

var winspool = windows.NewLazySystemDLL("winspool.drv")

// withQueue opens a queue.
func withQueue(queue string, rights uint32, do func(windows.Handle) error) error {
	name, err := windows.UTF16PtrFromString(queue)
	if err != nil {
		return err
	}
	var h windows.Handle
	defaults := struct {
		dataType, devMode *uint16
		access            uint32
	}{access: rights}
	if ok, _, err := winspool.NewProc("OpenPrinterW").Call(uintptr(unsafe.Pointer(name)), uintptr(unsafe.Pointer(&h)), uintptr(unsafe.Pointer(&defaults))); ok == 0 {
		return fmt.Errorf("the queue %s: %w", queue, err)
	}
	defer func() { _, _, _ = winspool.NewProc("ClosePrinter").Call(uintptr(h)) }()
	return do(h)
}

func controlQueue(queue string, control uintptr) error {
	return withQueue(queue, printerAdminister, func(h windows.Handle) error {
		if ok, _, err := winspool.NewProc("SetPrinterW").Call(uintptr(h), 0, 0, control); ok == 0 {
			return fmt.Errorf("the queue %s: %w", queue, err)
		}
		return nil
	})
}

func resumeQueue(_ context.Context, queue string) ([]byte, error) {
	if !queueForm().MatchString(queue) {
		return nil, errors.New("the argument must be the name of a queue")
	}
	if err := controlQueue(queue, printerResume); err != nil {
		return nil, err
	}
	return []byte("the queue " + queue + " was resumed"), nil
}

// pauseQueue takes that back; the argument ends in what the queue was.
func pauseQueue(_ context.Context, argument string) ([]byte, error) {
	queue := argument
	if at := strings.LastIndexByte(argument, ' '); at >= 0 {
		queue = argument[:at]
	}
	if !queueForm().MatchString(queue) {
		return nil, errors.New("the argument must be the name of a queue, and what it was")
	}
	if err := controlQueue(queue, printerPause); err != nil {
		return nil, err
	}
	return []byte("the queue " + queue + " is paused as before"), nil
}

// cancelJob takes a document out of a queue: one of the person's who consented.
func cancelJob(_ context.Context, argument string) ([]byte, error) {
	parts := jobForm().FindStringSubmatch(argument)
	if parts == nil {
		return nil, errors.New(`the argument must be "QUEUE NUMBER ACCOUNT"`)
	}
	id, err := strconv.ParseUint(parts[2], 10, 32)
	if err != nil {
		return nil, err
	}
	err = withQueue(parts[1], printerAdminister, func(h windows.Handle) error {
		// JOB_INFO_1W: the number, and the user's name behind two other pointers.
		buffer := make([]byte, 64<<10)
		var needed uint32
		if ok, _, err := winspool.NewProc("GetJobW").Call(uintptr(h), uintptr(id), 1, uintptr(unsafe.Pointer(&buffer[0])), uintptr(len(buffer)), uintptr(unsafe.Pointer(&needed))); ok == 0 {
			return fmt.Errorf("document %d: %w", id, err)
		}
		info := (*struct {
			id                     uint32
			printer, machine, user *uint16
		})(unsafe.Pointer(&buffer[0]))
		account := parts[3] // DOMAIN\NAME
		if at := strings.LastIndexByte(account, '\\'); at >= 0 {
			account = account[at+1:]
		}
		if owner := windows.UTF16PtrToString(info.user); !strings.EqualFold(owner, account) {
			return fmt.Errorf("document %d in %s is another person's: only they may remove it: %w", id, parts[1], fs.ErrPermission)
		}
		if ok, _, err := winspool.NewProc("SetJobW").Call(uintptr(h), uintptr(id), 0, 0, jobDelete); ok == 0 {
			return fmt.Errorf("document %d: %w", id, err)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return fmt.Appendf(nil, "document %d was removed from the queue %s", id, parts[1]), nil
}

// device has Windows' own program do something to a device, by its instance.
func device(ctx context.Context, instance, what, said string) ([]byte, error) {
	if !instanceForm().MatchString(instance) {
		return nil, errors.New(`the argument must be an instance, "USB\VID_046D&PID_C31C\..."`)
	}
	if err := there(instance); err != nil {
		return nil, err
	}
	if err := system(ctx, "pnputil.exe", what, instance); err != nil {
		return nil, err
	}
	return []byte("the device was " + said), nil
}

// there tells whether a device is in the tree, with problems or without.
func there(instance string) error {
	const noSuchDevice = 0xd // CR_NO_SUCH_DEVNODE
	id, err := windows.UTF16PtrFromString(instance)
	if err != nil {
		return err
	}
	var node uint32
	result, _, _ := windows.NewLazySystemDLL("cfgmgr32.dll").NewProc("CM_Locate_DevNodeW").Call(uintptr(unsafe.Pointer(&node)), uintptr(unsafe.Pointer(id)), 0)
	switch result {
	case 0:
		return nil
	case noSuchDevice:
		return fmt.Errorf("the device %s is not there: %w", instance, fs.ErrNotExist)
	}
	return fmt.Errorf("the device %s: Plug and Play answers %#x", instance, result)
}

func enableDevice(ctx context.Context, instance string) ([]byte, error) {
	return device(ctx, instance, "/enable-device", "switched on")
}

func disableDevice(ctx context.Context, instance string) ([]byte, error) {
	return device(ctx, instance, "/disable-device", "switched off again")
}

func resetDevice(ctx context.Context, instance string) ([]byte, error) {
	return device(ctx, instance, "/restart-device", "reset")
}

func setClock(ctx context.Context, argument string) ([]byte, error) {
	if argument != "" {
		return nil, errors.New("set-clock takes no argument")
	}
	before, since := time.Now().Round(0), time.Now()
	if err := system(ctx, "w32tm.exe", "/resync", "/force"); err != nil {
		return nil, err
	}
	return fmt.Appendf(nil, "the time service set the clock by %+.3f s", (time.Now().Round(0).Sub(before) - time.Since(since)).Seconds()), nil
}

// repairTime is how long a program of a package manager may work.
const repairTime = 10 * time.Minute

// repairPackage has what installed a program put it in order: Windows Installer,
// and where that has no source any more winget, which fetches one; or Office's
// click-to-run.
func repairPackage(ctx context.Context, name string) ([]byte, error) {
	product, err := productOf(name)
	if errors.Is(err, fs.ErrNotExist) && isOffice(name) {
		return repairOffice(ctx, name)
	}
	if err != nil {
		return nil, err
	}
	said, err := repairProduct(ctx, name, product)
	if errors.Is(err, windows.ERROR_INSTALL_SOURCE_ABSENT) {
		switch err2 := repairByWinget(ctx, product); {
		case err2 == nil:
			return []byte("winget repaired " + name + ", as Windows Installer could not"), nil
		case !errors.Is(err2, fs.ErrNotExist):
			return nil, errors.Join(err, err2)
		}
	}
	return said, err
}

// repairProduct puts a product's files, keys and shortcuts back, from the package
// that the system kept or its configured source: as "msiexec /fomus" does, without
// its windows and without a restart.
func repairProduct(ctx context.Context, name, product string) ([]byte, error) {
	code, err := windows.UTF16PtrFromString(product)
	if err != nil {
		return nil, err
	}
	settings, err := windows.UTF16PtrFromString("REINSTALL=ALL REINSTALLMODE=omus REBOOT=ReallySuppress")
	if err != nil {
		return nil, err
	}
	// Of msi.h: no windows, all that is installed by default, as it is installed.
	const silent, level, state = 2, 0, 5
	msi := windows.NewLazySystemDLL("msi.dll")
	done := make(chan windows.Errno, 1)
	go func() { // it can't be cut short: the installer's own service is at work
		_, _, _ = msi.NewProc("MsiSetInternalUI").Call(silent, 0)
		result, _, _ := msi.NewProc("MsiConfigureProductExW").Call(uintptr(unsafe.Pointer(code)), level, state, uintptr(unsafe.Pointer(settings)))
		done <- windows.Errno(result)
	}()
	select {
	case result := <-done:
		switch result {
		case 0:
			return []byte("Windows Installer repaired " + name), nil
		case windows.ERROR_SUCCESS_REBOOT_REQUIRED, windows.ERROR_SUCCESS_REBOOT_INITIATED:
			return []byte("Windows Installer repaired " + name + "; it is whole after the next restart"), nil
		}
		return nil, fmt.Errorf("Windows Installer could not repair %s: %w", name, result)
	case <-ctx.Done():
		return nil, fmt.Errorf("Windows Installer is still at work on %s: %w", name, ctx.Err())
	}
}

// repairByWinget has winget fetch the installer of a product and repair by it
// (learn.microsoft.com, "repair command (winget)").
func repairByWinget(ctx context.Context, product string) error {
	programs, err := windows.KnownFolderPath(windows.FOLDERID_ProgramFiles, 0)
	if err != nil {
		return err
	}
	// Its alias is a person's own; this is where the package itself is.
	found, err := filepath.Glob(filepath.Join(programs, `WindowsApps\Microsoft.DesktopAppInstaller_*_8wekyb3d8bbwe\winget.exe`))
	if err != nil || len(found) == 0 {
		return fmt.Errorf("winget is not installed: %w", fs.ErrNotExist)
	}
	slices.Sort(found)
	ctx, cancel := context.WithTimeout(ctx, repairTime)
	defer cancel()
	return execute(ctx, found[len(found)-1], "repair", "--product-code", product, "--silent",
		"--accept-source-agreements", "--accept-package-agreements", "--disable-interactivity")
}

// isOffice tells whether a program is a suite that click-to-run installed, by the
// name it shows.
func isOffice(name string) bool {
	return eachInstalled(func(_ string, k registry.Key) bool {
		shown, _, _ := k.GetStringValue("DisplayName")
		remove, _, _ := k.GetStringValue("UninstallString")
		return shown == name && strings.Contains(strings.ToLower(remove), "officeclicktorun.exe")
	})
}

// repairOffice has click-to-run repair its suite with what is on the disk, which
// takes minutes and no network ("Quick Repair"). Programs of it that are open are
// not ended. Its settings say which platform and language it is.
func repairOffice(ctx context.Context, name string) ([]byte, error) {
	k, err := registry.OpenKey(registry.LOCAL_MACHINE, `SOFTWARE\Microsoft\Office\ClickToRun\Configuration`, registry.QUERY_VALUE|registry.WOW64_64KEY)
	if err != nil {
		return nil, fmt.Errorf("the settings of Office's click-to-run: %w", err)
	}
	defer k.Close()
	platform, _, _ := k.GetStringValue("Platform")
	culture, _, _ := k.GetStringValue("ClientCulture")
	arguments, err := quickRepair(platform, culture)
	if err != nil {
		return nil, err
	}
	common, err := windows.KnownFolderPath(windows.FOLDERID_ProgramFilesCommon, 0)
	if err != nil {
		return nil, err
	}
	program := filepath.Join(common, `Microsoft Shared\ClickToRun\OfficeClickToRun.exe`)
	if _, err := os.Stat(program); err != nil {
		return nil, fmt.Errorf("Office's own repair is not there: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, repairTime)
	defer cancel()
	if err := execute(ctx, append([]string{program}, arguments...)...); err != nil {
		return nil, err
	}
	return []byte("Office repaired " + name + " with what is on the disk"), nil
}

var cultureForm = form(`^[a-z]{2,3}(-[A-Za-z]{4})?-[A-Za-z]{2}$`)

// quickRepair is what OfficeClickToRun.exe is told.
func quickRepair(platform, culture string) ([]string, error) {
	if platform != "x64" && platform != "x86" || !cultureForm().MatchString(culture) {
		return nil, fmt.Errorf("Office's settings name the platform %q and the language %q, which are none", platform, culture)
	}
	return []string{"scenario=Repair", "platform=" + platform, "culture=" + culture, "forceappshutdown=False", "RepairType=QuickRepair", "DisplayLevel=False"}, nil
}

// productOf is the code of a product that Windows Installer installed, by the name
// it shows.
func productOf(name string) (code string, err error) {
	found := eachInstalled(func(key string, k registry.Key) bool {
		shown, _, err := k.GetStringValue("DisplayName")
		by, _, _ := k.GetIntegerValue("WindowsInstaller")
		code = key
		return productForm().MatchString(key) && err == nil && shown == name && by == 1
	})
	if !found {
		return "", fmt.Errorf("%s was not installed by Windows Installer: %w", name, fs.ErrNotExist)
	}
	return code, nil
}

// eachInstalled goes through the programs that are installed for all, until one is
// it.
func eachInstalled(is func(key string, k registry.Key) bool) bool {
	const place = `SOFTWARE\Microsoft\Windows\CurrentVersion\Uninstall`
	for _, view := range []uint32{registry.WOW64_64KEY, registry.WOW64_32KEY} {
		all, err := registry.OpenKey(registry.LOCAL_MACHINE, place, registry.ENUMERATE_SUB_KEYS|view)
		if err != nil {
			continue
		}
		keys, _ := all.ReadSubKeyNames(-1)
		all.Close()
		for _, key := range keys {
			k, err := registry.OpenKey(registry.LOCAL_MACHINE, place+`\`+key, registry.QUERY_VALUE|view)
			if err != nil {
				continue
			}
			found := is(key, k)
			k.Close()
			if found {
				return true
			}
		}
	}
	return false
}
