package tray

import (
	"os"
	"strconv"

	"golang.org/x/sys/windows"
)

// seat tells this session from others of the same user on a terminal server: by
// Windows' number for it. SESSIONNAME is another one after somebody connected again
// from elsewhere.
func seat() string {
	var id uint32
	if err := windows.ProcessIdToSessionId(uint32(os.Getpid()), &id); err != nil {
		return os.Getenv("SESSIONNAME")
	}
	return strconv.FormatUint(uint64(id), 10)
}
