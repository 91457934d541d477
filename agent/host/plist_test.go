package host

import (
	"encoding/binary"
	"strings"
	"testing"
	"time"
)

// binaryFixture is a binary property list composed by CFBinaryPList.c: a dictionary
// of an array, whose values are a text, a number, true, a date and data.
var binaryFixture = func() []byte {
	objects := [][]byte{
		{0xd1, 1, 2},
		append([]byte{0x54}, "list"...),
		{0xa5, 3, 4, 5, 6, 7},
		{0x62, 0x00, 'o', 0x20, 0xac}, // UTF-16: “o€”
		{0x11, 0x01, 0x02},
		{0x09},
		{0x33, 0x41, 0xc7, 0x6b, 0x6e, 0x8d, 0, 0, 0},
		{0x42, 0xde, 0xad},
	}
	return bplist(objects)
}()

func bplist(objects [][]byte) []byte {
	content := []byte("bplist00")
	var offsets []byte
	for _, o := range objects {
		offsets = append(offsets, byte(len(content)))
		content = append(content, o...)
	}
	table := len(content)
	content = append(content, offsets...)
	trailer := make([]byte, 32)
	trailer[6], trailer[7] = 1, 1
	binary.BigEndian.PutUint64(trailer[8:], uint64(len(objects)))
	binary.BigEndian.PutUint64(trailer[24:], uint64(table))
	return append(content, trailer...)
}

func TestBinaryPlist(t *testing.T) {
	n, err := parseTree(binaryFixture)
	if err != nil {
		t.Fatal(err)
	}
	list := n.at("list").list()
	if len(list) != 5 || list[0].text() != "o€" || *list[1].number() != 0x102 || !list[2].is() || list[3].time().Year() != 2025 {
		t.Error(n)
	}
	for what, objects := range map[string][][]byte{
		"an array within itself":       {{0xa1, 0}},
		"arrays that double each time": doubling(60),
		"a reference to nothing":       {{0xa1, 9}},
		"a text that is too long":      {{0x5f, 0x12, 0x7f, 0xff, 0xff, 0xff}},
	} {
		if _, err := parseTree(bplist(objects)); err == nil {
			t.Error("taken:", what)
		}
	}
}

// doubling are arrays of which each has the next one twice.
func doubling(n byte) (objects [][]byte) {
	for i := range n {
		objects = append(objects, []byte{0xa2, i + 1, i + 1})
	}
	return append(objects, []byte{0x09})
}

func TestXMLPlist(t *testing.T) {
	n, err := parseTree([]byte(`<?xml version="1.0"?><!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "x"><plist version="1.0"><dict>
		<key>a</key><integer>18446744073709550397</integer><key>b</key><array><real>1.5</real><date>2026-01-02T03:04:05Z</date><data>
		TWFj
		</data></array><key>c</key><dict/><key>d</key><false/></dict></plist>`))
	if err != nil {
		t.Fatal(err)
	}
	list := n.at("b").list()
	if *n.at("a").number() != -1219 || len(list) != 3 || list[1].time() != time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC) || list[2].text() != "Mac" || n.at("d").is() || !n.at("c").there() {
		t.Error(n)
	}
	for _, bad := range []string{"<plist><dict><string>x</string></dict></plist>", "<plist><array><integer>1</array>", "<plist>", "<html><body></body></html>", strings.Repeat("<array>", 100)} {
		if n, err := parseTree([]byte(bad)); err == nil {
			t.Errorf("%q was taken as %v", bad, n)
		}
	}
}

func TestNode(t *testing.T) {
	for text, want := range map[string]int64{"85%": 85, "4,069 mAh": 4069, "0x10": 16, "12": 12, " 7 ": 7} {
		if n := (node{text}).number(); n == nil || *n != want {
			t.Errorf("%q is %v", text, n)
		}
	}
	for _, v := range []any{"x", nil, 1.5, []any{}, map[string]any{}} {
		if n := (node{v}).number(); n != nil {
			t.Errorf("%v is %d", v, *n)
		}
	}
}
