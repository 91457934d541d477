package command

import (
	"bytes"
	"encoding/json"
	"testing"
)

func FuzzIndent(f *testing.F) {
	for _, text := range []string{
		`{}`, `[]`, `{"a":1,"b":[],"c":{},"d":[1,2,{"e":"}\"{\\"}],"f":null}`, `"x"`, `-1.5e3`, `{ "a" : [ ] , "b":[ [ ], { } ] }`, "{\"a\":\t\"é\\u0000:  ,\"}",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if !json.Valid(text) {
			return
		}
		var want bytes.Buffer
		if err := json.Indent(&want, bytes.TrimSpace(text), "", "  "); err != nil {
			t.Fatal(err)
		}
		if got := indent(nil, text); !bytes.Equal(got, want.Bytes()) {
			t.Errorf("%s\nwant\n%s", got, want.Bytes())
		}
	})
}
