-- Knowledge: documents, their chunks, what BM25 needs to know about a company's words, and vectors.

CREATE TABLE collections (
    company_id bigint NOT NULL REFERENCES companies,
    id         bigint GENERATED ALWAYS AS IDENTITY,
    name       text NOT NULL CHECK (name <> ''),
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (company_id, id),
    CONSTRAINT collections_name CHECK (name_is_plain(name) AND name_key(name) <> '')
);
CREATE UNIQUE INDEX collections_name_once ON collections (company_id, name_key(name));
SELECT switchboard_isolate('collections');

CREATE TABLE documents (
    company_id    bigint NOT NULL REFERENCES companies,
    id            bigint GENERATED ALWAYS AS IDENTITY,
    collection_id bigint NOT NULL,
    source        text NOT NULL CHECK (source <> ''),   -- the owner's key: a path, an address; unique in a company
    title         text NOT NULL,
    language      text NOT NULL DEFAULT 'english',      -- a text search configuration; as text, because pg_upgrade
                                                        -- takes no column of type regconfig
    text          text NOT NULL,
    content_hash  bytea NOT NULL,                       -- SHA-256 of all that the chunks are made from
    chunk_count   int NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT now(),
    updated_at    timestamptz NOT NULL DEFAULT now(),
    kind          text NOT NULL DEFAULT 'text' CHECK (kind IN ('text', 'transcript')),
    category      text CHECK (category <> ''),
    dated_at      timestamptz,                          -- when it was said or written
    PRIMARY KEY (company_id, id),
    UNIQUE (company_id, source),
    FOREIGN KEY (company_id, collection_id) REFERENCES collections
);
CREATE INDEX documents_of_collection ON documents (company_id, collection_id);
CREATE INDEX documents_by_date ON documents (company_id, dated_at) WHERE dated_at IS NOT NULL;
CREATE INDEX documents_by_category ON documents (company_id, category) WHERE category IS NOT NULL;
SELECT switchboard_isolate('documents');

-- A document that is replaced deletes all of its chunks and lexemes. What the planner knows of these decides between
-- the ways to search, so they are analyzed soon.
CREATE TABLE chunks (
    company_id  bigint NOT NULL REFERENCES companies,
    id          bigint GENERATED ALWAYS AS IDENTITY,
    document_id bigint NOT NULL,
    ordinal     int NOT NULL CHECK (ordinal >= 0),
    language    text NOT NULL,
    title       text NOT NULL,                          -- the document's, then the headings above the chunk
    text        text NOT NULL,
    start_char  int NOT NULL CHECK (start_char >= 0),   -- where it begins in documents.text, in characters
    tsv         tsvector NOT NULL,
    length      int NOT NULL CHECK (length >= 0),       -- lexemes counted with repetition: BM25's document length
    PRIMARY KEY (company_id, id),
    UNIQUE (company_id, document_id, ordinal),
    FOREIGN KEY (company_id, document_id) REFERENCES documents ON DELETE CASCADE
) WITH (autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.02);
CREATE INDEX chunks_words ON chunks USING gin (knowledge_keys(company_id, language, tsv)) WITH (fastupdate = off);
SELECT switchboard_isolate('chunks');
-- A chunk is replaced and never changed, so that the counts below need to follow inserts and deletes only.
REVOKE UPDATE ON chunks FROM switchboard_app;

-- Who speaks in a chunk of a transcript; found without regard to case.
CREATE TABLE chunk_speakers (
    company_id bigint NOT NULL REFERENCES companies,
    chunk_id   bigint NOT NULL,
    speaker    text NOT NULL CHECK (speaker <> ''),
    PRIMARY KEY (company_id, chunk_id, speaker),
    FOREIGN KEY (company_id, chunk_id) REFERENCES chunks ON DELETE CASCADE
);
CREATE INDEX chunk_speakers_by_name ON chunk_speakers (company_id, lower(speaker), chunk_id);
SELECT switchboard_isolate('chunk_speakers');
REVOKE UPDATE ON chunk_speakers FROM switchboard_app;

-- In how many chunks of one language a word stands. Triggers keep it (functions/knowledge_documents.sql).
CREATE TABLE lexemes (
    company_id bigint NOT NULL REFERENCES companies,
    language   text NOT NULL,
    lexeme     text NOT NULL,
    chunks     int NOT NULL,
    PRIMARY KEY (company_id, language, lexeme)
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.02);
SELECT switchboard_isolate('lexemes');

CREATE TABLE knowledge_stats (
    company_id   bigint NOT NULL REFERENCES companies,
    language     text NOT NULL,
    chunks       bigint NOT NULL DEFAULT 0,
    total_length bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (company_id, language)
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);
SELECT switchboard_isolate('knowledge_stats');

-- A number that grows with every change of what a company's searches can find: results are cached under it, so that
-- nothing outlives what it was found in.
CREATE TABLE knowledge_versions (
    company_id bigint PRIMARY KEY REFERENCES companies,
    version    bigint NOT NULL DEFAULT 1
) WITH (fillfactor = 80);
SELECT switchboard_isolate('knowledge_versions');

-- What one conversation's questions are answered from: a filter, whose form knowledge_check_filter() tells.
CREATE TABLE chat_filters (
    company_id      bigint NOT NULL REFERENCES companies,
    conversation_id bigint NOT NULL,
    wanted          jsonb NOT NULL CHECK (jsonb_typeof(wanted) = 'object'),
    updated_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (company_id, conversation_id),
    FOREIGN KEY (company_id, conversation_id) REFERENCES conversations ON DELETE CASCADE
);
SELECT switchboard_isolate('chat_filters');

-- What is asked often: which message asks it in the commonest form, and how often lately. Ids only: whoever erases the
-- message has erased the question.
CREATE TABLE popular_questions (
    company_id bigint NOT NULL REFERENCES companies,
    message_id bigint NOT NULL,
    asked      int NOT NULL CHECK (asked > 0),
    PRIMARY KEY (company_id, message_id)
);
SELECT switchboard_isolate('popular_questions');

-- ------------------------------------------------------------------ imports
-- What is to become a document: files that were sent, pages that are to be fetched. A row each, so that whatever stops
-- half-way goes on, progress can be counted, and what cannot be read stands there with its reason.
CREATE TABLE imports (
    company_id  bigint NOT NULL REFERENCES companies,
    id          bigint GENERATED ALWAYS AS IDENTITY,
    source      text NOT NULL CHECK (source <> ''),     -- the document's: a path, an address
    name        text NOT NULL,                          -- what it is called, which tells its format
    kind        text NOT NULL CHECK (kind IN ('file', 'page', 'site')),  -- site: a sitemap, which becomes pages
    media_type  text,
    described   jsonb NOT NULL DEFAULT '{}',            -- title, collection, language, category, dated_at
    body        bytea,                                  -- of a file, until it is done
    state       text NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'done', 'parked')),
    reason      text,                                   -- why it is parked, or why it waits
    document_id bigint,
    attempts    int NOT NULL DEFAULT 0,
    version     int NOT NULL DEFAULT 1,                 -- grows when it is queued anew: fences who had the old one
    due_at      timestamptz NOT NULL DEFAULT now(),
    created_at  timestamptz NOT NULL DEFAULT now(),
    updated_at  timestamptz NOT NULL DEFAULT now(),
    site        text,                                   -- which sitemap named a page last
    left_at     timestamptz,                            -- since when it names it no more
    -- A page that has not changed is not read again.
    lastmod     text,                                   -- when its sitemap says that it changed, as it says it
    seen        jsonb,                                  -- what the site answers to tell whether it did: {"etag",
                                                        -- "modified", "as": version of what makes a document of it}
    PRIMARY KEY (company_id, id),
    UNIQUE (company_id, source)
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02);
CREATE INDEX imports_due ON imports (company_id, due_at) WHERE state = 'queued';
CREATE INDEX imports_by_state ON imports (company_id, state, id);
CREATE INDEX imports_of_site ON imports (company_id, site) WHERE site IS NOT NULL;
SELECT switchboard_isolate('imports');

-- ------------------------------------------------------------------ vectors
-- Spaces (a model and its dimension) that are made, filled beside the one that serves, switched to and dropped. A
-- question is ranked in one of them; a vector is compared inside its space only.
--
-- state: filling: not ranked in yet; ready: was full once, ranks when the active one cannot; active: ranks; dropping:
-- on its way out, nothing is written to it any more. queued_company, queued_document: up to which document there are
-- rows in `indexing`; empty: all have theirs, new ones by the trigger.
CREATE TABLE embedding_spaces (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    model           text NOT NULL UNIQUE CHECK (model <> ''),
    dimension       int CHECK (dimension BETWEEN 1 AND 4000),   -- what HNSW takes of halfvec; empty until the first
                                                                -- vector came
    created_at      timestamptz NOT NULL DEFAULT now(),
    state           text NOT NULL DEFAULT 'filling' CHECK (state IN ('filling', 'ready', 'active', 'dropping')),
    changed_at      timestamptz NOT NULL DEFAULT now(),
    filled_at       timestamptz,
    queued_company  bigint DEFAULT 0,
    queued_document bigint DEFAULT 0
);
CREATE UNIQUE INDEX embedding_spaces_one_active ON embedding_spaces (state) WHERE state = 'active';
REVOKE INSERT, UPDATE, DELETE ON embedding_spaces FROM switchboard_app;

-- Narrow and apart from the text, and hash-partitioned by company.
--
-- Nearness is by a graph for each company that has too much for an exact search, instead of one of all companies: a
-- graph that several share is walked through everybody's neighbours until enough of one's own have come, so a company
-- beside one ten times its size waits ten times as long, and gets too few where its questions are about what the other
-- writes of. A small company needs none: each of its vectors is looked at, and none of its inserts keeps a graph. A
-- task makes the graphs outside of transactions (shared/store/knowledge/vector_indexes.py); until then a search is
-- exact, and right.
CREATE TABLE embeddings (
    company_id bigint NOT NULL REFERENCES companies,
    chunk_id   bigint NOT NULL,
    space_id   bigint NOT NULL REFERENCES embedding_spaces,
    embedding  halfvec NOT NULL,                        -- of length 1 and its space's dimension, which a trigger checks
    PRIMARY KEY (company_id, chunk_id, space_id),       -- in this order: a deleted chunk finds its vectors by it
    FOREIGN KEY (company_id, chunk_id) REFERENCES chunks ON DELETE CASCADE
) PARTITION BY HASH (company_id);
SELECT switchboard_isolate('embeddings');
REVOKE UPDATE ON embeddings FROM switchboard_app;       -- a vector is made anew with its chunk

-- A partition reached directly would not ask the parent's policy, so the application role may not.
DO $$
DECLARE
    child text;
BEGIN
    FOR part IN 0..15 LOOP
        child := format('embeddings_%s', lpad(part::text, 2, '0'));
        EXECUTE format('CREATE TABLE %I PARTITION OF embeddings FOR VALUES WITH (MODULUS 16, REMAINDER %s)',
                       child, part);
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', child);
        EXECUTE format('REVOKE ALL ON %I FROM switchboard_app', child);
    END LOOP;
END $$;

-- What is to be embedded: a row for each document in each space. done: all its chunks have vectors there. version grows
-- with each change of the text, so that who embedded the old one ends nothing.
-- Claimed from a partial index, as turns are; an import of a site makes thousands of rows at once: vacuumed early.
CREATE TABLE indexing (
    company_id  bigint NOT NULL REFERENCES companies,
    document_id bigint NOT NULL,
    space_id    bigint NOT NULL REFERENCES embedding_spaces,
    version     int NOT NULL DEFAULT 1,
    done        boolean NOT NULL DEFAULT false,
    due_at      timestamptz NOT NULL DEFAULT now(),
    attempts    int NOT NULL DEFAULT 0,
    error       text,
    PRIMARY KEY (company_id, document_id, space_id),
    FOREIGN KEY (company_id, document_id) REFERENCES documents ON DELETE CASCADE
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000,
        autovacuum_analyze_scale_factor = 0.02);
CREATE INDEX indexing_due ON indexing (space_id, company_id, due_at) WHERE NOT done;
SELECT switchboard_isolate('indexing');

-- How much of what is nearest a graph finds, company by company, as last measured; ef_search: how far it looks since,
-- beyond what knowledge_list() says by the company's size.
CREATE TABLE recall_audits (
    company_id  bigint PRIMARY KEY REFERENCES companies,
    ef_search   int NOT NULL DEFAULT 200 CHECK (ef_search BETWEEN 100 AND 1000),
    recall      double precision NOT NULL CHECK (recall BETWEEN 0 AND 1),
    questions   int NOT NULL,
    measured_at timestamptz NOT NULL DEFAULT now()
);
SELECT switchboard_isolate('recall_audits');
