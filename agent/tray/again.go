package tray

import "os"

// program is what a tray was started from, as it was then.
type program struct {
	file    string
	before  os.FileInfo
	command []string // without what it was to open
}

// ownProgram is this process's, whose last arguments were of no use but once.
func ownProgram(once int) program {
	p := program{command: os.Args[:len(os.Args)-once]}
	var err error
	if p.file, err = os.Executable(); err == nil {
		p.before, err = os.Stat(p.file)
	}
	if err != nil {
		p.before = nil // it will not be known whether it was replaced
	}
	return p
}

// replaced tells whether another version of it lies in its place. Packages keep the
// times of the files in them.
func (p program) replaced() bool {
	if p.before == nil {
		return false
	}
	now, err := os.Stat(p.file)
	return err == nil && (now.Size() != p.before.Size() || !now.ModTime().Equal(p.before.ModTime()))
}

// giveWay lets an upgraded tray take the place of this one, once an agent that began
// after that answers, and so all its files are there. Not where the page was opened:
// its tabs would end, perhaps in the middle of a sentence.
func (s *session) giveWay() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.page != nil {
		return nil
	}
	if s.door != nil {
		s.door.Close() // or the new one would ring here, and end
	}
	if err := s.program.again(); err != nil {
		return err
	}
	quit()
	return nil
}
