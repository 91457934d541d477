-- What the team knows, written down: articles, every version of them, what
-- faults they are about, and whether they helped.

-- +goose Up
CREATE TABLE articles (
    id         TEXT    NOT NULL PRIMARY KEY,
    -- draft | published | retired.
    state      TEXT    NOT NULL,
    -- team | everybody: who may read it once it is published.
    audience   TEXT    NOT NULL,
    -- Name of who answers for it; may be empty.
    owner      TEXT    NOT NULL,
    -- When it has to be looked at again; 0: never.
    review_at  BIGINT  NOT NULL,
    -- The newest of its versions.
    version    INTEGER NOT NULL,
    -- Its titles and texts, folded to lower case without accents, and its faults.
    words      TEXT    NOT NULL,
    created_at BIGINT  NOT NULL,
    updated_at BIGINT  NOT NULL
);
CREATE INDEX articles_by_state ON articles (state, updated_at);

CREATE TABLE article_versions (
    article_id TEXT    NOT NULL,
    version    INTEGER NOT NULL,
    at         BIGINT  NOT NULL,
    author     TEXT    NOT NULL,
    -- What was changed, in the author's words; may be empty.
    note       TEXT    NOT NULL,
    -- The number of the ticket that it was made from; 0: of none.
    ticket     INTEGER NOT NULL,
    -- ArticleText.
    content    BYTEA   NOT NULL,
    PRIMARY KEY (article_id, version)
);

CREATE TABLE article_faults (
    fault      TEXT NOT NULL,
    article_id TEXT NOT NULL,
    PRIMARY KEY (fault, article_id)
);
CREATE INDEX article_faults_by_article ON article_faults (article_id);

-- One voice of each reader and version; who changes their mind overwrites it.
CREATE TABLE article_ratings (
    article_id TEXT    NOT NULL,
    version    INTEGER NOT NULL,
    reader     TEXT    NOT NULL,
    at         BIGINT  NOT NULL,
    helped     INTEGER NOT NULL,
    unclear    TEXT    NOT NULL,
    PRIMARY KEY (article_id, version, reader)
);
