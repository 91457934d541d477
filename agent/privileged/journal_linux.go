package privileged

import (
	"context"
	"errors"
	"fmt"
	"time"

	"constat/agent/journal"
)

// launchFailures returns the programs that could not start of late, one a line:
// when (seconds since 1970), why, which and what it named, with tabs between
// them. The journal is everybody's last words, so it is looked through here, and
// nothing of a message leaves but a class and names.
func launchFailures(_ context.Context, argument string) ([]byte, error) {
	if argument != "" {
		return nil, errors.New("launch-failures takes no argument")
	}
	found, err := journal.Failures(journal.Directories, time.Now())
	if err != nil {
		return nil, err
	}
	var lines []byte
	for _, one := range found {
		lines = fmt.Appendf(lines, "%d\t%s\t%s\t%s\n", one.At.Unix(), one.Kind, one.Program, one.Detail)
	}
	return lines, nil
}
