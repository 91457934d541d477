package identity

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"constat/internal/durable"
)

// SealingKey seals what the collector stores and must not be readable from a
// copy of its database: the CA's key, passwords of gear and mailboxes. It prints
// as <secret>.
type SealingKey struct {
	aead cipher.AEAD
	id   [sealIDBytes]byte
}

// A sealed value is:
//
//	4 bytes   "CSL1"
//	8 bytes   id of the key: start of the SHA-256 of the key
//	12 bytes  nonce
//	rest      AES-256-GCM over the value; the name of the value and the twelve
//	          bytes above are authenticated with it
const (
	sealMagic   = "CSL1"
	sealIDBytes = 8
	sealHeader  = len(sealMagic) + sealIDBytes

	keyFilePrefix = "constat-key-1:"
	keyFileLimit  = 4 << 10
)

const keyFileComment = `# Sealing key of a Constat collector. With it and the database, anyone can act
# as the collector: keep it readable by the collector only, and a copy of it
# apart from the backups. Without it, the CA and the stored passwords are lost.
`

// NewKeyFile draws a key and writes it to path, readable by its owner only. A
// file that is there already is never replaced, whatever was sealed with it
// would be lost: the error is fs.ErrExist.
func NewKeyFile(path string) (*SealingKey, error) {
	var key [32]byte
	if _, err := rand.Read(key[:]); err != nil {
		return nil, fmt.Errorf("cannot draw a sealing key: %w", err)
	}
	text := keyFileComment + keyFilePrefix + base64.StdEncoding.EncodeToString(key[:]) + "\n"
	// Written aside and linked into place: of two collectors that start at once,
	// one link succeeds, and nobody ever sees half a key.
	aside := path + "." + rand.Text()
	if err := durable.Write(aside, []byte(text), 0o600); err != nil {
		return nil, err
	}
	defer os.Remove(aside)
	if err := os.Link(aside, path); err != nil {
		if errors.Is(err, fs.ErrExist) {
			return nil, fmt.Errorf("the key file %s exists already and is not replaced: %w", path, fs.ErrExist)
		}
		return nil, fmt.Errorf("cannot make the key file: %w", err)
	}
	if err := durable.SyncDir(filepath.Dir(path)); err != nil {
		return nil, err
	}
	return newSealingKey(key[:])
}

// OpenKeyFile reads a key file. The error is fs.ErrNotExist when there is none,
// and a refusal when everyone on the machine may read it.
func OpenKeyFile(path string) (*SealingKey, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read the key file: %w", err)
	}
	// Windows has no such bits; the directory's access list protects it there.
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o007 != 0 {
		return nil, fmt.Errorf("the key file %s can be read by everyone on this machine: run `chmod o= %s` and consider what was sealed with it as seen", path, path)
	}
	if info.Size() > keyFileLimit {
		return nil, fmt.Errorf("%s has %d bytes and is no key file", path, info.Size())
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read the key file: %w", err)
	}
	key, err := parseKeyFile(string(text))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return newSealingKey(key)
}

func parseKeyFile(text string) ([]byte, error) {
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		encoded, ok := strings.CutPrefix(line, keyFilePrefix)
		if !ok {
			break
		}
		key, err := base64.StdEncoding.DecodeString(encoded)
		if err != nil || len(key) != 32 {
			return nil, errors.New("the key is damaged: restore the file from its copy")
		}
		return key, nil
	}
	return nil, fmt.Errorf("no line starts with %q: this is no key file", keyFilePrefix)
}

func newSealingKey(key []byte) (*SealingKey, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("unusable sealing key: %w", err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, fmt.Errorf("unusable sealing key: %w", err)
	}
	k := &SealingKey{aead: aead}
	sum := sha256.Sum256(key)
	copy(k.id[:], sum[:])
	return k, nil
}

// Seal encrypts a value. Its name is bound to it: a sealed value cannot be put
// in another's place.
func (k *SealingKey) Seal(name string, value []byte) ([]byte, error) {
	nonce := make([]byte, k.aead.NonceSize())
	if _, err := rand.Read(nonce); err != nil {
		return nil, fmt.Errorf("cannot seal %s: %w", name, err)
	}
	header := slices.Clip(append([]byte(sealMagic), k.id[:]...))
	return k.aead.Seal(append(header, nonce...), nonce, value, append(header, name...)), nil
}

// Open decrypts what Seal gave for the same name. It tells a wrong key file
// from a damaged value.
func (k *SealingKey) Open(name string, sealed []byte) ([]byte, error) {
	if len(sealed) < sealHeader+k.aead.NonceSize() || string(sealed[:len(sealMagic)]) != sealMagic {
		return nil, fmt.Errorf("what is stored as %s is not a sealed value: the database is damaged", name)
	}
	if id := sealed[len(sealMagic):sealHeader]; string(id) != string(k.id[:]) {
		return nil, fmt.Errorf("%s was sealed with key %s, and the key file holds %s: start with the key file this database was made with", name, hex.EncodeToString(id), hex.EncodeToString(k.id[:]))
	}
	header, rest := sealed[:sealHeader:sealHeader], sealed[sealHeader:]
	nonce, body := rest[:k.aead.NonceSize()], rest[k.aead.NonceSize():]
	value, err := k.aead.Open(nil, nonce, body, append(header, name...))
	if err != nil {
		return nil, fmt.Errorf("what is stored as %s does not open with its key: the database is damaged", name)
	}
	return value, nil
}

// String keeps the key out of logs.
func (*SealingKey) String() string { return "<secret>" }

// IsNoKeyFile tells whether OpenKeyFile failed because there is no file.
func IsNoKeyFile(err error) bool { return errors.Is(err, fs.ErrNotExist) }
