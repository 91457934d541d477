package identity

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"fmt"
	"strings"
)

// A token's text is the prefix and, in base32 without padding, lower case:
//
//	16 bytes  secret
//	32 bytes  SHA-256 of the CA's SubjectPublicKeyInfo
//	 4 bytes  start of the SHA-256 of the prefix and the 48 bytes before
//
// Base32 because people do read tokens over the phone; the prefix because
// scanners for leaked secrets need one; the checksum so that a token with a
// typo is told apart from one the collector does not know.
const (
	tokenPrefix   = "constat1_"
	secretBytes   = 16
	hashBytes     = 32
	checksumBytes = 4
)

var (
	tokenEncoding = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)
	tokenLength   = len(tokenPrefix) + tokenEncoding.EncodedLen(secretBytes+hashBytes+checksumBytes)
)

// Token is an enrolment token taken apart. It prints as <secret>.
type Token struct {
	secret [secretBytes]byte
	// KeyHash is that of the CA whose collector made the token.
	KeyHash [hashBytes]byte
}

// NewToken draws a token for collectors of this CA.
func NewToken(caKeyHash [hashBytes]byte) (Token, error) {
	t := Token{KeyHash: caKeyHash}
	if _, err := rand.Read(t.secret[:]); err != nil {
		return Token{}, fmt.Errorf("cannot draw a token: %w", err)
	}
	return t, nil
}

// SecretHash is what the collector stores of a token and finds it by. The
// secret has 128 random bits, so a plain hash keeps it.
func (t Token) SecretHash() []byte {
	sum := sha256.Sum256(t.secret[:])
	return sum[:]
}

// Text is the token as it is handed to the agent.
func (t Token) Text() string {
	body := append(t.secret[:], t.KeyHash[:]...)
	return tokenPrefix + tokenEncoding.EncodeToString(append(body, tokenChecksum(body)...))
}

// String keeps tokens out of logs.
func (Token) String() string { return "<secret>" }

// GoString keeps tokens out of %#v.
func (Token) GoString() string { return "<secret>" }

func tokenChecksum(body []byte) []byte {
	sum := sha256.Sum256(append([]byte(tokenPrefix), body...))
	return sum[:checksumBytes]
}

// ParseToken reads a token's text. White space around and inside it (line
// breaks of mail programs) and upper case do no harm. The errors say which
// mistake was made and never repeat the text.
func ParseToken(text string) (Token, error) {
	// Twice the length leaves room for line breaks; more is some other file.
	if len(text) > 4*tokenLength {
		return Token{}, fmt.Errorf("this is no enrolment token: it has %d characters, a token has %d", len(text), tokenLength)
	}
	text = strings.ToLower(strings.Join(strings.Fields(text), ""))
	if text == "" {
		return Token{}, errors.New("the enrolment token is empty")
	}
	if !strings.HasPrefix(text, tokenPrefix) {
		return Token{}, fmt.Errorf("this is no enrolment token: one starts with %q; `constat-collector token create` makes one", tokenPrefix)
	}
	if len(text) != tokenLength {
		return Token{}, fmt.Errorf("the enrolment token is not complete: it has %d characters of %d; copy it again", len(text), tokenLength)
	}
	raw, err := tokenEncoding.DecodeString(text[len(tokenPrefix):])
	if err != nil {
		return Token{}, errors.New("the enrolment token was mistyped: after its prefix only the letters a to z and the digits 2 to 7 occur; copy it again")
	}
	body := raw[:secretBytes+hashBytes]
	// The last letter has bits to spare: only one spelling is the token's.
	if string(tokenChecksum(body)) != string(raw[len(body):]) || tokenEncoding.EncodeToString(raw) != text[len(tokenPrefix):] {
		return Token{}, errors.New("the enrolment token was mistyped: its checksum is wrong; copy it again")
	}
	var t Token
	copy(t.secret[:], body)
	copy(t.KeyHash[:], body[secretBytes:])
	return t, nil
}
