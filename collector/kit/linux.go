package kit

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"
)

// What both packages for Linux carry, beside the agent's own.
const (
	enrolmentFile = "etc/constat-agent/enrolment.env"
	summary       = "the collector that this computer's agent joins"
	description   = "The address of a collector and a token that enrols this computer there."
	maintainer    = "The administrator of this organisation <root@localhost>"
	// restart reaches an agent that is at work already. One that comes with it in
	// one go starts when it is configured, and reads the file then.
	restart = "if [ -d /run/systemd/system ] && [ ! -e /var/lib/constat-agent/identity.json ]; then\n  systemctl try-restart constat-agent.service >/dev/null 2>&1 || true\nfi\n"
)

// deb is a package for Debian that holds the enrolment (deb(5)).
func deb(version, enrolment string, now time.Time) ([]byte, error) {
	control := fmt.Sprintf("Package: constat-enrolment\nVersion: %s\nArchitecture: all\nMaintainer: %s\nSection: admin\nPriority: optional\nEnhances: constat-agent\nDescription: %s\n %s\n",
		version, maintainer, summary, description)
	about, err := packed(now, entry{"./", 0o755, ""}, entry{"./control", 0o644, control}, entry{"./postinst", 0o755, "#!/bin/sh\nset -e\n" + restart})
	if err != nil {
		return nil, err
	}
	// No configuration file of dpkg's: nobody is asked about the token of a later
	// package.
	data, err := packed(now, entry{"./", 0o755, ""}, entry{"./etc/", 0o755, ""}, entry{"./etc/constat-agent/", 0o755, ""}, entry{"./" + enrolmentFile, 0o600, enrolment})
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	out.WriteString("!<arch>\n")
	for _, member := range []struct {
		name    string
		content []byte
	}{{"debian-binary", []byte("2.0\n")}, {"control.tar.gz", about}, {"data.tar.gz", data}} {
		fmt.Fprintf(&out, "%-16s%-12d%-6d%-6d%-8s%-10d`\n", member.name, now.Unix(), 0, 0, "100644", len(member.content))
		out.Write(member.content)
		if len(member.content)%2 == 1 {
			out.WriteByte('\n')
		}
	}
	return out.Bytes(), nil
}

// entry is a file of an archive; a name that ends with a slash is a directory.
type entry struct {
	name    string
	mode    int64
	content string
}

func packed(now time.Time, entries ...entry) ([]byte, error) {
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	t := tar.NewWriter(z)
	for _, e := range entries {
		header := &tar.Header{Name: e.name, Mode: e.mode, Size: int64(len(e.content)), ModTime: now, Uname: "root", Gname: "root", Typeflag: tar.TypeReg, Format: tar.FormatGNU}
		if e.name[len(e.name)-1] == '/' {
			header.Typeflag = tar.TypeDir
		}
		if err := t.WriteHeader(header); err != nil {
			return nil, err
		}
		if _, err := t.Write([]byte(e.content)); err != nil {
			return nil, err
		}
	}
	err := errors.Join(t.Close(), z.Close())
	return out.Bytes(), err
}

// tag is a value of an RPM's header (rpm: docs/manual/format.md, tags.md).
type tag struct {
	number, kind, count uint32
	data                []byte
}

// The kinds of values, and what they are aligned to.
const (
	kindInt16    = 3
	kindInt32    = 4
	kindString   = 6
	kindBinary   = 7
	kindStrings  = 8
	kindWorded   = 9 // a string that could be there in more languages
	tagSignature = 62
	tagImmutable = 63
)

var alignment = map[uint32]int{kindInt16: 2, kindInt32: 4}

func number(tagNumber uint32, values ...uint32) tag {
	var data []byte
	for _, v := range values {
		data = binary.BigEndian.AppendUint32(data, v)
	}
	return tag{tagNumber, kindInt32, uint32(len(values)), data}
}

func short(tagNumber uint32, value uint16) tag {
	return tag{tagNumber, kindInt16, 1, binary.BigEndian.AppendUint16(nil, value)}
}

func words(tagNumber, kind uint32, values ...string) tag {
	var data []byte
	for _, v := range values {
		data = append(append(data, v...), 0)
	}
	return tag{tagNumber, kind, uint32(len(values)), data}
}

// header writes values as one header, whole under the tag of its region.
func header(region uint32, tags []tag) []byte {
	slices.SortFunc(tags, func(a, b tag) int { return int(a.number) - int(b.number) })
	var index, store []byte
	line := func(to []byte, number, kind, offset, count uint32) []byte {
		for _, v := range []uint32{number, kind, offset, count} {
			to = binary.BigEndian.AppendUint32(to, v)
		}
		return to
	}
	for _, t := range tags {
		for a := alignment[t.kind]; a > 1 && len(store)%a != 0; {
			store = append(store, 0)
		}
		index = line(index, t.number, t.kind, uint32(len(store)), t.count)
		store = append(store, t.data...)
	}
	first := line(nil, region, kindBinary, uint32(len(store)), 16)
	lines := uint32(len(tags) + 1)
	store = line(store, region, kindBinary, -(lines * 16), 16)
	out := []byte{0x8e, 0xad, 0xe8, 1, 0, 0, 0, 0}
	out = binary.BigEndian.AppendUint32(out, lines)
	out = binary.BigEndian.AppendUint32(out, uint32(len(store)))
	return slices.Concat(out, first, index, store)
}

// rpm is the same for systems with RPM.
func rpm(version, enrolment string, now time.Time) ([]byte, error) {
	const mode = 0o100600
	name := "constat-enrolment"
	var archive bytes.Buffer
	for _, file := range []struct {
		name, content string
		mode, links   int
	}{{"./" + enrolmentFile, enrolment, mode, 1}, {"TRAILER!!!", "", 0, 1}} {
		fmt.Fprintf(&archive, "070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%s\x00", 1, file.mode, 0, 0, file.links, now.Unix(),
			len(file.content), 0, 0, 0, 0, len(file.name)+1, 0, file.name)
		fill(&archive)
		archive.WriteString(file.content)
		fill(&archive)
	}
	var payload bytes.Buffer
	z := gzip.NewWriter(&payload)
	if _, err := z.Write(archive.Bytes()); err != nil {
		return nil, err
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	stamp, digest := uint32(now.Unix()), func(b []byte) string { return fmt.Sprintf("%x", sha256.Sum256(b)) }
	const equal, rpmlib = 1 << 3, 1<<24 | 1<<3 | 1<<1
	about := header(tagImmutable, []tag{
		words(100, kindStrings, "C"),
		words(1000, kindString, name), words(1001, kindString, version), words(1002, kindString, "1"),
		words(1004, kindWorded, summary), words(1005, kindWorded, description),
		number(1006, stamp), words(1007, kindString, "localhost"), number(1009, uint32(len(enrolment))),
		words(1014, kindString, "none"), words(1015, kindString, maintainer), words(1016, kindWorded, "Unspecified"),
		words(1021, kindString, "linux"), words(1022, kindString, "noarch"), words(1024, kindString, restart),
		number(1028, uint32(len(enrolment))), short(1030, mode), short(1033, 0), number(1034, stamp),
		words(1035, kindStrings, digest([]byte(enrolment))), words(1036, kindStrings, ""), number(1037, 0),
		words(1039, kindStrings, "root"), words(1040, kindStrings, "root"), words(1044, kindString, name+"-"+version+"-1.src.rpm"),
		number(1045, 1<<32-1), words(1047, kindStrings, name),
		number(1048, rpmlib, rpmlib), words(1049, kindStrings, "rpmlib(CompressedFileNames)", "rpmlib(PayloadFilesHavePrefix)"),
		words(1050, kindStrings, "3.0.4-1", "4.0-1"),
		words(1086, kindString, "/bin/sh"), number(1095, 1), number(1096, 1), words(1097, kindStrings, ""),
		number(1112, equal), words(1113, kindStrings, version+"-1"), number(1116, 0),
		words(1117, kindStrings, "enrolment.env"), words(1118, kindStrings, "/etc/constat-agent/"),
		words(1124, kindString, "cpio"), words(1125, kindString, "gzip"), words(1126, kindString, "9"),
		number(5011, 8), words(5092, kindStrings, digest(payload.Bytes())), number(5093, 8),
	})
	signature := header(tagSignature, []tag{
		words(273, kindString, digest(about)), number(1000, uint32(len(about)+payload.Len())), number(1007, uint32(archive.Len())),
	})
	for len(signature)%8 != 0 {
		signature = append(signature, 0)
	}
	lead := make([]byte, 96)
	copy(lead, []byte{0xed, 0xab, 0xee, 0xdb, 3, 0, 0, 0, 0, 0xff})
	copy(lead[10:75], name+"-"+version+"-1")
	lead[77], lead[79] = 1, 5
	return slices.Concat(lead, signature, about, payload.Bytes()), nil
}

func fill(b *bytes.Buffer) {
	for b.Len()%4 != 0 {
		b.WriteByte(0)
	}
}
