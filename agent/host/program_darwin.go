package host

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"strings"
	"time"
)

// Programs of the system that tell what no call tells; each is asked by its path
// and with words that are fixed, but for names of disks, links and jobs, which are
// checked.
const (
	csrutilProgram    = "/usr/bin/csrutil"
	defaultsProgram   = "/usr/bin/defaults"
	diskutilProgram   = "/usr/sbin/diskutil"
	dsclProgram       = "/usr/bin/dscl"
	dsconfigadProgram = "/usr/sbin/dsconfigad"
	fdesetupProgram   = "/usr/bin/fdesetup"
	firewallProgram   = "/usr/libexec/ApplicationFirewall/socketfilterfw"
	ifconfigProgram   = "/sbin/ifconfig"
	ioregProgram      = "/usr/sbin/ioreg"
	ipconfigProgram   = "/usr/sbin/ipconfig"
	klistProgram      = "/usr/bin/klist"
	launchctlProgram  = "/bin/launchctl"
	logProgram        = "/usr/bin/log"
	networksetup      = "/usr/sbin/networksetup"
	notifyutilProgram = "/usr/bin/notifyutil"
	odutilProgram     = "/usr/bin/odutil"
	osascriptProgram  = "/usr/bin/osascript"
	pfctlProgram      = "/sbin/pfctl"
	pmsetProgram      = "/usr/bin/pmset"
	profilerProgram   = "/usr/sbin/system_profiler"
	profilesProgram   = "/usr/bin/profiles"
	psProgram         = "/bin/ps"
	pwpolicyProgram   = "/usr/bin/pwpolicy"
	scutilProgram     = "/usr/sbin/scutil"
	securityProgram   = "/usr/bin/security"
	sfltoolProgram    = "/usr/bin/sfltool"
	spctlProgram      = "/usr/sbin/spctl"
	systemsetup       = "/usr/sbin/systemsetup"
	topProgram        = "/usr/bin/top"
	vmStatProgram     = "/usr/bin/vm_stat"
	wdutilProgram     = "/usr/bin/wdutil"
	whoProgram        = "/usr/bin/who"
)

// Limits of one program: its time, and longer ones for those that ask devices.
const (
	programLimit  = 4 * time.Second
	profilerLimit = 9 * time.Second
	macLogLimit   = 12 * time.Second // it looks through files of some hundred megabytes
)

// kernelLog asks the unified log for what macLogForms understand, at most once for
// all who ask: administrators and root are told.
func (r *reader) kernelLog(ctx context.Context) ([]kernelEvent, error) {
	r.kernel.Do(func() {
		content, err := r.run(ctx, macLogLimit, logProgram, macLogWords()...)
		r.kernel.events, r.kernel.err = parseMacLog(content), err
	})
	return r.kernel.events, r.kernel.err
}

// run asks a program of the system, and returns what it wrote. One that does not
// end in time is ended, and costs what it was asked for.
func (r *reader) run(ctx context.Context, limit time.Duration, program string, words ...string) ([]byte, error) {
	name := path.Base(program)
	if r.Root != "" {
		return nil, fmt.Errorf("%s tells of the running system only: %w", name, errors.ErrUnsupported)
	}
	q := inquiry{program: program, words: words, limit: limit, most: maxPlist}
	q.env = []string{"PATH=/usr/bin:/bin:/usr/sbin:/sbin", "LC_ALL=en_US.UTF-8", "HOME=" + os.Getenv("HOME")}
	out, err := q.answer(ctx)
	if r.Record != nil {
		r.Record(strings.Join(append([]string{name}, words...), " "), out)
	}
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		if lower := strings.ToLower(err.Error()); strings.Contains(lower, "root") || strings.Contains(lower, "admin") {
			err = fmt.Errorf("%w: %w", fs.ErrPermission, err)
		}
	}
	return out, err
}

// tree asks a program whose answer is a property list or JSON. One that has
// nothing to tell writes nothing.
func (r *reader) tree(ctx context.Context, limit time.Duration, program string, words ...string) (node, error) {
	content, err := r.run(ctx, limit, program, words...)
	if err != nil {
		return node{}, err
	}
	if len(bytes.TrimSpace(content)) == 0 {
		return node{}, nil
	}
	n, err := parseTree(content)
	if err != nil {
		return node{}, fmt.Errorf("%s: %w", path.Base(program), err)
	}
	return n, nil
}

// profile asks system_profiler for some of its reports.
func (r *reader) profile(ctx context.Context, dataTypes ...string) (node, error) {
	return r.tree(ctx, profilerLimit, profilerProgram, append([]string{"-json"}, dataTypes...)...)
}

// registryOf asks for all entries of a class in the registry, with what is below
// them.
func (r *reader) registryOf(ctx context.Context, class string) (node, error) {
	return r.tree(ctx, programLimit, ioregProgram, "-a", "-l", "-r", "-c", class)
}

// plist reads a file that is a property list.
func (r *reader) plist(name string) (node, error) {
	content, err := r.file(name)
	if err != nil {
		return node{}, err
	}
	return parseTree(content)
}
