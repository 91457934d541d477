package privileged

import "golang.org/x/net/bpf"

// etherHeader is how many bytes Ethernet puts in front of a packet: to whom, from whom,
// and its type.
const etherHeader = 14

// wholeFrames is a filter of whole frames that lets through what one of packets does, of
// one type; nil lets all of the type.
func wholeFrames(etherType uint16, filter []bpf.Instruction) []bpf.Instruction {
	frames := []bpf.Instruction{
		bpf.LoadAbsolute{Off: etherHeader - 2, Size: 2},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: uint32(etherType), SkipTrue: 1},
		bpf.RetConstant{Val: 0},
	}
	if len(filter) == 0 {
		return append(frames, bpf.RetConstant{Val: maxFrame})
	}
	for _, step := range filter {
		if load, ok := step.(bpf.LoadAbsolute); ok {
			load.Off += etherHeader
			step = load
		}
		frames = append(frames, step)
	}
	return frames
}
