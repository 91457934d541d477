package host

// Windows has no resolver file; the hosts file lies where it has since 1993.
const (
	resolvConfFile = ""
	hostsFile      = `C:\Windows\System32\drivers\etc\hosts`
)
