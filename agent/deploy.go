package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
)

// enrolmentFile is where an installer leaves the collector's address and a token
// for the service's first start, among its data. On Linux systemd reads it, from
// /etc/constat-agent; elsewhere the service does.
const enrolmentFile = "enrolment.env"

func enrolmentText(collector, token string) string {
	return fmt.Sprintf("CONSTAT_COLLECTOR=%s\nCONSTAT_TOKEN=%s\n", collector, token)
}

// takeEnrolment puts what the file says into the environment, where that says
// nothing itself. Without the file there is nothing to take, and nothing for those
// who may not read it.
func takeEnrolment(file string) error {
	f, err := os.Open(file)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading where to enrol: %w", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, 2*maxToken))
	if err != nil {
		return fmt.Errorf("reading where to enrol: %w", err)
	}
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		if name != "CONSTAT_COLLECTOR" && name != "CONSTAT_TOKEN" {
			continue
		}
		if _, given := os.LookupEnv(name); given {
			continue
		}
		if err := os.Setenv(name, value); err != nil {
			return err
		}
	}
	return nil
}
