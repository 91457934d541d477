package console

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"net/http"
	"path"
)

//go:embed static/*.js static/*.css static/*.svg static/*.LICENSE
var static embed.FS

// assets is the address of each file, with the hash of its content, so that a
// browser keeps it for ever and still gets the new one after an update.
var assets = func() map[string]string {
	files, err := static.ReadDir("static")
	if err != nil {
		panic(err)
	}
	addresses := map[string]string{}
	for _, file := range files {
		content, err := static.ReadFile("static/" + file.Name())
		if err != nil {
			panic(err)
		}
		sum := sha256.Sum256(content)
		addresses[file.Name()] = "/static/" + file.Name() + "?v=" + hex.EncodeToString(sum[:6])
	}
	return addresses
}()

// serveStatic gives one of the embedded files.
func serveStatic(w http.ResponseWriter, r *http.Request) {
	name := path.Base(r.PathValue("file"))
	address, known := assets[name]
	if !known {
		http.NotFound(w, r)
		return
	}
	if r.URL.RequestURI() == address {
		w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	http.ServeFileFS(w, r, static, "static/"+name)
}
