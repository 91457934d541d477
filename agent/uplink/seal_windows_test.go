package uplink

import (
	"bytes"
	"encoding/pem"
	"testing"
)

func TestSealedKey(t *testing.T) {
	key := bytes.Repeat([]byte("private"), 20)
	kind, sealed, err := sealKey(key)
	if err != nil {
		t.Fatal(err)
	}
	if kind == keyKind || bytes.Contains(sealed, []byte("private")) {
		t.Errorf("%s shows the key: %q", kind, sealed)
	}
	opened, err := openKey(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: sealed}))
	if err != nil {
		t.Fatal(err)
	}
	if block, _ := pem.Decode(opened); block == nil || block.Type != keyKind || !bytes.Equal(block.Bytes, key) {
		t.Errorf("opened: %s", opened)
	}
	sealed[len(sealed)/2] ^= 1
	if _, err := openKey(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: sealed})); err == nil {
		t.Error("a changed key was opened")
	}
	if _, err := openKey([]byte("no key")); err == nil {
		t.Error("no key was opened")
	}
}
