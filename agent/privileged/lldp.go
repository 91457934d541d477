package privileged

import (
	"encoding/binary"
	"net"
	"time"

	"golang.org/x/net/bpf"
)

const (
	// hearTime is how long a link is listened to; switches announce themselves
	// every 30 (LLDP) or 60 (CDP) seconds.
	hearTime = 15 * time.Second
	// maxFrames and maxFrame bound what is returned.
	maxFrames = 16
	maxFrame  = 1600
)

// The groups that announcements are sent to: LLDP's nearest bridge (IEEE
// 802.1AB 7.1) and Cisco's.
var announcementGroups = []net.HardwareAddr{
	{0x01, 0x80, 0xc2, 0x00, 0x00, 0x0e},
	{0x01, 0x00, 0x0c, 0xcc, 0xcc, 0xcc},
}

// announcements lets through LLDP and CDP as they come in, not what this machine
// itself announces.
func announcements() []bpf.Instruction {
	const outgoing = 4 // PACKET_OUTGOING
	return []bpf.Instruction{
		bpf.LoadExtension{Num: bpf.ExtType},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: outgoing, SkipTrue: 10}, // to drop
		bpf.LoadAbsolute{Off: 0, Size: 4},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: 0x0180c200, SkipTrue: 5},  // to LLDP
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: 0x01000ccc, SkipFalse: 7}, // to drop
		bpf.LoadAbsolute{Off: 4, Size: 2},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: 0xcccc, SkipFalse: 5}, // to drop
		bpf.LoadAbsolute{Off: 20, Size: 2},                         // CDP: the protocol, behind LLC and the organisation
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: 0x2000, SkipTrue: 2, SkipFalse: 3},
		bpf.LoadAbsolute{Off: 12, Size: 2}, // LLDP: the type
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: 0x88cc, SkipFalse: 1},
		bpf.RetConstant{Val: maxFrame},
		bpf.RetConstant{Val: 0}, // drop
	}
}

// bpfFrames are the frames in what a read of /dev/bpf gave (bpf(4)): in front of
// each stand a time, how much of it was kept and how much there was, and how long
// all that is; the next one begins at the next multiple of four.
func bpfFrames(read []byte) (frames [][]byte) {
	const least = 18
	for len(read) >= least && len(frames) < maxFrames {
		kept, head := int(binary.LittleEndian.Uint32(read[8:])), int(binary.LittleEndian.Uint16(read[16:]))
		if head < least || kept < 0 || kept > len(read)-head || kept > maxFrame {
			return frames
		}
		frames = append(frames, read[head:head+kept])
		read = read[min(len(read), (head+kept+3)&^3):]
	}
	return frames
}
