package host

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
)

// listed is what the files of testdata hold, which zck 1.3 packed: without a
// dictionary, with one, and with sums of the unpacked chunks.
func listed() string {
	var b strings.Builder
	b.WriteString("<metadata>")
	for i := range 25 {
		fmt.Fprintf(&b, "<package type=\"rpm\"><name>tool%d</name><version epoch=\"0\" ver=\"1.%d\" rel=\"1.fc41\"/></package>\n", i, i)
	}
	return b.String() + "</metadata>\n"
}

func unpackZck(content []byte) (string, error) {
	z, err := newZck(bytes.NewReader(content))
	if err != nil {
		return "", err
	}
	defer z.Close()
	plain, err := io.ReadAll(io.LimitReader(z, 1<<20))
	return string(plain), err
}

// zckOf is a zchunk file that packs nothing and has no sums.
func zckOf(plain string) string {
	number := func(n int) string {
		var b []byte
		for ; n > 0x7f; n >>= 7 {
			b = append(b, byte(n&0x7f))
		}
		return string(append(b, byte(n)|0x80))
	}
	head := strings.Repeat("\x00", 32) + number(0) + number(zckPlain) + number(1) + number(3) + number(2) +
		strings.Repeat("\x00", 16) + number(0) + number(0) + strings.Repeat("\x00", 16) + number(len(plain)) + number(len(plain)) + number(0)
	return "\x00ZCK1" + number(1) + number(len(head)) + strings.Repeat("\x00", 32) + head + plain
}

func TestZck(t *testing.T) {
	for _, name := range []string{"plain", "dictionary", "sums"} {
		content, err := os.ReadFile("testdata/" + name + ".zck")
		if err != nil {
			t.Fatal(err)
		}
		if got, err := unpackZck(content); err != nil || got != listed() {
			t.Errorf("%s: %v, %.200q", name, err, got)
		}
		for _, cut := range []int{0, 4, 20, 60, len(content) / 2, len(content) - 1} {
			if got, err := unpackZck(content[:cut]); err == nil {
				t.Errorf("%s cut at %d: %.100q", name, cut, got)
			}
		}
	}
}

func FuzzZck(f *testing.F) {
	for _, name := range []string{"plain", "dictionary", "sums"} {
		content, err := os.ReadFile("testdata/" + name + ".zck")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(content)
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		if len(content) < 1<<16 {
			_, _ = unpackZck(content)
		}
	})
}
