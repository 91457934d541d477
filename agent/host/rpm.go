package host

import (
	"bytes"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	constatv1 "constat/proto/constat/v1"
)

// rpmFormat is what rpm(8) is asked to write of each package: a line of fields
// with tabs between, "(none)" where there is nothing.
const rpmFormat = `%{NAME}\t%{EPOCH}\t%{VERSION}-%{RELEASE}\t%{VENDOR}\t%{INSTALLTIME}\t%{ARCH}\n`

// rpmPackage is an installed package of rpm.
type rpmPackage struct {
	*constatv1.Program
	architecture string
}

// parseRPM reads rpm's list of packages in that format. Keys that rpm keeps
// beside packages, and lines that are no package, are passed over.
func parseRPM(listing []byte) []rpmPackage {
	var programs []rpmPackage
	for line := range bytes.Lines(listing) {
		fields := strings.Split(strings.TrimRight(string(line), "\r\n"), "\t")
		if len(fields) != 6 || fields[0] == "" || fields[0] == "gpg-pubkey" || len(programs) == maxPackages {
			continue
		}
		for i, field := range fields {
			if field == "(none)" {
				fields[i] = ""
			}
		}
		version := fields[2]
		if fields[1] != "" && fields[1] != "0" {
			version = fields[1] + ":" + version
		}
		p := &constatv1.Program{Name: set(fields[0]), Version: filled(version), Publisher: filled(fields[3]), Source: set("rpm")}
		if seconds, err := strconv.ParseInt(fields[4], 10, 64); err == nil && seconds > 0 && seconds < 1<<40 {
			p.InstalledAt = timestamppb.New(time.Unix(seconds, 0))
		}
		programs = append(programs, rpmPackage{p, fields[5]})
	}
	return programs
}
