package main

import (
	"bytes"
	"encoding/binary"
	"path"
	"slices"
	"time"
)

// bom is the list of files that macOS keeps of a package: a store of numbered
// blocks, some of which have names. Paths is a tree whose leaves hold pairs of
// blocks, what a file is and what it is called.
func bom(files []file, at time.Time) []byte {
	var s store
	n := uint32(len(files))
	s.name("BomInfo", s.block(words(1, n+1, 1, 0, 0, 0, 0)))

	// A directory stands before what is in it, and files of one are sorted.
	ordered := slices.Clone(files)
	slices.SortStableFunc(ordered, func(a, b file) int {
		if d := depth(a.path) - depth(b.path); d != 0 {
			return d
		}
		return bytes.Compare([]byte(a.path), []byte(b.path))
	})
	number := map[string]uint32{}
	var pairs [][2]uint32
	for i, f := range ordered {
		id := uint32(i + 1)
		number[f.path] = id
		pairs = append(pairs, [2]uint32{
			s.block(words(id, s.block(about(f, at)))),
			s.block(append(append(words(number[parent(f.path)]), path.Base(f.path)...), 0)),
		})
	}
	s.name("Paths", s.tree(4096, n, s.leaves(pairs)))
	empty := func() uint32 { return s.leaves(nil) }
	s.name("HLIndex", s.tree(4096, 0, empty()))
	s.name("VIndex", s.block(append(words(1, s.tree(128, 0, empty()), 0), 0)))
	s.name("Size64", s.tree(4096, 0, empty()))
	return s.bytes()
}

func depth(p string) int {
	if p == "." {
		return 0
	}
	return bytes.Count([]byte(p), []byte("/"))
}

// parent is the directory a path is in; nothing has none.
func parent(p string) string {
	if p == "." {
		return ""
	}
	if i := bytes.LastIndexByte([]byte(p), '/'); i > 0 {
		return p[:i]
	}
	return "."
}

func about(f file, at time.Time) []byte {
	kind, checksum := byte(2), uint32(0)
	if f.mode&regular != 0 {
		kind, checksum = 1, cksum(f.content)
	}
	out := []byte{kind, 1}
	out = binary.BigEndian.AppendUint16(out, 3) // for any processor
	out = binary.BigEndian.AppendUint16(out, uint16(f.mode))
	out = append(out, words(0, 0, uint32(at.Unix()), uint32(len(f.content)))...)
	out = append(out, 1)
	return append(out, words(checksum, 0)...)
}

func words(values ...uint32) (out []byte) {
	for _, v := range values {
		out = binary.BigEndian.AppendUint32(out, v)
	}
	return out
}

// store is what is written: blocks, counted from 1, and names of some.
type store struct {
	data   []byte
	blocks [][2]uint32 // where in data, and how long
	names  []byte
	named  uint32
}

func (s *store) block(content []byte) uint32 {
	s.blocks = append(s.blocks, [2]uint32{uint32(len(s.data)), uint32(len(content))})
	s.data = append(s.data, content...)
	return uint32(len(s.blocks))
}

func (s *store) name(name string, block uint32) {
	s.names = append(append(append(s.names, words(block)...), byte(len(name))), name...)
	s.named++
}

func (s *store) tree(blockSize, count, child uint32) uint32 {
	out := append([]byte("tree"), words(1, child, blockSize, count)...)
	return s.block(append(out, 0))
}

// perLeaf is how many pairs fit into a leaf of 4096 bytes, and some room.
const perLeaf = 256

// leaves writes pairs as leaves, each of which knows its neighbours, and gives
// the block to begin at: the only leaf, or what lists them.
func (s *store) leaves(pairs [][2]uint32) uint32 {
	node := func(leaf uint16, pairs [][2]uint32, forward, backward uint32) []byte {
		out := binary.BigEndian.AppendUint16(nil, leaf)
		out = binary.BigEndian.AppendUint16(out, uint16(len(pairs)))
		out = append(out, words(forward, backward)...)
		for _, p := range pairs {
			out = append(out, words(p[0], p[1])...)
		}
		return out
	}
	if len(pairs) <= perLeaf {
		return s.block(node(1, pairs, 0, 0))
	}
	first := uint32(len(s.blocks) + 1)
	var top [][2]uint32
	for chunk := range slices.Chunk(pairs, perLeaf) {
		number := uint32(len(s.blocks) + 1)
		forward, backward := number+1, number-1
		if number == first {
			backward = 0
		}
		if int(number-first)*perLeaf+len(chunk) == len(pairs) {
			forward = 0
		}
		s.block(node(1, chunk, forward, backward))
		top = append(top, [2]uint32{number, chunk[len(chunk)-1][1]})
	}
	return s.block(node(0, top, 0, 0))
}

func (s *store) bytes() []byte {
	const header = 512
	vars := append(words(s.named), s.names...)
	begin := uint32(header + len(vars))
	index := words(uint32(len(s.blocks)+1), 0, 0)
	for _, b := range s.blocks {
		index = append(index, words(begin+b[0], b[1])...)
	}
	index = append(index, words(0, 0, 0, 0, 0)...) // nothing is free
	out := append([]byte("BOMStore"), words(1, uint32(len(s.blocks)), begin+uint32(len(s.data)), uint32(len(index)), header, uint32(len(vars)))...)
	out = append(out, make([]byte, header-len(out))...)
	return slices.Concat(out, vars, s.data, index)
}

// cksum is the checksum of POSIX's program of that name.
func cksum(content []byte) uint32 {
	var sum uint32
	add := func(b byte) {
		sum = sum<<8 ^ cksumTable[byte(sum>>24)^b]
	}
	for _, b := range content {
		add(b)
	}
	for n := len(content); n > 0; n >>= 8 {
		add(byte(n))
	}
	return ^sum
}

var cksumTable = func() (table [256]uint32) {
	for i := range table {
		r := uint32(i) << 24
		for range 8 {
			if r&(1<<31) != 0 {
				r = r<<1 ^ 0x04c11db7
			} else {
				r <<= 1
			}
		}
		table[i] = r
	}
	return table
}()
