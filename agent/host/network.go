package host

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path"

	constatv1 "constat/proto/constat/v1"
)

// errNotRead is the gap of facts that no reader of this agent fills.
var errNotRead = fmt.Errorf("not read by this agent: %w", errors.ErrUnsupported)

func resolver(a netip.Addr, origin string) *constatv1.Resolver {
	r := &constatv1.Resolver{Address: set(a.String()), Stub: set(a.IsLoopback()), Origin: set(origin)}
	r.Link = filled(a.Zone())
	return r
}

// readHosts lists what the hosts file overrides.
func readHosts(r *reader, n *constatv1.Network, o *constatv1.Observation) {
	content, err := r.file(hostsFile)
	if errors.Is(err, os.ErrNotExist) {
		return
	}
	if err == nil {
		n.HostsOverrides, err = parseHosts(content, r.ownNames()...)
	}
	if err != nil {
		gap(o, "hosts_overrides", err)
	}
}

// ownNames are the names of this machine: the one it keeps, and the one that it
// goes by at present, which another tool or a container may have set.
func (r *reader) ownNames() []string {
	kept, _ := r.text("/etc/hostname")
	present, err := r.text("/proc/sys/kernel/hostname")
	if err != nil && r.Root == "" {
		present, _ = os.Hostname()
	}
	return []string{kept, present}
}

// readProxy tells the proxy that programs of this machine are given: by the
// agent's environment, else by /etc/environment, else by the desktop's settings.
func readProxy(r *reader) *constatv1.Proxy {
	if r.Root == "" {
		if p := proxyFrom(os.Getenv); p.GetMode() != "none" {
			return p
		}
	}
	content, err := r.file("/etc/environment")
	if err != nil {
		content = nil
	}
	values := parseEnvironment(content)
	if p := proxyFrom(func(name string) string { return values[name] }); p.GetMode() != "none" {
		return p
	}
	if p := r.desktopProxy(); p != nil {
		return p
	}
	return &constatv1.Proxy{Mode: set("none"), Source: set("environment")}
}

// desktopProxy is what the organisation, or the user that the agent runs as, set
// for the desktop: GNOME's settings in dconf's key files, KDE's in kioslaverc.
// nil when neither says anything; a user's own dconf database is not read.
func (r *reader) desktopProxy() *constatv1.Proxy {
	const dconf = "/etc/dconf/db/"
	databases, _ := r.names(dconf)
	for _, database := range databases {
		if path.Ext(database) != ".d" {
			continue
		}
		names, _ := r.names(dconf + database)
		for _, name := range names {
			if content, err := r.file(dconf + database + "/" + name); err == nil {
				if p := gnomeProxy(parseSections(content)); p != nil {
					return p
				}
			}
		}
	}
	files := []string{"/etc/xdg/kioslaverc"}
	if home := os.Getenv("HOME"); r.Root == "" && home != "" {
		files = append([]string{home + "/.config/kioslaverc"}, files...)
	}
	for _, name := range files {
		if content, err := r.file(name); err == nil {
			if p := kdeProxy(parseSections(content)); p != nil {
				return p
			}
		}
	}
	return nil
}
