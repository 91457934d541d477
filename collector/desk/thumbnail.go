package desk

import (
	"bytes"
	"image"
	"image/color"
	_ "image/gif" // decoders of the kinds of pictures that get a small one
	"image/jpeg"
	"image/png"
)

const (
	// thumbnailSide is the longer side of a small picture, in pixels: twice what
	// the console shows, for fine screens.
	thumbnailSide = 320
	// maxPixels bounds what is unpacked for one: a small file may hold a picture
	// of any size.
	maxPixels = 25_000_000
)

// oneAtOnce is held while a picture is unpacked, which takes up to 200 MB.
var oneAtOnce = make(chan struct{}, 1)

// thumbnail makes a small picture of a PNG, JPEG or GIF, anew from its pixels, so
// that nothing else that is in the file reaches a browser. Empty, never nil: it is
// no such picture, or one too large.
func thumbnail(content []byte) []byte {
	size, _, err := image.DecodeConfig(bytes.NewReader(content))
	if err != nil || size.Width <= 0 || size.Height <= 0 || size.Width > maxPixels/size.Height {
		return []byte{}
	}
	oneAtOnce <- struct{}{}
	defer func() { <-oneAtOnce }()
	picture, kind, err := image.Decode(bytes.NewReader(content))
	if err != nil {
		return []byte{}
	}
	small := shrink(picture, thumbnailSide)
	if kind == "jpeg" {
		small = turn(small, orientation(content))
	}
	var out bytes.Buffer
	if small.Opaque() {
		err = jpeg.Encode(&out, small, &jpeg.Options{Quality: 80})
	} else {
		err = png.Encode(&out, small)
	}
	if err != nil {
		return []byte{}
	}
	return out.Bytes()
}

// shrink makes a picture at most side pixels wide and high; each new pixel is the
// mean of up to 8 × 8 of those it stands for.
func shrink(picture image.Image, side int) *image.NRGBA {
	b := picture.Bounds()
	w, h := b.Dx(), b.Dy()
	if w >= h && w > side {
		w, h = side, max(1, h*side/w)
	} else if h > side {
		w, h = max(1, w*side/h), side
	}
	small := image.NewNRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		top, bottom := b.Dy()*y/h, max(b.Dy()*y/h+1, b.Dy()*(y+1)/h)
		for x := range w {
			left, right := b.Dx()*x/w, max(b.Dx()*x/w+1, b.Dx()*(x+1)/w)
			stepX, stepY := max(1, (right-left)/8), max(1, (bottom-top)/8)
			var r, g, bl, a, n uint64
			for sy := top; sy < bottom; sy += stepY {
				for sx := left; sx < right; sx += stepX {
					pr, pg, pb, pa := picture.At(b.Min.X+sx, b.Min.Y+sy).RGBA()
					r, g, bl, a, n = r+uint64(pr), g+uint64(pg), bl+uint64(pb), a+uint64(pa), n+1
				}
			}
			small.Set(x, y, color.RGBA64{uint16(r / n), uint16(g / n), uint16(bl / n), uint16(a / n)})
		}
	}
	return small
}

// orientation is how a camera was held, as the Exif part of a JPEG tells it: 1 to
// 8 (CIPA DC-008, tag 274), 1 when nothing is told.
func orientation(content []byte) int {
	at := bytes.Index(content[:min(len(content), 64<<10)], []byte("Exif\x00\x00"))
	if at < 0 {
		return 1
	}
	tiff := content[at+6:]
	u16 := func(i int) int {
		if i < 0 || i+2 > len(tiff) {
			return 0
		}
		if tiff[0] == 'M' {
			return int(tiff[i])<<8 | int(tiff[i+1])
		}
		return int(tiff[i+1])<<8 | int(tiff[i])
	}
	u32 := func(i int) int {
		if len(tiff) > 0 && tiff[0] == 'M' {
			return u16(i)<<16 | u16(i+2)
		}
		return u16(i+2)<<16 | u16(i)
	}
	directory := u32(4)
	if directory > len(tiff) {
		return 1
	}
	for i := range min(u16(directory), 64) {
		if entry := directory + 2 + 12*i; u16(entry) == 274 {
			if way := u16(entry + 8); way >= 1 && way <= 8 {
				return way
			}
		}
	}
	return 1
}

// turn sets a picture upright that was taken in that orientation.
func turn(picture *image.NRGBA, way int) *image.NRGBA {
	if way < 2 || way > 8 {
		return picture
	}
	w, h := picture.Rect.Dx(), picture.Rect.Dy()
	turned := image.NewNRGBA(image.Rect(0, 0, w, h))
	if way >= 5 {
		turned = image.NewNRGBA(image.Rect(0, 0, h, w))
	}
	for y := range h {
		for x := range w {
			// Where the pixel at x, y belongs: mirrored, turned by half, or laid
			// on its side.
			to := [...][2]int{2: {w - 1 - x, y}, 3: {w - 1 - x, h - 1 - y}, 4: {x, h - 1 - y}, 5: {y, x}, 6: {h - 1 - y, x}, 7: {h - 1 - y, w - 1 - x}, 8: {y, w - 1 - x}}[way]
			turned.SetNRGBA(to[0], to[1], picture.NRGBAAt(x, y))
		}
	}
	return turned
}
