package privileged

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"time"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// maxFilterSets is how many sets are read; rules that look into others stay
// undecided.
const maxFilterSets = 256

// readFilter returns the kernel's packet filter (nf_tables) as far as it
// touches what this machine sends and is sent: chains, rules and sets as the
// kernel's own netlink messages, one behind the other. Rules of the older
// iptables are not among them: where they are, that is an error.
func readFilter(ctx context.Context, _ string) ([]byte, error) {
	if names, err := os.ReadFile("/proc/net/ip_tables_names"); err == nil && len(names) > 0 {
		return nil, fmt.Errorf("rules of iptables-legacy are loaded, which only iptables-legacy shows: %w", errors.ErrUnsupported)
	}
	c, err := netlink.Dial(unix.NETLINK_NETFILTER, nil)
	if err != nil {
		return nil, fmt.Errorf("nf_tables: %w", err)
	}
	defer c.Close()
	defer context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Unix(1, 0)) })()
	f := &filterDump{conn: c}
	chains, err := f.dump(unix.NFT_MSG_GETCHAIN, 0, nil)
	if errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.EPROTONOSUPPORT) || errors.Is(err, unix.EINVAL) {
		return nil, fmt.Errorf("this kernel has no nf_tables: %w", fs.ErrNotExist)
	}
	if err != nil {
		return nil, err
	}
	var tables []filterTable
	for _, m := range chains {
		if table, ok := hooked(m.Data); ok && !slices.Contains(tables, table) {
			tables = append(tables, table)
		}
	}
	if err := f.keep(chains); err != nil {
		return nil, err
	}
	sets := 0
	for _, t := range tables {
		for _, command := range []int{unix.NFT_MSG_GETRULE, unix.NFT_MSG_GETSET} {
			answers, err := f.dump(command, t.family, map[uint16]string{1: t.name})
			if err == nil {
				err = f.keep(answers)
			}
			if err != nil {
				return nil, err
			}
			if command != unix.NFT_MSG_GETSET {
				continue
			}
			for _, m := range answers {
				if sets++; sets > maxFilterSets {
					break
				}
				elements, err := f.dump(unix.NFT_MSG_GETSETELEM, t.family, map[uint16]string{1: t.name, 2: attributeText(m.Data, unix.NFTA_SET_NAME)})
				if err != nil || f.keep(elements) != nil {
					continue // without its elements a set decides nothing
				}
			}
		}
	}
	return f.out, nil
}

// filterTable is a table that holds a chain of our own packets.
type filterTable struct {
	family byte
	name   string
}

// hooked tells the table of a chain that filters what comes in or goes out.
func hooked(chain []byte) (filterTable, bool) {
	ad, err := attributes(chain)
	if err != nil {
		return filterTable{}, false
	}
	t := filterTable{family: chain[0]}
	var relevant bool
	for ad.Next() {
		switch ad.Type() {
		case unix.NFTA_CHAIN_TABLE:
			t.name = ad.String()
		case unix.NFTA_CHAIN_HOOK:
			ad.Nested(func(hook *netlink.AttributeDecoder) error {
				hook.ByteOrder = binary.BigEndian
				for hook.Next() {
					if hook.Type() == unix.NFTA_HOOK_HOOKNUM {
						number := hook.Uint32()
						relevant = number == unix.NF_INET_LOCAL_IN || number == unix.NF_INET_LOCAL_OUT
					}
				}
				return nil
			})
		}
	}
	own := t.family == unix.NFPROTO_INET || t.family == unix.NFPROTO_IPV4 || t.family == unix.NFPROTO_IPV6
	return t, relevant && own && ad.Err() == nil
}

// attributes decodes a message of nf_tables behind its header of four bytes.
func attributes(content []byte) (*netlink.AttributeDecoder, error) {
	const header = 4 // struct nfgenmsg
	if len(content) < header {
		return nil, errors.New("nf_tables: a message without its header")
	}
	ad, err := netlink.NewAttributeDecoder(content[header:])
	if err == nil {
		ad.ByteOrder = binary.BigEndian
	}
	return ad, err
}

func attributeText(content []byte, kind uint16) string {
	ad, err := attributes(content)
	for err == nil && ad.Next() {
		if ad.Type() == kind {
			return ad.String()
		}
	}
	return ""
}

type filterDump struct {
	conn *netlink.Conn
	out  []byte
}

// dump asks for all of a kind that fit these names.
func (f *filterDump) dump(command int, family byte, names map[uint16]string) ([]netlink.Message, error) {
	ae := netlink.NewAttributeEncoder()
	for kind, name := range names {
		ae.String(kind, name)
	}
	wanted, err := ae.Encode()
	if err != nil {
		return nil, err
	}
	answers, err := f.conn.Execute(netlink.Message{
		Header: netlink.Header{Type: netlink.HeaderType(unix.NFNL_SUBSYS_NFTABLES<<8 | command), Flags: netlink.Request | netlink.Dump},
		Data:   append([]byte{family, unix.NFNETLINK_V0, 0, 0}, wanted...),
	})
	if err != nil {
		return nil, fmt.Errorf("nf_tables: %w", err)
	}
	return answers, nil
}

// keep adds messages to what is returned, all or none of them.
func (f *filterDump) keep(messages []netlink.Message) error {
	before := len(f.out)
	for _, m := range messages {
		raw, err := m.MarshalBinary()
		if err != nil {
			return fmt.Errorf("nf_tables: %w", err)
		}
		if f.out = append(f.out, raw...); len(f.out) > maxAnswer {
			f.out = f.out[:before]
			return fmt.Errorf("nf_tables: the rules take more than %d bytes", maxAnswer)
		}
	}
	return nil
}
