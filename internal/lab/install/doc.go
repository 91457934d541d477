// Package install proves the packages for Linux and the container: what
// docs/INSTALL.md has people do, on fresh computers with a real systemd.
package install
