package tray

import (
	"bytes"
	_ "embed"
	"encoding/binary"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"runtime"
)

//go:embed icon.png
var iconPNG []byte

// marks are what is put into a corner of the icon: another shape for each state,
// so that it is told by more than its colour.
var marks = map[string]struct {
	colour color.NRGBA
	// inside tells whether a point belongs to it; both go from -1 to 1.
	inside func(x, y float64) bool
}{
	"working":  {color.NRGBA{0x1b, 0x5f, 0xb8, 0xff}, func(x, y float64) bool { r := x*x + y*y; return r < 1 && r > 0.35 }},
	"found":    {color.NRGBA{0xd9, 0x8a, 0x00, 0xff}, func(x, y float64) bool { return y < 0.9 && y > 2*abs(x)-1 }},
	"answered": {color.NRGBA{0x1c, 0x8b, 0x4c, 0xff}, func(x, y float64) bool { return abs(x) < 0.95 && abs(y) < 0.75 }},
	"asked":    {color.NRGBA{0xb0, 0x2a, 0x6b, 0xff}, func(x, y float64) bool { return abs(x)+abs(y) < 1 }},
	"away":     {color.NRGBA{0x70, 0x70, 0x70, 0xff}, func(x, y float64) bool { return abs(abs(x)-abs(y)) < 0.3 }},
}

func abs(x float64) float64 { return max(x, -x) }

// icon is the icon of a state, as this system wants it.
func icon(state string) []byte {
	mark, marked := marks[state]
	content := iconPNG
	if plain, err := png.Decode(bytes.NewReader(iconPNG)); marked && err == nil {
		content = withMark(plain, mark.colour, mark.inside)
	}
	if runtime.GOOS == "windows" {
		return ico(content)
	}
	return content
}

// withMark draws a mark into the lower right, with a light rim.
func withMark(plain image.Image, c color.NRGBA, inside func(x, y float64) bool) []byte {
	size := plain.Bounds().Size()
	picture := image.NewNRGBA(image.Rect(0, 0, size.X, size.Y))
	draw.Draw(picture, picture.Bounds(), plain, plain.Bounds().Min, draw.Src)
	radius := float64(size.X) * 0.3
	for _, layer := range []struct {
		colour color.NRGBA
		scale  float64
	}{{color.NRGBA{255, 255, 255, 255}, 1}, {c, 0.82}} {
		for y := range size.Y {
			for x := range size.X {
				dx := (float64(x) + 0.5 - (float64(size.X) - radius)) / (radius * layer.scale)
				dy := (float64(y) + 0.5 - (float64(size.Y) - radius)) / (radius * layer.scale)
				if inside(dx, dy) {
					picture.SetNRGBA(x, y, layer.colour)
				}
			}
		}
	}
	var out bytes.Buffer
	if png.Encode(&out, picture) != nil {
		return iconPNG
	}
	return out.Bytes()
}

// ico puts a PNG of 64 × 64 into the container that Windows takes.
func ico(content []byte) []byte {
	var out bytes.Buffer
	for _, part := range []any{
		[3]uint16{0, 1, 1}, [4]uint8{64, 64, 0, 0}, [2]uint16{1, 32}, [2]uint32{uint32(len(content)), 22},
	} {
		_ = binary.Write(&out, binary.LittleEndian, part) // into memory
	}
	out.Write(content)
	return out.Bytes()
}
