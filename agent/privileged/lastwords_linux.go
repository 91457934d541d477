package privileged

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
)

// maxLastWords is of how many records the names are returned; firmware has room
// for some dozens.
const maxLastWords = 1000

// listLastWords returns which records the kernel keeps of its crashes, one a
// line: when it was made, in seconds since 1970, and its name. Their content, in
// which anything may stand that was in memory, is not read.
func listLastWords(_ context.Context, argument string) ([]byte, error) {
	if argument != "" {
		return nil, errors.New("last-words takes no argument")
	}
	return lastWordsIn("/sys/fs/pstore")
}

func lastWordsIn(dir string) ([]byte, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var list []byte
	for _, entry := range entries[:min(len(entries), maxLastWords)] {
		info, err := entry.Info()
		if err != nil || !info.Mode().IsRegular() || strings.Contains(entry.Name(), "\n") {
			continue // one that is put away meanwhile is found there
		}
		list = fmt.Appendf(list, "%d %s\n", info.ModTime().Unix(), entry.Name())
	}
	return list, nil
}
