package wine

import (
	"strings"
	"testing"
	"time"
)

// until asks again and again whether a condition has come true.
func until(t *testing.T, what string, true func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !true(); {
		if time.Now().After(end) {
			t.Fatalf("a minute later still not: %s", what)
		}
	}
}

// serviceIs waits until the service manager says so, in the words and with the
// exit code of `service status`.
func serviceIs(t *testing.T, w *Windows, state string, code int) {
	t.Helper()
	var last Result
	until(t, "the service is "+state, func() bool {
		last = w.Try(agent, "service", "status")
		return strings.TrimSpace(last.Stdout) == state
	})
	if last.Code != code {
		t.Errorf("the service is %s, exit code %d, want %d", state, last.Code, code)
	}
}

// answers waits until the agent answers another process over its pipe.
func answers(t *testing.T, w *Windows) {
	t.Helper()
	until(t, "the agent answers", func() bool {
		return strings.Contains(w.Try(agent, "status").Stdout, "agent:")
	})
}

// TestService: the life of the service, from its installation to its removal,
// as an administrator's commands go through it.
func TestService(t *testing.T) {
	w := Start(t)
	install(w)
	serviceIs(t, w, "not installed", 1)
	w.Run(agent, "service", "install")
	serviceIs(t, w, "stopped", 1)
	if r := w.Try(agent, "service", "install"); r.Code == 0 {
		t.Error("it was installed twice")
	}
	key := `HKLM\System\CurrentControlSet\Services\constat-agent`
	registered := w.Run("reg.exe", "query", key)
	for _, want := range []string{`C:\Program Files\Constat\constat-agent.exe`, "service execute --data", "Constat agent", "LocalSystem"} {
		if !strings.Contains(registered, want) {
			t.Errorf("the service manager was not told %q:\n%s", want, registered)
		}
	}
	w.Run("reg.exe", "query", `HKLM\System\CurrentControlSet\Services\EventLog\Application\constat-agent`)

	w.Run(agent, "service", "start")
	serviceIs(t, w, "running", 0)
	answers(t, w)
	// Not enrolled: the answer is no, and why.
	if r := w.Try(agent, "status"); r.Code != 1 || !strings.Contains(r.Stdout, "enrolled:   no") {
		t.Errorf("status: exit code %d\n%s%s", r.Code, r.Stdout, r.Stderr)
	}
	if r := w.Try(agent, "run"); r.Code != 2 || !strings.Contains(r.Stderr, "another agent already listens") {
		t.Errorf("a second agent: exit code %d\n%s", r.Code, r.Stderr)
	}
	w.Run(agent, "service", "restart")
	serviceIs(t, w, "running", 0)
	answers(t, w)
	w.Run(agent, "service", "stop")
	serviceIs(t, w, "stopped", 1)
	if r := w.Try(agent, "status"); r.Code != 2 || !strings.Contains(r.Stderr, "not running") {
		t.Errorf("the network half outlives its service: exit code %d\n%s%s", r.Code, r.Stdout, r.Stderr)
	}

	// One that runs is stopped before it is removed.
	w.Run(agent, "service", "start")
	answers(t, w)
	w.Run(agent, "service", "uninstall")
	serviceIs(t, w, "not installed", 1)
	if r := w.Try("reg.exe", "query", key); r.Code == 0 {
		t.Errorf("the service manager still knows it:\n%s", r.Stdout)
	}
	if r := w.Try(agent, "status"); r.Code != 2 {
		t.Errorf("the agent outlives its service: exit code %d", r.Code)
	}
}

// TestServiceByHand: what the service manager runs does nothing for others.
func TestServiceByHand(t *testing.T) {
	r := shared(t).Try(agent, "service", "execute")
	if r.Code != 2 || !strings.Contains(r.Stderr, "service manager's") {
		t.Errorf("exit code %d\n%s", r.Code, r.Stderr)
	}
}
