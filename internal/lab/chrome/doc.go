// Package chrome is a real browser for tests: Chromium without a window, which
// is told what to do over the DevTools protocol on a pipe: no driver, no Node,
// no port.
package chrome
