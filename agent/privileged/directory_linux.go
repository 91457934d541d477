package privileged

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/godbus/dbus/v5"
)

// infoPipe is the service of SSSD on the system bus. Unless sssd.conf names
// others, it answers to root only.
const infoPipe = "org.freedesktop.sssd.infopipe"

// Limits of what is asked of SSSD.
const (
	infoPipeTime = time.Second
	maxDomains   = 8
)

// activeServers are the names of SSSD's services that a domain's server is asked
// for, the first that answers.
var activeServers = []string{"AD", "IPA", "LDAP", "KERBEROS"}

// domainWord is a domain's, provider's or server's name.
var domainWord = form(`^[A-Za-z0-9._:\[\]/-]{1,255}$`)

// askDirectory returns what SSSD says of its domains, one a line: name, provider,
// whether it is online (true, false, or empty where it did not say) and the
// server in use, with tabs between them. SSSD's service is asked where it runs,
// and not started.
func askDirectory(ctx context.Context, argument string) ([]byte, error) {
	if argument != "" {
		return nil, errors.New("directory takes no argument")
	}
	ctx, cancel := context.WithTimeout(ctx, infoPipeTime)
	defer cancel()
	conn, err := dbus.ConnectSystemBus(dbus.WithContext(ctx))
	if err != nil {
		return nil, fmt.Errorf("the system bus does not answer: %w", err)
	}
	defer conn.Close()
	var paths []dbus.ObjectPath
	root := conn.Object(infoPipe, "/org/freedesktop/sssd/infopipe")
	if err := root.CallWithContext(ctx, infoPipe+".ListDomains", dbus.FlagNoAutoStart).Store(&paths); err != nil {
		var answer dbus.Error
		if errors.As(err, &answer) && (strings.HasSuffix(answer.Name, ".ServiceUnknown") || strings.HasSuffix(answer.Name, ".NameHasNoOwner")) {
			return nil, fmt.Errorf("SSSD's service on the bus does not run: %w", fs.ErrNotExist)
		}
		return nil, fmt.Errorf("SSSD: %w", err)
	}
	var lines []byte
	for _, path := range paths[:min(len(paths), maxDomains)] {
		domain := conn.Object(infoPipe, path)
		values := map[string]dbus.Variant{}
		if err := domain.CallWithContext(ctx, "org.freedesktop.DBus.Properties.GetAll", dbus.FlagNoAutoStart, infoPipe+".Domains").Store(&values); err != nil {
			return nil, fmt.Errorf("SSSD: %w", err)
		}
		if below, ok := values["subdomain"].Value().(bool); ok && below {
			continue // this machine is a member of the one above
		}
		name, _ := values["name"].Value().(string)
		provider, _ := values["provider"].Value().(string)
		if !domainWord().MatchString(name) || provider != "" && !domainWord().MatchString(provider) {
			continue
		}
		online, server := "", ""
		var answer bool
		if err := domain.CallWithContext(ctx, infoPipe+".Domains.Domain.IsOnline", dbus.FlagNoAutoStart).Store(&answer); err == nil {
			online = strconv.FormatBool(answer)
		}
		for _, service := range activeServers {
			var text string
			err := domain.CallWithContext(ctx, infoPipe+".Domains.Domain.ActiveServer", dbus.FlagNoAutoStart, service).Store(&text)
			if err == nil && domainWord().MatchString(text) {
				server = text
				break
			}
		}
		lines = fmt.Appendf(lines, "%s\t%s\t%s\t%s\n", name, provider, online, server)
	}
	return lines, nil
}

// maxRefusalLog is how much of the end of SSSD's log is read, in bytes.
const maxRefusalLog = 256 << 10

// refusalLine is how SSSD's Kerberos child logs that it got no ticket, at the
// level it logs at unless told otherwise: time, and libkrb5's error code. The
// text behind the code may name a principal, and is not taken.
var refusalLine = form(`^\((\d{4}-\d\d-\d\d [ \d]\d:\d\d:\d\d(?:\.\d+)?)\): \[krb5_child\[\d+\]\] \[get_and_save_tgt\] \(0x0020\): (?:\[RID#\d+\] )?\d+: \[(-\d{1,10})\]\[`)

// kerberosRefusals returns when Kerberos refused a sign-in, and the code, one a
// line, oldest first. Who it was leaves this function no more than anything
// else of the log.
func kerberosRefusals(_ context.Context, argument string) ([]byte, error) {
	if argument != "" {
		return nil, errors.New("kerberos-refusals takes no argument")
	}
	return refusalsIn("/var/log/sssd/krb5_child.log")
}

func refusalsIn(name string) ([]byte, error) {
	f, info, err := openPlain(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	content, err := io.ReadAll(io.NewSectionReader(f, max(0, info.Size()-maxRefusalLog), maxRefusalLog))
	if err != nil {
		return nil, err
	}
	var lines []byte
	for line := range bytes.Lines(content) {
		if m := refusalLine().FindSubmatch(line); m != nil {
			at, _, _ := strings.Cut(string(m[1]), ".")
			lines = fmt.Appendf(lines, "%s %s\n", strings.Replace(at, "  ", " 0", 1), m[2])
		}
	}
	return lines, nil
}

// openPlain opens a file where others may put something else: no links, and no
// pipes that nobody feeds.
func openPlain(name string) (*os.File, fs.FileInfo, error) {
	f, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is no plain file", name)
	}
	if err != nil {
		f.Close()
		return nil, nil, err
	}
	return f, info, nil
}
