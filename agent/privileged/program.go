package privileged

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"time"
)

// form is a regular expression that is compiled when it is first used: this half
// starts for every look, and most verbs are not asked for.
func form(expression string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expression) })
}

// execute runs one of the fixed programs of the table of remedies, by its absolute
// path and with nothing of this process's environment, and waits for its end.
func execute(ctx context.Context, command ...string) error {
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Env, cmd.WaitDelay = environment, time.Second
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Run(); err != nil {
		text := strings.TrimSpace(said.String())
		return fmt.Errorf("%s: %w: %s", command[0], err, text[max(0, len(text)-300):])
	}
	return nil
}
