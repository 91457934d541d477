-- name: AddNotice :execrows
INSERT INTO notices (user_id, event_id, kind, number, title, actor, text, at, read_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0)
ON CONFLICT (user_id, event_id) DO NOTHING;

-- name: Notices :many
-- Somebody's, the newest first.
SELECT * FROM notices WHERE user_id = $1 ORDER BY at DESC, event_id DESC LIMIT $2;

-- name: Notice :one
SELECT * FROM notices WHERE user_id = $1 AND event_id = $2;

-- name: CountUnread :one
SELECT count(*) FROM notices WHERE user_id = $1 AND read_at = 0;

-- name: ReadNotices :execrows
-- Of one ticket, or of all with a number below 0.
UPDATE notices SET read_at = sqlc.arg(now)
WHERE user_id = sqlc.arg(user_id) AND read_at = 0 AND (CAST(sqlc.arg(number) AS INTEGER) < 0 OR number = sqlc.arg(number));

-- name: DeleteOldNotices :execrows
DELETE FROM notices WHERE at < $1;

-- name: AddToOutbox :execrows
INSERT INTO outbox (id, way, recipient, event_id, number, content, created_at, state, due_at, attempts, lease_owner, lease_until,
    problem, finished_at, address, subject, message_id)
VALUES (sqlc.arg(id), sqlc.arg(way), sqlc.arg(recipient), sqlc.arg(event_id), sqlc.arg(number), sqlc.arg(content), sqlc.arg(created_at),
    'waiting', sqlc.arg(due_at), 0, '', 0, '', 0, '', '', '')
ON CONFLICT (event_id, way, recipient) DO NOTHING;

-- name: ClaimOutbox :many
-- What is due and nobody sends. A claim that another was faster with matches no row
-- any more.
UPDATE outbox SET lease_owner = sqlc.arg(owner), lease_until = sqlc.arg(until)
WHERE id IN (SELECT due.id FROM outbox due WHERE due.state = 'waiting' AND due.due_at <= sqlc.arg(now) AND due.lease_until <= sqlc.arg(now)
             ORDER BY due.due_at, due.id LIMIT sqlc.arg(max_rows))
  AND state = 'waiting' AND lease_until <= sqlc.arg(now)
RETURNING *;

-- name: FinishOutbox :execrows
-- What became of a try. Who lost the lease changes nothing.
UPDATE outbox SET state = sqlc.arg(state), due_at = sqlc.arg(due_at), attempts = sqlc.arg(attempts), problem = sqlc.arg(problem),
    finished_at = sqlc.arg(finished_at), address = sqlc.arg(address), subject = sqlc.arg(subject), message_id = sqlc.arg(message_id),
    lease_owner = '', lease_until = 0
WHERE id = sqlc.arg(id) AND lease_owner = sqlc.arg(owner) AND state = 'waiting';

-- name: MailsTo :many
-- Mails that went to an address since a time, the newest first; several rows with one
-- message_id are one mail.
SELECT number, subject, message_id, finished_at FROM outbox
WHERE address = sqlc.arg(address) AND finished_at > sqlc.arg(since) AND state = 'sent' ORDER BY finished_at DESC LIMIT sqlc.arg(max_rows);

-- name: OutboxTroubles :many
-- What failed, or waits after a failure, the latest first.
SELECT * FROM outbox WHERE state = 'failed' OR (state = 'waiting' AND problem <> '') ORDER BY created_at DESC LIMIT $1;

-- name: CountOutbox :many
SELECT state, count(*) AS rows FROM outbox GROUP BY state ORDER BY state;

-- name: RetryOutbox :execrows
-- Tries anew what failed or waits.
UPDATE outbox SET state = 'waiting', due_at = sqlc.arg(now), attempts = 0
WHERE state = 'failed' OR (state = 'waiting' AND problem <> '' AND lease_until <= sqlc.arg(now));

-- name: DeleteOldOutbox :execrows
DELETE FROM outbox WHERE state <> 'waiting' AND finished_at < $1;

-- name: NoticeRules :many
SELECT * FROM notice_rules ORDER BY user_id;

-- name: NoticeRuleOf :one
SELECT * FROM notice_rules WHERE user_id = $1;

-- name: PutNoticeRule :exec
INSERT INTO notice_rules (user_id, zone, quiet_from, quiet_until, quiet_weekend, not_mailed) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (user_id) DO UPDATE SET zone = excluded.zone, quiet_from = excluded.quiet_from, quiet_until = excluded.quiet_until,
    quiet_weekend = excluded.quiet_weekend, not_mailed = excluded.not_mailed;

-- name: Webhooks :many
SELECT * FROM webhooks ORDER BY name;

-- name: Webhook :one
SELECT * FROM webhooks WHERE name = $1;

-- name: PutWebhook :exec
INSERT INTO webhooks (name, url, secret, kinds, inside, changed_at, sites) VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (name) DO UPDATE SET url = excluded.url, secret = excluded.secret, kinds = excluded.kinds, inside = excluded.inside,
    changed_at = excluded.changed_at, sites = excluded.sites;

-- name: DeleteWebhook :execrows
DELETE FROM webhooks WHERE name = $1;

-- name: SetUserMail :execrows
UPDATE users SET mail = $2 WHERE id = $1;

-- name: DeleteSetting :exec
DELETE FROM settings WHERE name = $1;
