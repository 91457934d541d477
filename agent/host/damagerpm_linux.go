package host

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"

	constatv1 "constat/proto/constat/v1"
)

// maxDamagedRPM is of how many files rpm is asked whose they are.
const maxDamagedRPM = 200

// verifyRPM tells which of rpm's programs miss a file, or have one that is not as
// its package brought it, as rpm -V does: of the one that is asked for by its
// name to the end, and then it may be called whole; of all only whether their
// files are there with the size that they had, as reading them would take minutes.
// No program of a package is run for it.
func (r *reader) verifyRPM(ctx context.Context, programs []*constatv1.Program) error {
	ctx, cancel := context.WithTimeout(ctx, r.verifyTime())
	defer cancel()
	program := ""
	for _, name := range rpmPrograms {
		if _, err := r.stat(name); err == nil {
			program = r.path(name)
			break
		}
	}
	if program == "" {
		return fmt.Errorf("there is no rpm to compare them with: %w", errors.ErrUnsupported)
	}
	damaged := map[string]bool{}
	defer func() { noteDamage(programs, "rpm", damaged) }()
	quick := []string{"-V", "--nodeps", "--noscripts", "--nodigest", "--nosignature"}
	if r.VerifyProgram != "" {
		out, err := runRPM(ctx, program, append(quick, "--", r.VerifyProgram)...)
		if err != nil || strings.Contains(string(out), "is not installed") {
			return err
		}
		bad, unread := false, false
		for _, f := range parseRPMVerify(out) {
			bad, unread = bad || f.missing || f.changed, unread || f.unread
		}
		if !bad && unread {
			return fmt.Errorf("not all files of %s can be compared", r.VerifyProgram)
		}
		damaged[r.VerifyProgram] = bad
		return nil
	}
	out, err := runRPM(ctx, program, append(quick, "--nofiledigest", "-a")...)
	if err != nil {
		return err
	}
	var gone []string
	for _, f := range parseRPMVerify(out) {
		if (f.missing || f.changed) && len(gone) < maxDamagedRPM {
			gone = append(gone, f.name)
		}
	}
	if len(gone) == 0 {
		return nil
	}
	owners, err := runRPM(ctx, program, append([]string{"-q", "--nodigest", "--nosignature", "--qf", "%{NAME}\t\n", "-f", "--"}, gone...)...)
	for line := range strings.Lines(string(owners)) {
		if name, found := strings.CutSuffix(strings.TrimRight(line, "\n"), "\t"); found {
			damaged[name] = true
		}
	}
	return err
}

// runRPM has rpm answer. That it found something other than it should be is an answer.
func runRPM(ctx context.Context, program string, arguments ...string) ([]byte, error) {
	out, err := rpmInquiry(program, arguments...).answer(ctx)
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.Exited() {
		err = nil
	}
	return out, err
}
