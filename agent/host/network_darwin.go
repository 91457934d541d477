package host

// On macOS resolv.conf mirrors the first resolver of scutil.
const (
	resolvConfFile = "/etc/resolv.conf"
	hostsFile      = "/etc/hosts"
)
