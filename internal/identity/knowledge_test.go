package identity

import (
	"errors"
	"testing"
	"time"
)

func TestOnlyTheOrganisationSignsItsKnowledge(t *testing.T) {
	ours, err := NewAuthority(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := NewAuthority(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	content := []byte("a fault")
	good, err := ours.SignKnowledge(content)
	if err != nil {
		t.Fatal(err)
	}
	foreign, err := theirs.SignKnowledge(content)
	if err != nil {
		t.Fatal(err)
	}
	if err := VerifyKnowledge(ours.Certificate(), content, good); err != nil {
		t.Errorf("our own: %v", err)
	}
	for name, signed := range map[string]struct{ content, signature []byte }{
		"another authority's": {content, foreign},
		"of something else":   {[]byte("another fault"), good},
		"none":                {content, nil},
		"no signature at all": {content, []byte("signed, the director")},
	} {
		if err := VerifyKnowledge(ours.Certificate(), signed.content, signed.signature); !errors.Is(err, ErrForged) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
