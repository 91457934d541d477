//go:build linux || darwin

package privileged

// environment is all that a program is told of its surroundings.
var environment = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C", "DEBIAN_FRONTEND=noninteractive"}
