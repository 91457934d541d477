package main

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"crypto/sha1"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"html"
	"strings"
	"time"
)

// identifier is what macOS knows the package by, for ever.
const identifier = "org.constat.agent"

// product is a package: one component, and the document that says where it may
// be installed.
type product struct {
	version string
	time    time.Time
	// processors it is for, as macOS names them: "x86_64,arm64". Another one is
	// refused by macOS' installer.
	processors string
}

func (p product) write(root, scripts string) ([]byte, error) {
	files, err := read(root)
	if err != nil {
		return nil, err
	}
	hooks, err := read(scripts)
	if err != nil {
		return nil, err
	}
	if p.version == "" || p.processors == "" || len(files) < 2 {
		return nil, errors.New("a package needs a version, processors and files")
	}
	payload, err := archive(files, p.time)
	if err != nil {
		return nil, err
	}
	hookArchive, err := archive(hooks, p.time)
	if err != nil {
		return nil, err
	}
	size := 0
	for _, f := range files {
		size += len(f.content)
	}
	kilobytes := (size + 1023) / 1024
	var calls strings.Builder
	for _, h := range hooks {
		if name := strings.TrimPrefix(h.path, "./"); name == "preinstall" || name == "postinstall" {
			fmt.Fprintf(&calls, "\n        <%s file=\"./%s\"/>", name, name)
		}
	}
	version := html.EscapeString(p.version)
	info := fmt.Sprintf(`<?xml version="1.0" encoding="utf-8"?>
<pkg-info format-version="2" identifier="%s" version="%s" install-location="/" auth="root" overwrite-permissions="true" relocatable="false" postinstall-action="none">
    <payload numberOfFiles="%d" installKBytes="%d"/>
    <scripts>%s
    </scripts>
</pkg-info>
`, identifier, version, len(files), kilobytes, calls.String())
	distribution := fmt.Sprintf(`<?xml version="1.0" encoding="utf-8"?>
<installer-gui-script minSpecVersion="2">
    <title>Constat</title>
    <options customize="never" require-scripts="false" rootVolumeOnly="true" hostArchitectures="%[4]s"/>
    <domains enable_anywhere="false" enable_currentUserHome="false" enable_localSystem="true"/>
    <volume-check>
        <allowed-os-versions>
            <os-version min="12.0"/>
        </allowed-os-versions>
    </volume-check>
    <choices-outline>
        <line choice="default">
            <line choice="%[1]s"/>
        </line>
    </choices-outline>
    <choice id="default"/>
    <choice id="%[1]s" visible="false">
        <pkg-ref id="%[1]s"/>
    </choice>
    <pkg-ref id="%[1]s" version="%[2]s" onConclusion="none" installKBytes="%[3]d">#agent.pkg</pkg-ref>
</installer-gui-script>
`, identifier, version, kilobytes, html.EscapeString(p.processors))
	return p.xar([]member{
		{name: "Distribution", content: []byte(distribution)},
		{name: "agent.pkg", inside: []member{
			{name: "Bom", content: bom(files, p.time)},
			{name: "PackageInfo", content: []byte(info)},
			{name: "Payload", content: payload},
			{name: "Scripts", content: hookArchive},
		}},
	})
}

// archive is files in cpio's old portable format (odc), compressed.
func archive(files []file, at time.Time) ([]byte, error) {
	var out bytes.Buffer
	z, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	entry := func(number int, f file) error {
		links := 1
		if f.mode&directory != 0 {
			links = 2
		}
		_, err := fmt.Fprintf(z, "070707%06o%06o%06o%06o%06o%06o%06o%011o%06o%011o%s\x00", 0, number, f.mode, 0, 0, links, 0,
			at.Unix(), len(f.path)+1, len(f.content), f.path)
		if err == nil {
			_, err = z.Write(f.content)
		}
		return err
	}
	for i, f := range files {
		if err := entry(i+1, f); err != nil {
			return nil, err
		}
	}
	if err := entry(0, file{path: "TRAILER!!!"}); err != nil {
		return nil, err
	}
	err = z.Close()
	return out.Bytes(), err
}

// member is a file in a xar archive, or a directory.
type member struct {
	name    string
	content []byte
	inside  []member
}

// xar writes an archive: a header, its table of contents, compressed, and after
// it the heap, which begins with the table's checksum.
func (p product) xar(members []member) ([]byte, error) {
	var heap, toc bytes.Buffer
	heap.Write(make([]byte, sha1.Size))
	stamp := p.time.Format("2006-01-02T15:04:05")
	fmt.Fprintf(&toc, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<xar>\n<toc>\n<creation-time>%s</creation-time>\n<checksum style=\"sha1\"><offset>0</offset><size>%d</size></checksum>\n", stamp, sha1.Size)
	number := 0
	var list func([]member)
	list = func(members []member) {
		for _, m := range members {
			number++
			kind, mode := "file", "0644"
			if m.inside != nil {
				kind, mode = "directory", "0755"
			}
			fmt.Fprintf(&toc, "<file id=\"%d\">\n<name>%s</name>\n<type>%s</type>\n<mode>%s</mode>\n<uid>0</uid><gid>0</gid><user>root</user><group>wheel</group>\n<mtime>%sZ</mtime>\n",
				number, html.EscapeString(m.name), kind, mode, stamp)
			if m.inside == nil {
				sum := sha1.Sum(m.content)
				digest := hex.EncodeToString(sum[:])
				fmt.Fprintf(&toc, "<data><length>%d</length><offset>%d</offset><size>%d</size><encoding style=\"application/octet-stream\"/><extracted-checksum style=\"sha1\">%s</extracted-checksum><archived-checksum style=\"sha1\">%s</archived-checksum></data>\n",
					len(m.content), heap.Len(), len(m.content), digest, digest)
				heap.Write(m.content)
			}
			list(m.inside)
			toc.WriteString("</file>\n")
		}
	}
	list(members)
	toc.WriteString("</toc>\n</xar>\n")
	var packed bytes.Buffer
	z := zlib.NewWriter(&packed)
	if _, err := z.Write(toc.Bytes()); err != nil {
		return nil, err
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	sum := sha1.Sum(packed.Bytes())
	copy(heap.Bytes(), sum[:])
	out := []byte("xar!")
	out = binary.BigEndian.AppendUint16(out, 28)
	out = binary.BigEndian.AppendUint16(out, 1)
	out = binary.BigEndian.AppendUint64(out, uint64(packed.Len()))
	out = binary.BigEndian.AppendUint64(out, uint64(toc.Len()))
	out = binary.BigEndian.AppendUint32(out, 1) // checksums are SHA-1
	return append(append(out, packed.Bytes()...), heap.Bytes()...), nil
}
