package lab

import (
	"encoding/binary"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
)

// Screen reads a dump of an X screen, as xwd and Xvfb -fbdir write it (X11/XWDFile.h,
// version 7): 25 words of 32 bits, big-endian, then the window's name, the colours,
// 12 bytes each, and rows of blue, green and red.
func Screen(dump []byte) (*image.NRGBA, error) {
	const words = 25
	if len(dump) < 4*words {
		return nil, fmt.Errorf("a dump of %d bytes", len(dump))
	}
	word := func(i int) int { return int(binary.BigEndian.Uint32(dump[4*i:])) }
	head, width, height, pixel, line, colours := word(0), word(4), word(5), word(11)/8, word(12), word(19)
	if begin := head + 12*colours; pixel < 3 || begin+height*line > len(dump) || width*pixel > line {
		return nil, fmt.Errorf("a dump of %d × %d pixels has %d bytes", width, height, len(dump))
	}
	picture := image.NewNRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			p := dump[head+12*colours+y*line+pixel*x:]
			picture.SetNRGBA(x, y, color.NRGBA{p[2], p[1], p[0], 255})
		}
	}
	return picture, nil
}

// Find gives the middle of what has nearly a colour, where at least some pixels do.
func Find(screen *image.NRGBA, c color.NRGBA, pixels int) (image.Point, bool) {
	var sum image.Point
	n := 0
	near := func(a, b uint8) bool { return max(a, b)-min(a, b) < 12 }
	for y := range screen.Bounds().Dy() {
		for x := range screen.Bounds().Dx() {
			if p := screen.NRGBAAt(x, y); near(p.R, c.R) && near(p.G, c.G) && near(p.B, c.B) {
				sum, n = sum.Add(image.Pt(x, y)), n+1
			}
		}
	}
	if n < max(pixels, 1) {
		return image.Point{}, false
	}
	return sum.Div(n), true
}

// WritePicture writes a picture as PNG.
func WritePicture(file string, picture image.Image) error {
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	if err := png.Encode(f, picture); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}
