// Package visitor is a person at the page of a machine's agent, with a real browser.
// It is for tests only.
package visitor
