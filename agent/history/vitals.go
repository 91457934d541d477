package history

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"constat/agent/host"
	"constat/internal/durable"
	"constat/internal/series"
)

const (
	// Window is how far back vitals are kept.
	Window = 48 * time.Hour
	// Period is the time between two readings.
	Period = time.Minute
	// maxSeries bounds what is kept of a machine: links and mounts come and go.
	maxSeries = 64
	// hourLayout names a file after its hour, so that names sort by time.
	hourLayout = "20060102T15"
	vitalsDir  = "vitals"
	// interrupted is a series of our own: seconds for which nothing is known,
	// because the machine slept or its clock was set.
	interrupted = "interrupted"
)

// vitals keeps readings on disk, one file an hour. In memory it has nothing but
// the open file. A sample is on its way to the disk when add returns, and no
// sync is forced: a crash of the agent loses none, a power cut what the kernel
// had not written yet, some half a minute. Once an hour the hour is packed, and
// synced with that.
type vitals struct {
	mu   sync.Mutex
	dir  string
	hour time.Time
	file *os.File
	last time.Time
}

// openVitals takes up what is in a directory, which is made where needed.
func openVitals(dir string) (*vitals, error) {
	dir = filepath.Join(dir, vitalsDir)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("keeping vitals: %w", err)
	}
	v := &vitals{dir: dir}
	files, err := v.files()
	if err != nil || len(files) == 0 {
		return v, err
	}
	kept := rows{}
	content, err := readLimited(files[len(files)-1].path, maxFile)
	if err != nil {
		return nil, err
	}
	kept.add(content, endOfTime)
	for n := range kept {
		for s := range kept.samples(n) {
			if s.At.After(v.last) {
				v.last = s.At
			}
		}
	}
	return v, nil
}

var endOfTime = time.UnixMilli(math.MaxInt64)

// add keeps what was read at a time.
func (v *vitals) add(at time.Time, readings []host.Reading) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	at = at.UTC().Truncate(time.Second)
	if !v.last.IsZero() && !at.After(v.last) {
		if v.last.Sub(at) < Period {
			return nil // the same minute again
		}
		if err := v.forgetFrom(at); err != nil {
			return err
		}
	}
	if err := v.turnTo(series.Hour(at)); err != nil {
		return err
	}
	var b []byte
	for _, r := range readings[:min(len(readings), maxSeries)] {
		value := math.Round(r.Value * kindOf(r.Kind).scale)
		var c series.Chunk
		if math.IsNaN(value) || math.Abs(value) > series.MaxValue || c.Append(at, int64(value)) != nil {
			continue
		}
		b = appendFrame(b, name{r.Kind, r.Owner}, c.Bytes())
	}
	v.last = at
	if _, err := v.file.Write(b); err != nil {
		// Half a frame may stand there: what comes next goes behind a cut.
		v.close()
		return fmt.Errorf("keeping vitals: %w", err)
	}
	return nil
}

// turnTo makes the file of an hour the open one, packs the one before and
// removes what is too old.
func (v *vitals) turnTo(hour time.Time) error {
	if v.file != nil && v.hour.Equal(hour) {
		return nil
	}
	v.close()
	files, err := v.files()
	if err != nil {
		return err
	}
	for _, f := range files {
		switch {
		case f.hour.Before(hour.Add(-Window)):
			err = os.Remove(f.path)
		case f.hour.Equal(v.hour) && f.hour.Before(hour):
			err = repack(f.path, endOfTime)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("keeping vitals: %w", err)
		}
	}
	path := filepath.Join(v.dir, hour.Format(hourLayout))
	content, err := readLimited(path, maxFile)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("keeping vitals: %w", err)
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err == nil {
		// What a power cut left half is cut off, or all behind it were lost.
		if err = file.Truncate(int64(readFrames(content, func(name, *series.Chunk) {}))); err != nil {
			file.Close()
		}
	}
	if err != nil {
		return fmt.Errorf("keeping vitals: %w", err)
	}
	v.file, v.hour = file, hour
	return nil
}

// forgetFrom drops what has a time that is still to come: the clock was set
// back, and two truths for one minute are none.
func (v *vitals) forgetFrom(at time.Time) error {
	v.close()
	files, err := v.files()
	if err != nil {
		return err
	}
	for _, f := range files {
		switch {
		case f.hour.After(at):
			err = os.Remove(f.path)
		case f.hour.Equal(series.Hour(at)):
			err = repack(f.path, at)
		}
		if err != nil {
			return fmt.Errorf("keeping vitals: %w", err)
		}
	}
	return nil
}

// repack writes a file again, one chunk a series, without what is at or after
// the end.
func repack(path string, end time.Time) error {
	content, err := readLimited(path, maxFile)
	if err != nil {
		return err
	}
	kept := rows{}
	kept.add(content, end)
	return durable.Write(path, kept.pack(), 0o600)
}

func (v *vitals) close() {
	if v.file != nil {
		// Nothing waits in a buffer of ours.
		_ = v.file.Close()
		v.file = nil
	}
}

// hourFile is one file of vitals.
type hourFile struct {
	path string
	hour time.Time
}

// files are sorted by hour. Others, such as what a crash left of a file that was
// being packed, are removed.
func (v *vitals) files() ([]hourFile, error) {
	entries, err := os.ReadDir(v.dir)
	if err != nil {
		return nil, fmt.Errorf("keeping vitals: %w", err)
	}
	var files []hourFile
	for _, e := range entries {
		path := filepath.Join(v.dir, e.Name())
		hour, err := time.Parse(hourLayout, e.Name())
		switch {
		case err == nil:
			files = append(files, hourFile{path, hour})
		case strings.HasSuffix(e.Name(), durable.TemporarySuffix):
			_ = os.Remove(path) // tried again next time
		}
	}
	slices.SortFunc(files, func(a, b hourFile) int { return cmp.Compare(a.path, b.path) })
	return files, nil
}

// read gives all that is kept of the time before now.
func (v *vitals) read(now time.Time) (rows, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	files, err := v.files()
	if err != nil {
		return nil, err
	}
	kept := rows{}
	for _, f := range files {
		if f.hour.Before(now.Add(-Window - time.Hour)) {
			continue
		}
		content, err := readLimited(f.path, maxFile)
		if err != nil {
			return nil, fmt.Errorf("reading vitals: %w", err)
		}
		kept.add(content, now.Add(Period))
	}
	return kept, nil
}

// readLimited reads a file, or as much of it as one of ours can have. What grows
// meanwhile is left for the next time.
func readLimited(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	b := make([]byte, min(info.Size(), limit))
	n, err := f.ReadAt(b, 0)
	if n == len(b) {
		err = nil
	}
	return b[:n], err
}
