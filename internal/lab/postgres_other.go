//go:build !linux

package lab

import "testing"

// Postgres skips the test: the server is started on Linux only.
func Postgres(t testing.TB) string {
	t.Helper()
	Need(t, "postgresql-15 on Linux", false)
	return ""
}
