// Package catalog holds the faults as they are written, for who adds to them:
// programs that only judge carry them compiled (package fault).
package catalog

import "embed"

// Files are the domains and terms.yaml.
//
//go:embed *.yaml
var Files embed.FS
