package privileged

import (
	"bytes"
	"testing"
)

// bpfRecord is a frame as /dev/bpf hands it on: struct bpf_hdr, padded, and the
// frame.
func bpfRecord(frame []byte) []byte {
	head := make([]byte, 20)
	head[8], head[12], head[16] = byte(len(frame)), byte(len(frame)), 20
	record := append(head, frame...)
	for len(record)%4 != 0 {
		record = append(record, 0)
	}
	return record
}

func TestBPFFrames(t *testing.T) {
	first, second := bytes.Repeat([]byte{1}, 61), bytes.Repeat([]byte{2}, 60)
	read := append(bpfRecord(first), bpfRecord(second)...)
	frames := bpfFrames(read)
	if len(frames) != 2 || !bytes.Equal(frames[0], first) || !bytes.Equal(frames[1], second) {
		t.Error(frames)
	}
	if frames := bpfFrames(read[:len(read)-5]); len(frames) != 1 {
		t.Error("of a read that was cut:", len(frames), "frames")
	}
}

func FuzzBPFFrames(f *testing.F) {
	f.Add(bpfRecord(bytes.Repeat([]byte{1}, 61)))
	f.Fuzz(func(t *testing.T, read []byte) {
		for _, frame := range bpfFrames(read) {
			if len(frame) > maxFrame {
				t.Error(len(frame))
			}
		}
	})
}
