package local

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sys/windows"
)

// SystemData is where an agent installed as a service keeps its state.
var SystemData = filepath.Join(programData(), "Constat")

// SystemConfig is the configuration file of such an agent.
var SystemConfig = filepath.Join(SystemData, "agent.yaml")

// programData is the folder for what belongs to programs and to no user.
func programData() string {
	if dir, err := windows.KnownFolderPath(windows.FOLDERID_ProgramData, 0); err == nil {
		return dir
	}
	return `C:\ProgramData`
}

// askTime is how long a client may take to send its first byte.
const askTime = 10 * time.Second

var impersonate = windows.NewLazySystemDLL("advapi32.dll").NewProc("ImpersonateNamedPipeClient")

// peerUser is the user in whose name the other end was opened. Windows tells
// once something was read from the pipe.
func peerUser(c net.Conn) (User, error) {
	p, ok := c.(*pipe)
	if !ok {
		return User{}, errors.New("not a named pipe")
	}
	if err := p.SetReadDeadline(time.Now().Add(askTime)); err != nil {
		return User{}, err
	}
	var first [1]byte
	if _, err := p.File.Read(first[:]); err != nil {
		return User{}, err
	}
	if err := p.SetReadDeadline(time.Time{}); err != nil {
		return User{}, err
	}
	p.ahead = first[:]
	raw, err := p.SyscallConn()
	if err != nil {
		return User{}, err
	}
	var token windows.Token
	var failed error
	if err := raw.Control(func(handle uintptr) { token, failed = clientToken(handle) }); err != nil {
		return User{}, err
	}
	if failed != nil {
		return User{}, failed
	}
	defer token.Close()
	return tokenUser(token)
}

// clientToken is the token of who opened a pipe. The thread has that user's name
// for as long as it takes to ask for it.
func clientToken(pipe uintptr) (token windows.Token, err error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if ok, _, err := impersonate.Call(pipe); ok == 0 {
		return 0, os.NewSyscallError("ImpersonateNamedPipeClient", err)
	}
	err = windows.OpenThreadToken(windows.CurrentThread(), windows.TOKEN_QUERY, true, &token)
	if back := windows.RevertToSelf(); back != nil {
		// Nothing may go on in another's name.
		panic(fmt.Sprintf("RevertToSelf: %v", back))
	}
	return token, os.NewSyscallError("OpenThreadToken", err)
}

// tokenUser is a token's user. Accounts of this computer go without its name.
func tokenUser(token windows.Token) (User, error) {
	u, err := token.GetTokenUser()
	if err != nil {
		return User{}, err
	}
	sid := u.User.Sid.String()
	account, domain, _, err := u.User.Sid.LookupAccount("")
	if err != nil || account == "" {
		return User{ID: sid, Name: sid}, nil
	}
	if computer, err := windows.ComputerName(); err != nil || !strings.EqualFold(domain, computer) {
		account = domain + `\` + account
	}
	return User{ID: sid, Name: account}, nil
}
