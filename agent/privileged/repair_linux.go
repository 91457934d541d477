package privileged

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"
)

// repairTime is how long a package manager may work.
const repairTime = 10 * time.Minute

// packageForm is a package's name, with its architecture where it has one
// (Debian policy 5.6.7; rpm allows capitals and _).
var packageForm = form(`^[A-Za-z0-9][A-Za-z0-9+._-]{0,127}(:[a-z0-9]{2,16})?$`)

// repairPackage has the package manager put an installed package in order: dpkg
// ends what it left half-way, or apt and dnf install the same once more, from the
// sources that are configured here. Nothing else is installed, nothing is
// removed, and files that somebody configured stay.
func repairPackage(ctx context.Context, name string) ([]byte, error) {
	if !packageForm().MatchString(name) {
		return nil, errors.New("the argument must be the name of an installed package")
	}
	content, err := os.ReadFile("/var/lib/dpkg/status")
	if errors.Is(err, fs.ErrNotExist) {
		return reinstallRPM(ctx, name)
	}
	if err != nil {
		return nil, err
	}
	state, err := dpkgState(string(content), name)
	if err != nil {
		return nil, err
	}
	// Half-way through its configuration: that is ended with what is there.
	if state != "installed" && state != "half-installed" {
		if err := outside(ctx, repairTime, "package", "/usr/bin/dpkg", "--force-confold", "--configure", name); err == nil {
			return []byte("dpkg ended the configuration of " + name), nil
		}
	}
	if err := outside(ctx, repairTime, "package", "/usr/bin/apt-get", "-q", "-y", "--no-remove", "--no-install-recommends",
		"-o", "Dpkg::Options::=--force-confold", "-o", "APT::Get::AllowUnauthenticated=false",
		"install", "--reinstall", name); err != nil {
		return nil, err
	}
	return []byte("apt installed " + name + " once more"), nil
}

func reinstallRPM(ctx context.Context, name string) ([]byte, error) {
	dnf, err := firstOf("/usr/bin/dnf", "/usr/bin/dnf5")
	if err != nil {
		return nil, fmt.Errorf("neither dpkg nor dnf keeps this system's packages: %w", fs.ErrNotExist)
	}
	// It refuses a package that is not installed, or that no source has.
	if err := outside(ctx, repairTime, "package", dnf, "-y", "-q", "reinstall", name); err != nil {
		return nil, err
	}
	return []byte("dnf installed " + name + " once more"), nil
}

// dpkgState is the state of a package that is installed, whole or not.
func dpkgState(status, name string) (string, error) {
	bare, architecture, _ := strings.Cut(name, ":")
	for stanza := range strings.SplitSeq(status, "\n\n") {
		if !strings.HasPrefix(stanza, "Package: "+bare+"\n") {
			continue
		}
		is := ""
		for line := range strings.Lines(stanza) {
			if value, ok := strings.CutPrefix(line, "Architecture: "); ok && architecture != "" && strings.TrimSpace(value) != architecture {
				is = ""
				break
			}
			if value, ok := strings.CutPrefix(line, "Status: "); ok {
				words := strings.Fields(value)
				is = words[len(words)-1]
			}
		}
		if is != "" && is != "not-installed" && is != "config-files" {
			return is, nil
		}
	}
	return "", fmt.Errorf("%s is not installed: %w", name, fs.ErrNotExist)
}
