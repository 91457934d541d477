package main

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"slices"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// chunk is one of a PNG.
func chunk(name, content string) []byte {
	whole := binary.BigEndian.AppendUint32(nil, uint32(len(content)))
	whole = append(whole, name+content...)
	return binary.BigEndian.AppendUint32(whole, crc32.ChecksumIEEE(whole[4:]))
}

// segment is one of a JPEG.
func segment(marker byte, content string) []byte {
	return append(binary.BigEndian.AppendUint16([]byte{0xff, marker}, uint16(2+len(content))), content...)
}

// talkative are pictures whose files say more than what is seen.
func talkative(t testing.TB) (asPNG, asJPEG []byte) {
	t.Helper()
	picture := image.NewNRGBA(image.Rect(0, 0, 40, 30))
	for i := range picture.Pix {
		picture.Pix[i] = byte(i * 7)
	}
	var p, j bytes.Buffer
	if err := png.Encode(&p, picture); err != nil {
		t.Fatal(err)
	}
	if err := jpeg.Encode(&j, picture, &jpeg.Options{Quality: 90}); err != nil {
		t.Fatal(err)
	}
	const head = len("\x89PNG\r\n\x1a\n") + 25 // IHDR comes first
	asPNG = slices.Concat(p.Bytes()[:head], chunk("tEXt", "Comment\x00"+secret), chunk("iTXt", "XML:com.adobe.xmp\x00"+secret), chunk("eXIf", secret),
		chunk("iCCP", secret), chunk("tIME", secret[:7]), p.Bytes()[head:], []byte(secret))
	asJPEG = slices.Concat(j.Bytes()[:2], segment(0xe0, "JFIF\x00"+secret), segment(0xe1, "Exif\x00\x00"+secret), segment(0xe2, "ICC_PROFILE\x00"+secret), segment(0xed, secret),
		segment(0xfe, secret), j.Bytes()[2:], []byte(secret))
	return asPNG, asJPEG
}

// A picture leaves as it is seen, without what its file says beside.
func TestPicturesAreBare(t *testing.T) {
	asPNG, asJPEG := talkative(t)
	pictures, err := bare([][]byte{asPNG, asJPEG})
	if err != nil {
		t.Fatal(err)
	}
	for i, full := range [][]byte{asPNG, asJPEG} {
		look(t, "a picture", pictures[i])
		want, _, err := image.Decode(bytes.NewReader(full))
		if err != nil {
			t.Fatal(err)
		}
		got, kind, err := image.Decode(bytes.NewReader(pictures[i]))
		if err != nil {
			t.Fatalf("it can't be seen any more: %v", err)
		}
		for y := range want.Bounds().Dy() {
			for x := range want.Bounds().Dx() {
				if color.NRGBAModel.Convert(got.At(x, y)) != color.NRGBAModel.Convert(want.At(x, y)) {
					t.Fatalf("%s is another one at %d, %d", kind, x, y)
				}
			}
		}
	}
}

func TestOnlyPicturesAreSent(t *testing.T) {
	asPNG, asJPEG := talkative(t)
	for name, c := range map[string]struct {
		pictures [][]byte
		fine     bool
	}{
		"none":              {nil, true},
		"pictures":          {[][]byte{asPNG, asJPEG}, true},
		"a page":            {[][]byte{[]byte("<svg>")}, false},
		"the head of a PNG": {[][]byte{asPNG[:50]}, false},
		"half a JPEG":       {[][]byte{asJPEG[:len(asJPEG)/2]}, false},
		"too large":         {[][]byte{append(slices.Clone(asPNG), make([]byte, maxPicture)...)}, false},
		"too many":          {[][]byte{asPNG, asPNG, asPNG, asPNG}, false},
	} {
		if _, err := bare(c.pictures); (err == nil) != c.fine || err != nil && status.Code(err) != codes.InvalidArgument {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzBare(f *testing.F) {
	asPNG, asJPEG := talkative(f)
	f.Add(asPNG)
	f.Add(asJPEG)
	f.Add([]byte("\xff\xd8\xff\xff\xff\xda\x00\x04\x00\x00\xff"))
	f.Fuzz(func(t *testing.T, p []byte) {
		if pictures, err := bare([][]byte{p}); err == nil && len(pictures[0]) > len(p) {
			t.Errorf("%d bytes became %d", len(p), len(pictures[0]))
		}
	})
}
