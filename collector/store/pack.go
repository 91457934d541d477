package store

import (
	"fmt"

	"github.com/klauspost/compress/zstd"
	"google.golang.org/protobuf/proto"
)

// maxUnpacked bounds what one blob may grow to, in bytes: a snapshot is at most
// the 16 MiB of one upload.
const maxUnpacked = 32 << 20

var (
	packer   = must(zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderCRC(false), zstd.WithLowerEncoderMem(true)))
	unpacker = must(zstd.NewReader(nil, zstd.WithDecoderConcurrency(0), zstd.WithDecoderMaxMemory(maxUnpacked)))
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// Pack compresses content for a blob column. It is safe for concurrent use.
func Pack(content []byte) []byte {
	return packer.EncodeAll(content, make([]byte, 0, len(content)/2+32))
}

// Unpack is the reverse of Pack. It refuses what is no blob of Pack, or one that
// unpacks to more than 32 MiB.
func Unpack(blob []byte) ([]byte, error) {
	content, err := unpacker.DecodeAll(blob, nil)
	if err != nil {
		return nil, fmt.Errorf("a stored blob of %d bytes cannot be unpacked: %w", len(blob), err)
	}
	return content, nil
}

// PackMessage packs the wire form of m.
func PackMessage(m proto.Message) ([]byte, error) {
	content, err := proto.Marshal(m)
	if err != nil {
		return nil, err
	}
	return Pack(content), nil
}

// UnpackMessage unpacks blob into m.
func UnpackMessage(blob []byte, m proto.Message) error {
	content, err := Unpack(blob)
	if err != nil {
		return err
	}
	if err := proto.Unmarshal(content, m); err != nil {
		return fmt.Errorf("a stored %s cannot be read: %w", m.ProtoReflect().Descriptor().Name(), err)
	}
	return nil
}
