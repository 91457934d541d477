-- name: InsertArticle :exec
INSERT INTO articles (id, state, audience, owner, review_at, version, words, created_at, updated_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
ON CONFLICT (id) DO NOTHING;

-- name: UpdateArticle :execrows
-- Only while nobody else made a newer version.
UPDATE articles SET state = sqlc.arg(state), audience = sqlc.arg(audience), owner = sqlc.arg(owner), review_at = sqlc.arg(review_at),
    version = sqlc.arg(version), words = sqlc.arg(words), updated_at = sqlc.arg(updated_at)
WHERE id = sqlc.arg(id) AND version = sqlc.arg(seen);

-- name: GetArticle :one
SELECT * FROM articles WHERE id = $1;

-- name: ListArticles :many
-- The newest change first. Words are folded LIKE patterns; '' for any.
SELECT sqlc.embed(articles), sqlc.embed(article_versions) FROM articles
JOIN article_versions ON article_versions.article_id = articles.id AND article_versions.version = articles.version
WHERE (sqlc.arg(state) = '' OR state = sqlc.arg(state))
  AND (sqlc.arg(any_state) = 1 OR state <> 'retired')
  AND (sqlc.arg(pattern) = '' OR words LIKE sqlc.arg(pattern) ESCAPE '\')
ORDER BY articles.updated_at DESC, articles.id
LIMIT sqlc.arg(max_rows);

-- name: ArticlesOfFault :many
SELECT sqlc.embed(articles), sqlc.embed(article_versions) FROM articles
JOIN article_faults f ON f.article_id = articles.id
JOIN article_versions ON article_versions.article_id = articles.id AND article_versions.version = articles.version
WHERE f.fault = $1 AND articles.state = 'published'
ORDER BY articles.updated_at DESC, articles.id
LIMIT 10;

-- name: InsertArticleVersion :exec
INSERT INTO article_versions (article_id, version, at, author, note, ticket, content) VALUES ($1, $2, $3, $4, $5, $6, $7);

-- name: GetArticleVersion :one
SELECT * FROM article_versions WHERE article_id = $1 AND version = $2;

-- name: ListArticleVersions :many
SELECT article_id, version, at, author, note, ticket FROM article_versions WHERE article_id = $1 ORDER BY version DESC LIMIT 200;

-- name: DeleteArticleFaults :exec
DELETE FROM article_faults WHERE article_id = $1;

-- name: PutArticleFault :exec
INSERT INTO article_faults (fault, article_id) VALUES ($1, $2) ON CONFLICT (fault, article_id) DO NOTHING;

-- name: PutArticleRating :exec
INSERT INTO article_ratings (article_id, version, reader, at, helped, unclear) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (article_id, version, reader) DO UPDATE SET at = excluded.at, helped = excluded.helped, unclear = excluded.unclear;

-- name: CountArticleRatings :many
SELECT article_id, version, count(*) AS voices, CAST(sum(helped) AS BIGINT) AS helped FROM article_ratings
GROUP BY article_id, version;

-- name: ListArticleRatings :many
SELECT * FROM article_ratings WHERE article_id = $1 ORDER BY at DESC LIMIT 50;
