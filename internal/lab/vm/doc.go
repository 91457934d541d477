// Package vm boots virtual machines whose hardware a test describes: what their
// BIOS says, their battery, disks, USB devices and radios. They run Debian's
// kernel under QEMU's own processor (TCG), so no rights are needed. It is for
// tests only.
package vm
