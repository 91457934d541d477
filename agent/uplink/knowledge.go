package uplink

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"google.golang.org/protobuf/proto"

	"constat/internal/durable"
	"constat/internal/identity"
	constatv1 "constat/proto/constat/v1"
)

const (
	// knowledgeFile is what the team wrote, as it came: whoever reads it checks
	// the signature again.
	knowledgeFile = "knowledge.binpb"
	maxKnowledge  = 8 << 20
)

// ErrOlder refuses knowledge that is older than what is in force.
var ErrOlder = errors.New("it is older than what is in force here")

// Knowledge is what the team of this machine's collector wrote, of the identity
// in dir; nil where there is none. What was not signed for this identity is an
// error and not used.
func Knowledge(dir string) (*constatv1.Knowledge, error) {
	data, err := os.ReadFile(filepath.Join(dir, knowledgeFile))
	if errors.Is(err, fs.ErrNotExist) || dir == "" {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	e, err := loadEnrolment(dir)
	if err != nil {
		return nil, err
	}
	signed := &constatv1.SignedKnowledge{}
	if err := proto.Unmarshal(data, signed); err != nil {
		return nil, fmt.Errorf("the team’s knowledge on this machine is damaged: %w", err)
	}
	return e.opened(signed)
}

func (e *enrolment) opened(signed *constatv1.SignedKnowledge) (*constatv1.Knowledge, error) {
	if len(signed.GetContent()) > maxKnowledge {
		return nil, fmt.Errorf("it has %d bytes, at most %d are accepted", len(signed.GetContent()), maxKnowledge)
	}
	if err := identity.VerifyKnowledge(e.ca, signed.GetContent(), signed.GetSignature()); err != nil {
		return nil, err
	}
	k := &constatv1.Knowledge{}
	if err := proto.Unmarshal(signed.GetContent(), k); err != nil {
		return nil, fmt.Errorf("it cannot be read: %w", err)
	}
	return k, nil
}

// takeKnowledge keeps what the team wrote: signed by the organisation's own
// authority, newer than what is in force, and of use by the word of check.
func (l *Link) takeKnowledge(signed *constatv1.SignedKnowledge, check func(*constatv1.Knowledge) error) {
	k, err := l.identity().opened(signed)
	former, broken := Knowledge(l.dir)
	switch {
	case err != nil:
	case broken == nil && k.GetRevision() == former.GetRevision():
		return // it was sent twice
	case broken == nil && k.GetRevision() < former.GetRevision():
		err = ErrOlder
	case check != nil:
		err = check(k)
	}
	if err == nil {
		var data []byte
		if data, err = proto.Marshal(signed); err == nil {
			err = durable.Write(filepath.Join(l.dir, knowledgeFile), data, 0o600)
		}
	}
	if err != nil {
		l.log.Error("the team’s knowledge was refused", "revision", k.GetRevision(), "error", err)
		return
	}
	l.log.Info("the team’s knowledge is in force", "revision", k.GetRevision())
}

// revision is that of the knowledge in force; 0: none.
func (l *Link) revision() int64 {
	k, err := Knowledge(l.dir)
	if err != nil {
		l.log.Error("the team’s knowledge is not used", "error", err)
	}
	return k.GetRevision()
}
