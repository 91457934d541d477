package privileged

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"
)

// linkVariable tells the network half which of its handles leads to the rights.
const linkVariable = "CONSTAT_PRIVILEGED"

// Split finds the link to the half with the rights in the process that
// [StartWorker] started. Elsewhere nothing is cut: who starts the program by hand
// has their own rights, and it does with them what it can.
func Split(_ context.Context, dir string, _ Need) (*Client, string, error) {
	number := os.Getenv(linkVariable)
	if number == "" {
		return &Client{whole: true}, dir, nil
	}
	if err := os.Unsetenv(linkVariable); err != nil { // it is nothing to its children
		return nil, "", err
	}
	handle, err := strconv.ParseUint(number, 10, 64)
	if err != nil {
		return nil, "", fmt.Errorf("%s: %w", linkVariable, err)
	}
	if err := windows.SetHandleInformation(windows.Handle(handle), windows.HANDLE_FLAG_INHERIT, 0); err != nil {
		return nil, "", fmt.Errorf("the link to the privileged half: %w", err)
	}
	client := &Client{}
	client.use(link{os.NewFile(uintptr(handle), "privileged")})
	return client, dir, nil
}

// Main says that nobody starts the privileged half by itself: it is the service.
func Main(context.Context) error {
	return errors.New("on Windows the privileged half is the service itself")
}

// link is a connected pair's end.
type link struct{ *os.File }

func (link) LocalAddr() net.Addr  { return linkAddr{} }
func (link) RemoteAddr() net.Addr { return linkAddr{} }

type linkAddr struct{}

func (linkAddr) Network() string { return "pipe" }
func (linkAddr) String() string  { return "privileged" }

// Worker is the network half of the service.
type Worker struct {
	process *exec.Cmd
	words   io.WriteCloser
	job     windows.Handle
	served  sync.WaitGroup
	ended   chan struct{}
	err     error // once it ended
}

// StartWorker starts this program again with arguments, as the half that talks
// to the network, and answers its verbs. That half may read what the service may
// read; it can write only what is given to everybody or to sid, it has no
// privileges, and it ends with the service. What it logs goes to log; temp is a
// directory for its temporary files.
func StartWorker(ctx context.Context, sid, temp string, log io.Writer, arguments ...string) (*Worker, error) {
	token, err := restricted(sid)
	if err != nil {
		return nil, fmt.Errorf("the network half's rights: %w", err)
	}
	defer token.Close()
	ours, theirs, err := connected()
	if err != nil {
		return nil, fmt.Errorf("the link to the network half: %w", err)
	}
	defer windows.CloseHandle(theirs)
	self, err := os.Executable()
	if err != nil {
		ours.Close()
		return nil, err
	}
	w := &Worker{process: exec.Command(self, arguments...), ended: make(chan struct{})}
	w.process.Env = append(os.Environ(), linkVariable+"="+strconv.FormatUint(uint64(theirs), 10), "TEMP="+temp, "TMP="+temp)
	w.process.Stdout, w.process.Stderr = log, log
	w.process.SysProcAttr = &syscall.SysProcAttr{
		Token:                      syscall.Token(token),
		AdditionalInheritedHandles: []syscall.Handle{syscall.Handle(theirs)},
		HideWindow:                 true,
	}
	if w.words, err = w.process.StdinPipe(); err == nil {
		w.job, err = job()
	}
	if err != nil {
		ours.Close()
		return nil, err
	}
	if err := openStation(sid); err != nil {
		fmt.Fprintf(log, "level=WARN msg=\"the network half may not be able to use the service's desktop\" error=%q\n", err)
	}
	if err = w.process.Start(); err == nil {
		var joined error
		err = w.process.Process.WithHandle(func(process uintptr) {
			joined = windows.AssignProcessToJobObject(w.job, windows.Handle(process))
		})
		if err = errors.Join(err, joined); err != nil {
			_ = w.process.Process.Kill()
			_ = w.process.Wait()
		}
	}
	if err != nil {
		ours.Close()
		_ = windows.CloseHandle(w.job)
		return nil, fmt.Errorf("starting the network half: %w", err)
	}
	w.served.Go(func() { _ = Serve(ctx, ours, 0) })
	go func() {
		w.err = w.process.Wait()
		ours.Close()
		w.served.Wait()
		close(w.ended)
	}()
	return w, nil
}

// Tell gives it a line on its standard input.
func (w *Worker) Tell(word string) error {
	_, err := io.WriteString(w.words, word+"\n")
	return err
}

// Ended is closed when it is no more.
func (w *Worker) Ended() <-chan struct{} { return w.ended }

// Stop asks it to end, by closing its standard input, and ends it and what it
// started when the patience is over. The error is how it ended.
func (w *Worker) Stop(patience time.Duration) error {
	w.words.Close()
	select {
	case <-w.ended:
	case <-time.After(patience):
		_ = windows.TerminateJobObject(w.job, 1)
	}
	_ = windows.CloseHandle(w.job)
	<-w.ended
	return w.err
}

// connected makes a pair of pipe ends, as socketpair(2) does: nobody
// else can open it, since it has one instance and that is taken.
func connected() (ours net.Conn, theirs windows.Handle, err error) {
	name, err := windows.UTF16PtrFromString(`\\.\pipe\constat-agent-privileged-` + rand.Text())
	if err != nil {
		return nil, 0, err
	}
	sd, err := windows.SecurityDescriptorFromString("D:P(A;;GA;;;OW)(A;;GA;;;SY)")
	if err != nil {
		return nil, 0, err
	}
	attributes := &windows.SecurityAttributes{SecurityDescriptor: sd}
	attributes.Length = uint32(unsafe.Sizeof(*attributes))
	first, err := windows.CreateNamedPipe(name,
		windows.PIPE_ACCESS_DUPLEX|windows.FILE_FLAG_OVERLAPPED|windows.FILE_FLAG_FIRST_PIPE_INSTANCE,
		windows.PIPE_TYPE_BYTE|windows.PIPE_READMODE_BYTE|windows.PIPE_WAIT|windows.PIPE_REJECT_REMOTE_CLIENTS,
		1, maxRequest, 64<<10, 0, attributes)
	if err != nil {
		return nil, 0, err
	}
	theirs, err = windows.CreateFile(name, windows.GENERIC_READ|windows.GENERIC_WRITE, 0, nil,
		windows.OPEN_EXISTING, windows.FILE_FLAG_OVERLAPPED|windows.SECURITY_SQOS_PRESENT|windows.SECURITY_ANONYMOUS, 0)
	if err == nil {
		err = windows.SetHandleInformation(theirs, windows.HANDLE_FLAG_INHERIT, windows.HANDLE_FLAG_INHERIT)
	}
	if err != nil {
		_ = windows.CloseHandle(first)
		return nil, 0, err
	}
	return link{os.NewFile(uintptr(first), "network")}, theirs, nil
}

// job is a job object whose processes end when its handle is closed, also by the
// end of this process.
func job() (windows.Handle, error) {
	job, err := windows.CreateJobObject(nil, nil)
	if err != nil {
		return 0, err
	}
	limits := windows.JOBOBJECT_EXTENDED_LIMIT_INFORMATION{}
	limits.BasicLimitInformation.LimitFlags = windows.JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE
	_, err = windows.SetInformationJobObject(job, windows.JobObjectExtendedLimitInformation,
		uintptr(unsafe.Pointer(&limits)), uint32(unsafe.Sizeof(limits)))
	if err != nil {
		_ = windows.CloseHandle(job)
		return 0, err
	}
	return job, nil
}

var createRestrictedToken = windows.NewLazySystemDLL("advapi32.dll").NewProc("CreateRestrictedToken")

// writeRestricted is a flag of CreateRestrictedToken (securitybaseapi.h).
const writeRestricted = 0x8

// keptPrivilege is SeChangeNotifyPrivilege, to go through directories: everybody
// has it (wdm.h).
var keptPrivilege = windows.LUID{LowPart: 23}

// everybody and writeRestrictedCode are the SIDs that a service of the type
// SERVICE_SID_TYPE_RESTRICTED writes as, beside its own.
const (
	everybody           = "S-1-1-0"
	writeRestrictedCode = "S-1-5-33"
)

// restricted is this process's token without its privileges, and with a second
// question wherever it writes: whether sid or everybody might, too. It is what
// the service manager makes for restricted services.
func restricted(sid string) (windows.Token, error) {
	var own, token windows.Token
	err := windows.OpenProcessToken(windows.CurrentProcess(),
		windows.TOKEN_DUPLICATE|windows.TOKEN_ASSIGN_PRIMARY|windows.TOKEN_QUERY|windows.TOKEN_ADJUST_DEFAULT, &own)
	if err != nil {
		return 0, err
	}
	defer own.Close()
	var sids []windows.SIDAndAttributes
	for _, text := range []string{sid, everybody, writeRestrictedCode} {
		s, err := windows.StringToSid(text)
		if err != nil {
			return 0, err
		}
		sids = append(sids, windows.SIDAndAttributes{Sid: s})
	}
	privileges, err := privilegesOf(own)
	if err != nil {
		return 0, err
	}
	privileges = slices.DeleteFunc(privileges, func(p windows.LUIDAndAttributes) bool { return p.Luid == keptPrivilege })
	ok, _, err := createRestrictedToken.Call(uintptr(own), writeRestricted, 0, 0,
		uintptr(len(privileges)), uintptr(unsafe.Pointer(unsafe.SliceData(privileges))),
		uintptr(len(sids)), uintptr(unsafe.Pointer(&sids[0])), uintptr(unsafe.Pointer(&token)))
	if ok == 0 {
		return 0, os.NewSyscallError("CreateRestrictedToken", err)
	}
	// What it makes without a word about rights has to be its own as well.
	sd, err := windows.SecurityDescriptorFromString("D:(A;;GA;;;SY)(A;;GA;;;BA)(A;;GA;;;" + sid + ")")
	if err == nil {
		var list *windows.ACL
		if list, _, err = sd.DACL(); err == nil {
			standard := struct{ list *windows.ACL }{list} // TOKEN_DEFAULT_DACL
			err = windows.SetTokenInformation(token, windows.TokenDefaultDacl, (*byte)(unsafe.Pointer(&standard)), uint32(unsafe.Sizeof(standard)))
		}
	}
	if err != nil {
		token.Close()
		return 0, fmt.Errorf("its standard rights: %w", err)
	}
	return token, nil
}

// privilegesOf are a token's privileges, enabled or not.
func privilegesOf(token windows.Token) ([]windows.LUIDAndAttributes, error) {
	var size uint32
	err := windows.GetTokenInformation(token, windows.TokenPrivileges, nil, 0, &size)
	if !errors.Is(err, windows.ERROR_INSUFFICIENT_BUFFER) {
		return nil, err
	}
	content := make([]uint64, size/8+1) // aligned for what is put there
	first := (*byte)(unsafe.Pointer(&content[0]))
	if err := windows.GetTokenInformation(token, windows.TokenPrivileges, first, uint32(8*len(content)), &size); err != nil {
		return nil, err
	}
	return slices.Clone((*windows.Tokenprivileges)(unsafe.Pointer(first)).AllPrivileges()), nil
}

var (
	user32           = windows.NewLazySystemDLL("user32.dll")
	getWindowStation = user32.NewProc("GetProcessWindowStation")
	getThreadDesktop = user32.NewProc("GetThreadDesktop")
)

// openStation lets sid use the window station and the desktop of the service,
// which nobody sees: system libraries that have to do with windows, among them
// those that list devices, do not load without.
func openStation(sid string) error {
	who, err := windows.StringToSid(sid)
	if err != nil {
		return err
	}
	station, _, err := getWindowStation.Call()
	if station == 0 {
		return os.NewSyscallError("GetProcessWindowStation", err)
	}
	desktop, _, err := getThreadDesktop.Call(uintptr(windows.GetCurrentThreadId()))
	if desktop == 0 {
		return os.NewSyscallError("GetThreadDesktop", err)
	}
	for _, object := range []uintptr{station, desktop} {
		sd, err := windows.GetSecurityInfo(windows.Handle(object), windows.SE_WINDOW_OBJECT, windows.DACL_SECURITY_INFORMATION)
		if err != nil {
			return os.NewSyscallError("GetSecurityInfo", err)
		}
		old, _, err := sd.DACL()
		if err != nil {
			return err
		}
		list, err := windows.ACLFromEntries([]windows.EXPLICIT_ACCESS{{
			AccessPermissions: windows.GENERIC_ALL, AccessMode: windows.GRANT_ACCESS,
			Trustee: windows.TRUSTEE{TrusteeForm: windows.TRUSTEE_IS_SID, TrusteeValue: windows.TrusteeValueFromSID(who)},
		}}, old)
		if err != nil {
			return err
		}
		err = windows.SetSecurityInfo(windows.Handle(object), windows.SE_WINDOW_OBJECT, windows.DACL_SECURITY_INFORMATION, nil, nil, list, nil)
		if err != nil {
			return os.NewSyscallError("SetSecurityInfo", err)
		}
	}
	return nil
}
