package privileged

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// verbs need root on Linux. Each returns raw bytes for the other half to parse;
// a remedy returns what it did, in a sentence.
var verbs = map[string]verb{
	"dhcp":              hearOffers,
	"directory":         askDirectory,
	"failed-sign-ins":   failedSignIns,
	"filter":            readFilter,
	"hidpp":             askReceiver,
	"kerberos-refusals": kerberosRefusals,
	"kernel-log":        readKernelLog,
	"last-words":        listLastWords,
	"launch-failures":   launchFailures,
	"lldp":              hearNeighbours,
	"owners":            findOwners,
	"neighbour":         confirmNeighbour,
	"password-days":     passwordDays,
	"nvme-health":       nvmeHealth,
	"smart":             smart,
	"supplicant":        askSupplicant,
	"smbios":            readSMBIOS,
	"sound":             soundControls,
	"camera-cover":      cameraCover,
	"camera-user":       cameraUser,
	"snap-candidates":   snapCandidates,
	"ticket-end":        ticketEnd,
	"wireguard":         tunnelPeers,

	// Remedies, and what takes them back.
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

// readSMBIOS returns the entry point and the table (DSP0134 5.2), the length
// of the entry point in front as four bytes, big endian.
func readSMBIOS(context.Context, string) ([]byte, error) {
	const dir = "/sys/firmware/dmi/tables/"
	entry, err := os.ReadFile(dir + "smbios_entry_point")
	if err != nil {
		return nil, err
	}
	table, err := os.ReadFile(dir + "DMI")
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	_ = binary.Write(&b, binary.BigEndian, uint32(len(entry)))
	b.Write(entry)
	b.Write(table)
	return b.Bytes(), nil
}

// unprivileged are the accounts the agent runs as, in order of preference: the
// packages make the first one.
var unprivileged = []string{"constat", "nobody"}

// helperArgument starts this binary as the privileged half over descriptor 3.
const helperArgument = "privileged"

// startedBySplit says that it is Split who started the privileged half.
const startedBySplit = "3"

// A program's packages are made ready one after the other before its main. The
// half that Split starts needs few of them, and not the vocabulary, the rules or
// the links: it begins as soon as those it needs are there, which is more than
// half of what its start costs.
func init() {
	if len(os.Args) == 4 && os.Args[1] == helperArgument && os.Args[2] == watchdogArgument {
		if err := watch(os.Args[3], watchdogTime); err != nil {
			fmt.Fprintf(os.Stderr, "constat-agent: the watchdog of %s: %v\n", os.Args[3], err)
			os.Exit(2)
		}
		os.Exit(0)
	}
	if len(os.Args) != 3 || os.Args[1] != helperArgument || os.Args[2] != startedBySplit {
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	ended := make(chan error)
	go func() { ended <- Main(ctx) }() // this goroutine is bound to a thread until main
	err := <-ended
	stop()
	if err != nil {
		fmt.Fprintf(os.Stderr, "constat-agent: %v\n", err)
		os.Exit(2)
	}
	os.Exit(0)
}

// Split cuts the process in two where it runs as root: a child keeps the rights
// and answers verbs, and this process becomes an ordinary user for good. A
// directory that it must go on writing to (may be empty) is handed to that
// user, made the working directory, and the name to use for it from then on is
// returned: as an ordinary user its parents may be closed to it.
//
// Where the process has no root rights to give up, nothing changes and the
// client asks the helper of the service manager, if there is one. Where nothing
// will be asked, no child is started, and the client says denied. Nor is one for
// one look at a machine that has nothing to be asked about one by one: what takes
// no argument is read, and not looked into, before the rights are given up.
func Split(ctx context.Context, dir string, need Need) (*Client, string, error) {
	if os.Geteuid() != 0 {
		return &Client{dial: dialSocket}, dir, nil
	}
	account, err := findAccount()
	if err != nil {
		return nil, "", err
	}
	client := &Client{}
	switch {
	case need == Anything, need == OneLook && anySubject():
		if client, err = startHelper(ctx); err != nil {
			return nil, "", err
		}
	case need == OneLook:
		client.ahead = readAhead(ctx)
	}
	if dir != "" {
		if err := handOver(dir, account); err != nil {
			return nil, "", fmt.Errorf("handing %s over to the user %s: %w", dir, account.name, err)
		}
		if err := os.Chdir(dir); err != nil {
			return nil, "", err
		}
		dir = "."
	}
	if err := shed(account); err != nil {
		return nil, "", err
	}
	return client, dir, nil
}

// ahead are the verbs that take no argument and only read. The others that a look
// without probes asks for it asks where there is one of these files.
var (
	ahead    = []string{"smbios", "filter", "kernel-log", "last-words", "launch-failures"}
	subjects = map[string]string{
		"nvme-health":       "/sys/block/nvme*",
		"smart":             "/sys/block/sd*",
		"hidpp":             "/sys/class/hidraw/*",
		"sound":             "/dev/snd/controlC*",
		"camera-cover":      "/sys/class/video4linux/*",
		"camera-user":       "/sys/class/video4linux/*",
		"supplicant":        supplicantDir + "/*",
		"wireguard":         "/sys/module/wireguard",
		"directory":         "/run/sssd.pid",
		"kerberos-refusals": "/var/log/sssd/krb5_child.log",
		"ticket-end":        "/tmp/krb5cc_*",
		"snap-candidates":   "/run/snapd.socket",
		"failed-sign-ins":   tallies + "/*",
		"password-days":     "/run/systemd/users/*", // without logind: see anySubject
	}
)

// anySubject tells whether this machine has anything that one look asks about.
func anySubject() bool {
	for _, pattern := range subjects {
		if found, err := filepath.Glob(pattern); err != nil || len(found) > 0 {
			return true
		}
	}
	_, err := os.Stat("/run/systemd/users")
	signedIn, statErr := os.Stat("/run/utmp")
	return err != nil && statErr == nil && signedIn.Size() > 0
}

// aheadTime is how long all that is read ahead may take.
const aheadTime = 2 * time.Second

// readAhead does the verbs that take no argument, where there was seen to be
// nothing for the others.
func readAhead(ctx context.Context) map[string]answer {
	ctx, cancel := context.WithTimeout(ctx, aheadTime)
	defer cancel()
	answers := map[string]answer{}
	for verb, files := range subjects {
		answers[verb] = answer{Class: "unsupported", Reason: "there is no " + files}
	}
	for _, verb := range ahead {
		answers[verb] = do(ctx, request{Verb: verb})
	}
	return answers
}

type account struct {
	name     string
	uid, gid int
}

func findAccount() (account, error) {
	for _, name := range unprivileged {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.Atoi(u.Uid)
		gid, err2 := strconv.Atoi(u.Gid)
		if err1 == nil && err2 == nil && uid > 0 {
			return account{name, uid, gid}, nil
		}
	}
	return account{}, fmt.Errorf("running as root, and none of the accounts %v exists to give the rights up to: create one, or start as an ordinary user", unprivileged)
}

func startHelper(ctx context.Context) (*Client, error) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("starting the privileged half: %w", err)
	}
	theirs := os.NewFile(uintptr(pair[1]), "privileged")
	defer theirs.Close()
	ours := os.NewFile(uintptr(pair[0]), "privileged")
	defer ours.Close()
	conn, err := net.FileConn(ours)
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("starting the privileged half: %w", err)
	}
	cmd := exec.Command(self, helperArgument, startedBySplit)
	cmd.Args[0] = os.Args[0]
	cmd.ExtraFiles = []*os.File{theirs}
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin"}
	cmd.Stderr = os.Stderr
	// A Ctrl-C is for the half that talks to the user; this one ends when the
	// connection closes.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		conn.Close()
		return nil, fmt.Errorf("starting the privileged half: %w", err)
	}
	go func() { _ = cmd.Wait() }()
	client := &Client{}
	client.use(conn)
	return client, nil
}

// shared are directories of a system (FHS 3.0) that are nobody's to have, and
// under system those below them neither.
var (
	shared = []string{"/", "/home", "/media", "/mnt", "/opt", "/root", "/run", "/srv", "/tmp", "/var", "/var/cache", "/var/lib", "/var/log", "/var/spool", "/var/tmp"}
	system = []string{"/bin", "/boot", "/dev", "/etc", "/lib", "/lib64", "/proc", "/sbin", "/sys", "/usr"}
)

// handOver gives a directory and what is in it to an account. Links are not
// followed. The system's own directories are refused: they were named by
// mistake. So is a file with several names: who had the account's rights before
// could have linked a file of root's into it.
func handOver(dir string, a account) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	real, err := filepath.EvalSymlinks(dir)
	if err == nil {
		real, err = filepath.Abs(real)
	}
	if err != nil {
		return err
	}
	if slices.Contains(shared, real) || filepath.Dir(real) == "/home" ||
		slices.ContainsFunc(system, func(s string) bool { return real == s || strings.HasPrefix(real, s+"/") }) {
		return errors.New("it belongs to the system or a person; name a directory of the agent's own with --data")
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	return filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil || ownedBy(info, a) {
			return err
		}
		if s, ok := info.Sys().(*syscall.Stat_t); !ok || !entry.IsDir() && s.Nlink > 1 {
			return fmt.Errorf("%s has another name elsewhere: remove it", path)
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		return root.Lchown(name, a.uid, a.gid)
	})
}

func ownedBy(info fs.FileInfo, a account) bool {
	s, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(s.Uid) == a.uid && int(s.Gid) == a.gid
}

// shed gives up root for good, in every thread.
func shed(a account) error {
	if err := syscall.Setgroups(nil); err != nil {
		return fmt.Errorf("giving up groups: %w", err)
	}
	if err := syscall.Setresgid(a.gid, a.gid, a.gid); err != nil {
		return fmt.Errorf("giving up the group: %w", err)
	}
	if err := syscall.Setresuid(a.uid, a.uid, a.uid); err != nil {
		return fmt.Errorf("giving up root: %w", err)
	}
	if os.Geteuid() == 0 || syscall.Setuid(0) == nil {
		return errors.New("root could be taken back: refusing to go on")
	}
	// The kernel made the process undumpable with that, and it stays so: others
	// of the same account can't attach to it and speak to the helper as it does.
	return nil
}

func dialSocket(ctx context.Context) (net.Conn, error) {
	var d net.Dialer
	return d.DialContext(ctx, "unix", DefaultSocket)
}

// Main is the privileged half: over the inherited socket pair, or over the
// listening socket a service manager hands over (sd_listen_fds(3)), where it
// ends after a minute without work.
func Main(ctx context.Context) error {
	if os.Getenv("LISTEN_PID") == strconv.Itoa(os.Getpid()) && os.Getenv("LISTEN_FDS") == "1" {
		return listen(ctx, os.NewFile(3, "listen"), time.Minute)
	}
	f := os.NewFile(3, "socketpair")
	conn, err := net.FileConn(f)
	f.Close()
	if err != nil {
		return errors.New("this command is started by the agent itself, with a socket; it does nothing by hand")
	}
	return Serve(ctx, conn, 0)
}

func listen(ctx context.Context, f *os.File, idle time.Duration) error {
	l, err := net.FileListener(f)
	f.Close()
	if err != nil {
		return err
	}
	defer l.Close()
	unixListener, ok := l.(*net.UnixListener)
	if !ok {
		return errors.New("the service manager must hand over a UNIX socket")
	}
	defer context.AfterFunc(ctx, func() { l.Close() })()
	var busy atomic.Int32
	for {
		_ = unixListener.SetDeadline(time.Now().Add(idle))
		conn, err := l.Accept()
		if errors.Is(err, os.ErrDeadlineExceeded) && busy.Load() > 0 {
			continue
		}
		if err != nil {
			return nil
		}
		busy.Add(1)
		go func() {
			defer busy.Add(-1)
			_ = Serve(ctx, conn, idle)
		}()
	}
}
