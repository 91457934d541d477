package gear

import (
	"bufio"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"strconv"
	"strings"

	"constat/internal/snmp"
)

// recordedTrees are what a recording holds: the standard MIBs, LLDP's and the
// makers'. The agent's own users, communities and access lists stand elsewhere
// (1.3.6.1.6.3) and are never asked.
var recordedTrees = []string{"1.3.6.1.2.1", "1.0.8802", "1.3.6.1.4.1"}

// unrecorded are tables about who talks to whom: routes, address tables,
// connections, users' sessions.
var unrecorded = []string{
	"1.3.6.1.2.1.3.", "1.3.6.1.2.1.4.20.", "1.3.6.1.2.1.4.21.", "1.3.6.1.2.1.4.22.", "1.3.6.1.2.1.4.24.", "1.3.6.1.2.1.4.34.", "1.3.6.1.2.1.4.35.",
	"1.3.6.1.2.1.6.", "1.3.6.1.2.1.7.", "1.3.6.1.2.1.14.", "1.3.6.1.2.1.15.", "1.3.6.1.2.1.25.4.", "1.3.6.1.2.1.25.5.", "1.3.6.1.2.1.25.6.",
	"1.3.6.1.4.1.9.9.41.", "1.3.6.1.4.1.9.9.380.1.4.", "1.3.6.1.4.1.9.9.392.", "1.3.6.1.4.1.9.9.656.", "1.3.6.1.4.1.9.9.599.", "1.3.6.1.4.1.14179.2.1.4.",
	"1.3.6.1.4.1.14179.2.1.6.", "1.3.6.1.4.1.14179.2.2.13.", "1.0.8802.1.1.1.1.2.2.", "1.0.8802.1.1.1.1.2.3.", "1.0.8802.1.1.1.1.2.4.", "1.0.8802.1.1.2.1.4.2.",
}

// plainTexts are the texts that say what a device is and not whose: models,
// versions, names of ports and parts. Every other text is made unreadable.
var plainTexts = []string{
	sysDescr, "1.3.6.1.2.1.2.2.1.2.", "1.3.6.1.2.1.31.1.1.1.1.", "1.3.6.1.2.1.47.1.1.1.1.2.", "1.3.6.1.2.1.47.1.1.1.1.7.", "1.3.6.1.2.1.47.1.1.1.1.8.",
	"1.3.6.1.2.1.47.1.1.1.1.9.", "1.3.6.1.2.1.47.1.1.1.1.10.", "1.3.6.1.2.1.47.1.1.1.1.12.", "1.3.6.1.2.1.47.1.1.1.1.13.", "1.3.6.1.4.1.9.9.13.1.",
	"1.3.6.1.4.1.9.9.48.1.1.1.2.", "1.3.6.1.4.1.9.9.221.1.1.1.1.3.", "1.3.6.1.4.1.9.9.23.1.2.1.1.5.", "1.3.6.1.4.1.9.9.23.1.2.1.1.7.", "1.3.6.1.4.1.9.9.23.1.2.1.1.8.",
	"1.0.8802.1.1.2.1.3.7.1.3.", "1.0.8802.1.1.2.1.3.7.1.4.", "1.0.8802.1.1.2.1.4.1.1.7.", "1.3.6.1.2.1.25.3.2.1.3.", "1.3.6.1.2.1.43.5.1.1.16.",
	"1.3.6.1.2.1.43.11.1.1.6.", "1.3.6.1.2.1.43.12.1.1.4.", "1.3.6.1.2.1.43.18.1.1.8.",
}

// bitTexts are OCTET STRINGs that are bits.
var bitTexts = []string{
	"1.3.6.1.4.1.9.9.23.1.2.1.1.9.", "1.0.8802.1.1.2.1.4.1.1.11.", "1.0.8802.1.1.2.1.4.1.1.12.", "1.3.6.1.4.1.9.9.402.1.2.1.5.", "1.3.6.1.2.1.25.3.5.1.2.",
	"1.3.6.1.4.1.9.9.46.1.6.1.1.4.", "1.3.6.1.4.1.9.9.46.1.6.1.1.17.", "1.3.6.1.4.1.9.9.46.1.6.1.1.18.", "1.3.6.1.4.1.9.9.46.1.6.1.1.19.",
	"1.3.6.1.2.1.17.7.1.4.2.1.4.", "1.3.6.1.2.1.17.7.1.4.2.1.5.", "1.3.6.1.2.1.17.7.1.4.3.1.2.", "1.3.6.1.2.1.17.7.1.4.3.1.4.",
}

// macIndexes are tables whose index ends in an address of a station.
var macIndexes = []string{"1.3.6.1.2.1.17.4.3.1.", "1.3.6.1.2.1.17.7.1.2.2.1.", "1.3.6.1.4.1.14179.2.2.1.1.", "1.3.6.1.4.1.9.9.513.1.1.1.1."}

// Record writes what a device answers as a recording for a bug report, in
// snmpsim's form (OID|type|value). Names, addresses and serial numbers are
// replaced, each always by the same within one recording, and by others in the
// next.
func Record(ctx context.Context, session *snmp.Session, to io.Writer) (lines int, err error) {
	r := &recorder{out: bufio.NewWriter(to)}
	_, _ = rand.Read(r.key[:])
	for _, tree := range recordedTrees {
		err = session.Walk(ctx, []string{tree}, func(_ int, index string, v snmp.Value) { r.write(tree+"."+index, v) })
		if err != nil {
			break
		}
	}
	if flushed := r.out.Flush(); err == nil {
		err = flushed
	}
	return r.lines, err
}

type recorder struct {
	out   *bufio.Writer
	key   [32]byte
	lines int
}

func startsWith(oid string, prefixes []string) bool {
	for _, p := range prefixes {
		if strings.HasPrefix(oid, p) {
			return true
		}
	}
	return false
}

func (r *recorder) write(oid string, v snmp.Value) {
	if startsWith(oid, unrecorded) {
		return
	}
	kind, value := v.Recorded()
	if raw := v.Bytes(); raw != nil {
		switch {
		case len(raw) == 0 || startsWith(oid, plainTexts) || startsWith(oid, bitTexts):
		case len(raw) == 6:
			kind, value = "4x", hex.EncodeToString(r.address(raw))
		default:
			kind, value = "4", "private-"+hex.EncodeToString(r.hash(raw)[:4])
		}
	} else if a, ok := v.Address(); ok && v.OID() == "" {
		sum := r.hash(a.AsSlice())
		kind, value = "64", fmt.Sprintf("198.18.%d.%d", sum[0], sum[1]) // RFC 2544: nobody's
	}
	if kind == "" {
		return
	}
	if startsWith(oid, macIndexes) {
		oid = r.index(oid)
	}
	r.lines++
	fmt.Fprintf(r.out, "%s|%s|%s\n", oid, kind, value)
}

func (r *recorder) hash(b []byte) []byte {
	mac := hmac.New(sha256.New, r.key[:])
	mac.Write(b)
	return mac.Sum(nil)
}

// address keeps the maker of a station's address and replaces the rest.
func (r *recorder) address(raw []byte) []byte {
	return append(append([]byte{}, raw[:3]...), r.hash(raw)[:3]...)
}

// index replaces the address that an index ends in.
func (r *recorder) index(oid string) string {
	parts := strings.Split(oid, ".")
	if len(parts) < 6 {
		return oid
	}
	last := parts[len(parts)-6:]
	raw := make([]byte, 6)
	for i, p := range last {
		n, err := strconv.ParseUint(p, 10, 8)
		if err != nil {
			return oid
		}
		raw[i] = byte(n)
	}
	for i, b := range r.address(raw) {
		last[i] = strconv.Itoa(int(b))
	}
	return strings.Join(parts, ".")
}
