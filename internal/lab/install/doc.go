// Package install proves the packages for Linux and the container: what
// docs/INSTALL.md has people do, on machines of namespaces with a real systemd.
package install
