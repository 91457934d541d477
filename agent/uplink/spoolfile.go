package uplink

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"sync"

	"google.golang.org/protobuf/proto"

	constatv1 "constat/proto/constat/v1"
)

// A spooled file is:
//
//	4 bytes  "CSP1"
//	4 bytes  length of the rest, big endian
//	4 bytes  CRC-32C of the rest, big endian
//	rest     the report in protobuf's wire form
//
// Protobuf alone would read a file cut at a field boundary, or one whose sectors
// came back as zeros, as a shorter report.
const (
	spoolMagic  = "CSP1"
	spoolHeader = len(spoolMagic) + 8
)

// castagnoli is made when a spool is used: making it costs every start.
var castagnoli = sync.OnceValue(func() *crc32.Table { return crc32.MakeTable(crc32.Castagnoli) })

func encodeReport(r *constatv1.Report) ([]byte, error) {
	body, err := proto.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("cannot encode a report: %w", err)
	}
	data := make([]byte, 0, spoolHeader+len(body))
	data = append(data, spoolMagic...)
	data = binary.BigEndian.AppendUint32(data, uint32(len(body)))
	data = binary.BigEndian.AppendUint32(data, crc32.Checksum(body, castagnoli()))
	return append(data, body...), nil
}

func decodeReport(data []byte) (*constatv1.Report, error) {
	if len(data) < spoolHeader || !bytes.HasPrefix(data, []byte(spoolMagic)) {
		return nil, errors.New("it does not start as a spooled report")
	}
	length := binary.BigEndian.Uint32(data[len(spoolMagic):])
	sum := binary.BigEndian.Uint32(data[len(spoolMagic)+4:])
	body := data[spoolHeader:]
	if uint64(len(body)) != uint64(length) {
		return nil, fmt.Errorf("it has %d bytes where %d were written", len(body), length)
	}
	if crc32.Checksum(body, castagnoli()) != sum {
		return nil, errors.New("its checksum is wrong")
	}
	r := new(constatv1.Report)
	if err := proto.Unmarshal(body, r); err != nil {
		return nil, fmt.Errorf("it is no report: %w", err)
	}
	return r, nil
}
