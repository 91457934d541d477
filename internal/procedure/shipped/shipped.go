// Package shipped holds the procedures as they are written, for who shows or
// changes them: programs that only walk carry them compiled (package procedure).
package shipped

import "embed"

// Files are ID.md each, and drawings/NAME.svg.
//
//go:embed *.md drawings
var Files embed.FS
