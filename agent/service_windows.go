package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unsafe"

	"github.com/kardianos/service"
	"github.com/spf13/cobra"
	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/svc"
	"golang.org/x/sys/windows/svc/eventlog"
	"golang.org/x/sys/windows/svc/mgr"

	"constat/agent/local"
	"constat/agent/privileged"
)

// stopTime is how long the agent may take to end; the service manager and a
// shutdown of Windows wait a little longer.
const stopTime = 15 * time.Second

// prepareService makes ready what the service manager does not, and has a
// service stopped before it is removed: Windows keeps one that runs.
func prepareService(o *options, action string, c *service.Config) error {
	if o.configFile != "" {
		file, err := filepath.Abs(o.configFile)
		if err != nil {
			return err
		}
		c.Arguments[len(c.Arguments)-1] = file
	}
	switch action {
	case "install":
		return secureData(local.SystemData)
	case "uninstall":
		s, err := service.New(nil, c)
		if err != nil {
			return err
		}
		if state, err := s.Status(); err == nil && state == service.StatusRunning {
			if err := s.Stop(); err != nil {
				return fmt.Errorf("stopping it: %w", err)
			}
		}
	}
	return nil
}

// finishService says what the library that installs services has no words for:
// its own SID, what follows a failure, and how long a shutdown waits for it.
func finishService(action string) error {
	if action != "install" {
		return nil
	}
	m, err := mgr.Connect()
	if err != nil {
		return err
	}
	defer m.Disconnect()
	s, err := m.OpenService(local.ServiceName)
	if err != nil {
		return err
	}
	defer s.Close()
	again := func(pause time.Duration) mgr.RecoveryAction {
		return mgr.RecoveryAction{Type: mgr.ServiceRestart, Delay: pause}
	}
	const day = 24 * 60 * 60 // seconds
	sid := uint32(windows.SERVICE_SID_TYPE_UNRESTRICTED)
	patience := uint32((stopTime + 5*time.Second).Milliseconds())
	for _, setting := range []struct {
		what string
		err  error
	}{
		{"what follows a failure", s.SetRecoveryActions([]mgr.RecoveryAction{again(time.Second), again(10 * time.Second), again(time.Minute)}, day)},
		{"that an error is a failure too", s.SetRecoveryActionsOnNonCrashFailures(true)},
		{"its own SID", windows.ChangeServiceConfig2(s.Handle, windows.SERVICE_CONFIG_SERVICE_SID_INFO, (*byte)(unsafe.Pointer(&sid)))},
		{"how long a shutdown waits", windows.ChangeServiceConfig2(s.Handle, windows.SERVICE_CONFIG_PRESHUTDOWN_INFO, (*byte)(unsafe.Pointer(&patience)))},
	} {
		if setting.err != nil {
			fmt.Fprintf(os.Stderr, "The service is installed, but %s could not be set: %v\n", setting.what, setting.err)
		}
	}
	return nil
}

// secureData makes the directory of the agent's identity the system's, the
// administrators' and the service's: in the folder for programs' data anybody
// may make one and would then own it, and everybody reads what is in it.
func secureData(dir string) error {
	if !strings.EqualFold(dir, local.SystemData) {
		return nil // its place was chosen
	}
	const modify = windows.FILE_GENERIC_READ | windows.FILE_GENERIC_WRITE | windows.FILE_GENERIC_EXECUTE | windows.DELETE
	sd, err := windows.SecurityDescriptorFromString(fmt.Sprintf("O:BAD:P(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)(A;OICI;%#x;;;%s)", uint32(modify), local.ServiceSID))
	if err != nil {
		return err
	}
	name, err := windows.UTF16PtrFromString(dir)
	if err != nil {
		return err
	}
	attributes := &windows.SecurityAttributes{SecurityDescriptor: sd}
	attributes.Length = uint32(unsafe.Sizeof(*attributes))
	err = windows.CreateDirectory(name, attributes)
	if !errors.Is(err, windows.ERROR_ALREADY_EXISTS) {
		return needsRights(dir, err)
	}
	if err := ownedByRights(dir); err != nil {
		return err
	}
	administrators, _, err := sd.Owner()
	if err != nil {
		return err
	}
	rights, _, err := sd.DACL()
	if err != nil {
		return err
	}
	const all = windows.OWNER_SECURITY_INFORMATION | windows.DACL_SECURITY_INFORMATION | windows.PROTECTED_DACL_SECURITY_INFORMATION
	return needsRights(dir, windows.SetNamedSecurityInfo(dir, windows.SE_FILE_OBJECT, all, administrators, nil, rights, nil))
}

func needsRights(dir string, err error) error {
	if err != nil {
		return fmt.Errorf("the agent's directory %s: %w (this needs an administrator's rights)", dir, err)
	}
	return nil
}

// ownedByRights refuses a directory that an ordinary user put there before us.
func ownedByRights(dir string) error {
	sd, err := windows.GetNamedSecurityInfo(dir, windows.SE_FILE_OBJECT, windows.OWNER_SECURITY_INFORMATION)
	if err != nil {
		return fmt.Errorf("whose %s is: %w", dir, err)
	}
	owner, _, err := sd.Owner()
	if err != nil {
		return err
	}
	me, err := windows.GetCurrentProcessToken().GetTokenUser()
	if err != nil {
		return err
	}
	if owner.IsWellKnown(windows.WinLocalSystemSid) || owner.IsWellKnown(windows.WinBuiltinAdministratorsSid) || owner.Equals(me.User.Sid) {
		return nil
	}
	return fmt.Errorf("%s belongs to %s, who may have put something into it: remove it first", dir, owner)
}

// executeService is the service: it holds the rights, and has a second process
// of this program do all that has to do with the network.
func executeService(cmd *cobra.Command, o *options) error {
	s, err := o.load(cmd)
	if err != nil {
		return err
	}
	log, err := eventlog.Open(local.ServiceName)
	if err != nil {
		return fmt.Errorf("the event log: %w", err)
	}
	defer log.Close()
	sweepAside()
	arguments := slices.Clone(os.Args[1:])
	arguments[slices.Index(arguments, cmd.Name())] = workName
	m := &managed{ctx: cmd.Context(), data: s.Data, arguments: arguments, log: log}
	if err := svc.Run(local.ServiceName, m); err != nil {
		return fmt.Errorf("this command is the service manager's: %w", err)
	}
	return m.err
}

// managed is the service as Windows' service manager sees it.
type managed struct {
	ctx       context.Context
	data      string
	arguments []string
	log       *eventlog.Log
	err       error
}

// Exit codes of the service's own.
const (
	notStarted = 1
	endedAlone = 2
)

// Events of power and of sessions (winuser.h) that say that a person is back.
const (
	resumedAutomatically = 0x12
	resumedByUser        = 0x07
	sessionLogon         = 0x05
	sessionUnlock        = 0x08
)

// Execute answers the service manager until it wants the service stopped.
func (m *managed) Execute(_ []string, requests <-chan svc.ChangeRequest, states chan<- svc.Status) (bool, uint32) {
	states <- svc.Status{State: svc.StartPending, WaitHint: uint32(stopTime.Milliseconds())}
	worker, err := m.start()
	if err != nil {
		m.err = err
		_ = m.log.Error(eventNumber, err.Error())
		return true, notStarted
	}
	running := svc.Status{State: svc.Running, Accepts: svc.AcceptStop | svc.AcceptPreShutdown | svc.AcceptPowerEvent | svc.AcceptSessionChange}
	states <- running
	for {
		select {
		case <-worker.Ended():
			m.err = fmt.Errorf("the agent's network half ended: %w", worker.Stop(0))
			_ = m.log.Error(eventNumber, m.err.Error())
			return true, endedAlone
		case r := <-requests:
			switch {
			case r.Cmd == svc.Interrogate:
				states <- r.CurrentStatus
			case r.Cmd == svc.Stop, r.Cmd == svc.PreShutdown:
				states <- svc.Status{State: svc.StopPending, WaitHint: uint32((stopTime + time.Second).Milliseconds())}
				if err := worker.Stop(stopTime); err != nil {
					_ = m.log.Warning(eventNumber, "the agent's network half ended: "+err.Error())
				}
				return false, 0
			case back(r):
				_ = worker.Tell(wakeWord) // where it is gone the next turn says so
			}
		}
	}
}

// back tells whether a person may be at the computer again after a while.
func back(r svc.ChangeRequest) bool {
	switch r.Cmd {
	case svc.PowerEvent:
		return r.EventType == resumedAutomatically || r.EventType == resumedByUser
	case svc.SessionChange:
		return r.EventType == sessionLogon || r.EventType == sessionUnlock
	}
	return false
}

func (m *managed) start() (*privileged.Worker, error) {
	if err := secureData(m.data); err != nil {
		return nil, err
	}
	temp := filepath.Join(m.data, "temp")
	if err := os.MkdirAll(temp, 0o700); err != nil {
		return nil, err
	}
	return privileged.StartWorker(m.ctx, local.ServiceSID, temp, &events{log: m.log}, m.arguments...)
}

// workName is the command that the service starts for the network half, and
// wakeWord what it tells it when the computer is used again.
const (
	workName = "work"
	wakeWord = "woken"
)

// innerCommands are what the service runs of this program besides.
func innerCommands(o *options) []*cobra.Command {
	return []*cobra.Command{{
		Use:    workName,
		Short:  "What the service has another process do",
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := o.load(cmd)
			if err != nil {
				return err
			}
			ctx, cancel := context.WithCancel(cmd.Context())
			defer cancel()
			s.woken = make(chan struct{}, 1)
			go func() {
				defer cancel() // the service wants it to end, or has itself
				for words := bufio.NewScanner(os.Stdin); words.Scan(); {
					if words.Text() == wakeWord {
						select {
						case s.woken <- struct{}{}:
						default:
						}
					}
				}
			}()
			// The event log, where it ends up, has times of its own.
			untimed := func(_ []string, a slog.Attr) slog.Attr {
				if a.Key == slog.TimeKey {
					return slog.Attr{}
				}
				return a
			}
			log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{ReplaceAttr: untimed}))
			return runService(ctx, s, log)
		},
	}}
}

// eventNumber is that of all events of ours: the text is theirs.
const eventNumber = 1

// maxEvent is what an event may hold (ReportEventW), less than that in bytes.
const maxEvent = 16 << 10

// events brings the lines of a log into the event log.
type events struct {
	log  *eventlog.Log
	rest []byte
}

func (e *events) Write(text []byte) (int, error) {
	e.rest = append(e.rest, text...)
	for {
		line, rest, whole := bytes.Cut(e.rest, []byte("\n"))
		if !whole && len(line) <= maxEvent {
			return len(text), nil
		}
		e.rest = append([]byte(nil), rest...)
		e.report(strings.TrimSpace(string(line[:min(len(line), maxEvent)])))
	}
}

func (e *events) report(line string) {
	switch {
	case line == "":
	case strings.HasPrefix(line, "level=INFO"):
		_ = e.log.Info(eventNumber, line)
	case strings.HasPrefix(line, "level=WARN"):
		_ = e.log.Warning(eventNumber, line)
	default:
		_ = e.log.Error(eventNumber, line)
	}
}
