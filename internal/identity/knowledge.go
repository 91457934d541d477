package identity

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
)

// knowledgePurpose keeps a signature of knowledge from being one of anything
// else that the CA's key signs.
const knowledgePurpose = "constat knowledge 1\n"

// SignKnowledge signs what a team wrote, for its agents: they know the CA.
func (a *Authority) SignKnowledge(content []byte) ([]byte, error) {
	signature, err := ecdsa.SignASN1(rand.Reader, a.key, knowledgeDigest(content))
	if err != nil {
		return nil, fmt.Errorf("cannot sign: %w", err)
	}
	return signature, nil
}

// ErrForged refuses knowledge that the CA did not sign.
var ErrForged = errors.New("the signature is not this organisation’s: it is not used")

// VerifyKnowledge tells whether the CA signed this content.
func VerifyKnowledge(ca *x509.Certificate, content, signature []byte) error {
	key, ok := ca.PublicKey.(*ecdsa.PublicKey)
	if !ok || !ecdsa.VerifyASN1(key, knowledgeDigest(content), signature) {
		return ErrForged
	}
	return nil
}

func knowledgeDigest(content []byte) []byte {
	d := sha256.New()
	d.Write([]byte(knowledgePurpose))
	d.Write(content)
	return d.Sum(nil)
}
