package courier

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"constat/collector/store"
)

// messageIDSetting is where the key of our Message-IDs is kept, sealed.
const messageIDSetting = "mail.messageIds"

// signed makes the Message-IDs of our mails, as ticket.7.ID.SIGN@host: an answer
// that names one belongs to the ticket, and nobody else can make one up.
type signed []byte

// thread is the id under which all mails of a ticket stand together.
const thread = "thread"

// messageIDs opens the key, which the first collector draws.
func (c *Courier) messageIDs(ctx context.Context) (signed, error) {
	sealed, err := c.store.Setting(ctx, messageIDSetting)
	if errors.Is(err, store.ErrNoSetting) {
		mine, err := c.key.Seal(messageIDSetting, []byte(rand.Text()))
		if err != nil {
			return nil, err
		}
		if sealed, err = c.store.AddSetting(ctx, messageIDSetting, mine); err != nil {
			return nil, err
		}
	} else if err != nil {
		return nil, err
	}
	return c.key.Open(messageIDSetting, sealed)
}

// of is the Message-ID, without its brackets, of a mail about a ticket (0: of none).
func (s signed) of(number int32, id, host string) string {
	local := fmt.Sprintf("ticket.%d.%s", number, id)
	return local + "." + s.sign(local) + "@" + host
}

func (s signed) sign(local string) string {
	mac := hmac.New(sha256.New, s)
	mac.Write([]byte("message-id " + local))
	return strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(mac.Sum(nil)[:15]))
}

// ticket is the number that a Message-ID of ours names, with or without brackets;
// false: it is not ours.
func (s signed) ticket(messageID string) (number int32, ours bool) {
	local, _, found := strings.Cut(strings.Trim(strings.TrimSpace(messageID), "<>"), "@")
	end := strings.LastIndexByte(local, '.')
	if !found || end < 0 || !hmac.Equal([]byte(strings.ToLower(local[end+1:])), []byte(s.sign(local[:end]))) {
		return 0, false
	}
	parts := strings.Split(local, ".")
	n, err := strconv.ParseInt(parts[1], 10, 32)
	return int32(n), err == nil
}
