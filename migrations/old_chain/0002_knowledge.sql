-- Knowledge: documents, their chunks, and what BM25 needs to know about a company's words.
--
-- Search stands in a SECURITY DEFINER function: `@@` is not leakproof, so under row-level security the planner
-- would apply the policy first and could not use the GIN index.

CREATE TABLE collections (
    company_id bigint NOT NULL REFERENCES companies,
    id         bigint GENERATED ALWAYS AS IDENTITY,
    name       text NOT NULL CHECK (name <> ''),
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (company_id, id),
    UNIQUE (company_id, name)
);
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
    PRIMARY KEY (company_id, id),
    UNIQUE (company_id, source),
    FOREIGN KEY (company_id, collection_id) REFERENCES collections
);
CREATE INDEX documents_of_collection ON documents (company_id, collection_id);
SELECT switchboard_isolate('documents');

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
);
CREATE INDEX chunks_words ON chunks USING gin (tsv) WITH (fastupdate = off);
SELECT switchboard_isolate('chunks');
-- A chunk is replaced and never changed, so that the counts below need to follow inserts and deletes only.
REVOKE UPDATE ON chunks FROM switchboard_app;

-- In how many chunks of one language a word stands.
CREATE TABLE lexemes (
    company_id bigint NOT NULL REFERENCES companies,
    language   text NOT NULL,
    lexeme     text NOT NULL,
    chunks     int NOT NULL,
    PRIMARY KEY (company_id, language, lexeme)
) WITH (fillfactor = 80);
SELECT switchboard_isolate('lexemes');

CREATE TABLE knowledge_stats (
    company_id   bigint NOT NULL REFERENCES companies,
    language     text NOT NULL,
    chunks       bigint NOT NULL DEFAULT 0,
    total_length bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (company_id, language)
) WITH (fillfactor = 80);
SELECT switchboard_isolate('knowledge_stats');

-- ------------------------------------------------------------------ words
-- The lexemes of a text. Chinese, Japanese and Korean are written without the spaces that the parser divides
-- by, so their runs are taken as overlapping pairs of characters.
CREATE FUNCTION knowledge_tsvector(language text, body text) RETURNS tsvector
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog AS $$
DECLARE
    wide text := '[\u1100-\u11ff\u2e80-\u2fdf\u3005-\u3007\u3040-\u30ff\u3130-\u318f\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff]+';
    pairs text;
BEGIN
    IF body !~ wide THEN
        RETURN to_tsvector(language::regconfig, body);
    END IF;
    SELECT string_agg(substr(run.found[1], place, 2), ' ') INTO pairs
    FROM regexp_matches(body, wide, 'g') AS run(found),
         generate_series(1, greatest(length(run.found[1]) - 1, 1)) AS place;
    RETURN to_tsvector(language::regconfig, regexp_replace(body, wide, ' ', 'g')) || to_tsvector('simple', pairs);
END $$;

-- Lexemes counted with repetition.
CREATE FUNCTION knowledge_length(tsv tsvector) RETURNS int
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog AS $$
    SELECT coalesce(sum(cardinality(positions)), 0)::int FROM unnest(tsv)
$$;

-- ------------------------------------------------------------------ counts follow the chunks
-- As triggers, so that a deleted document, a cascade and a purge all keep them. The stats row is touched first:
-- it is the lock that keeps two writers of one company from meeting in different orders of lexemes.
CREATE FUNCTION knowledge_count() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public AS $$
DECLARE
    sign int := CASE TG_OP WHEN 'INSERT' THEN 1 ELSE -1 END;
BEGIN
    INSERT INTO knowledge_stats AS s (company_id, language, chunks, total_length)
    SELECT company_id, language, sign * count(*), sign * sum(length) FROM changed GROUP BY 1, 2 ORDER BY 1, 2
    ON CONFLICT (company_id, language) DO UPDATE
    SET chunks = s.chunks + EXCLUDED.chunks, total_length = s.total_length + EXCLUDED.total_length;

    INSERT INTO lexemes AS l (company_id, language, lexeme, chunks)
    SELECT company_id, language, word.lexeme, sign * count(*)
    FROM changed, unnest(tsv) AS word GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
    ON CONFLICT (company_id, language, lexeme) DO UPDATE SET chunks = l.chunks + EXCLUDED.chunks;

    IF sign < 0 THEN
        DELETE FROM lexemes AS l USING (SELECT DISTINCT company_id, language, word.lexeme
                                        FROM changed, unnest(tsv) AS word) AS gone
        WHERE l.company_id = gone.company_id AND l.language = gone.language AND l.lexeme = gone.lexeme
          AND l.chunks <= 0;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER chunks_added AFTER INSERT ON chunks REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION knowledge_count();
CREATE TRIGGER chunks_removed AFTER DELETE ON chunks REFERENCING OLD TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION knowledge_count();

-- ------------------------------------------------------------------ search
-- The question's words in each language that the company has documents in, with what each tells: the rarer,
-- the more. A word that no chunk has tells most of all, so that a question about something else looks like one.
CREATE FUNCTION knowledge_words(company bigint, question text)
RETURNS TABLE (language text, lexeme text, known boolean, idf double precision, mean_length double precision)
LANGUAGE sql STABLE SET search_path = pg_catalog, public AS $$
    SELECT s.language, word.lexeme, df.chunks > 0, ln(1 + (s.chunks - df.chunks + 0.5) / (df.chunks + 0.5)),
           greatest(s.total_length::double precision / s.chunks, 1)
    FROM knowledge_stats s
    CROSS JOIN LATERAL unnest(tsvector_to_array(knowledge_tsvector(s.language, question))) AS word(lexeme)
    -- One index look-up a word, whatever the planner believes of a table that was never analysed.
    CROSS JOIN LATERAL (SELECT coalesce((
        SELECT l.chunks FROM lexemes l
        WHERE l.company_id = s.company_id AND l.language = s.language AND l.lexeme = word.lexeme), 0)) AS df(chunks)
    WHERE s.company_id = company AND s.chunks > 0
$$;

-- The best chunks of a company for a question, best first; ties by chunk_id.
-- score: BM25 (k1 1.2, b 0.75) over the chunk's language. relevance: how much of what the question's words
-- tell (by idf) the chunk has, 0 to 1. Raises insufficient_privilege for a company that the transaction does
-- not work for.
CREATE FUNCTION knowledge_search(company bigint, question text, lim int)
RETURNS TABLE (chunk_id bigint, document_id bigint, title text, ordinal int, text text,
               score double precision, relevance double precision)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, public
SET plan_cache_mode = force_custom_plan AS $$
DECLARE
    asked text := left(question, 4096);
    part record;
    candidates bigint[] := '{}';
BEGIN
    IF company IS NULL OR NOT company = ANY (switchboard_companies()) THEN
        RAISE EXCEPTION 'this transaction does not work for company %', company
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    FOR part IN
        -- Words in every other chunk find nothing in particular, and in a large company their posting lists are
        -- what a search costs: the rarest words choose the candidates there.
        SELECT w.language, string_agg('''' || replace(replace(w.lexeme, '\', '\\'), '''', '''''') || '''', '|')::tsquery AS query
        FROM (SELECT k.language, k.lexeme, row_number() OVER (PARTITION BY k.language ORDER BY k.idf DESC, k.lexeme) AS place
              FROM knowledge_words(company, asked) k WHERE k.known) w
        JOIN knowledge_stats s ON s.company_id = company AND s.language = w.language
        WHERE w.place <= CASE WHEN s.chunks > 20000 THEN 8 ELSE 48 END
        GROUP BY w.language
    LOOP
        candidates := candidates || ARRAY(
            SELECT c.id FROM chunks c
            WHERE c.company_id = company AND c.language = part.language AND c.tsv @@ part.query
            ORDER BY ts_rank(c.tsv, part.query, 1) DESC, c.id LIMIT 100);  -- 50 ranked as well as 1000 in trials
    END LOOP;
    RETURN QUERY
    WITH words AS MATERIALIZED (SELECT * FROM knowledge_words(company, asked)),
    told AS (SELECT w.language, sum(w.idf) AS idf FROM words w GROUP BY w.language),
    scored AS (
        SELECT c.id, sum(w.idf * f.tf * 2.2 / (f.tf + 1.2 * (0.25 + 0.75 * c.length / w.mean_length))) AS bm25,
               sum(w.idf) / min(told.idf) AS share
        FROM chunks c
        CROSS JOIN LATERAL (SELECT u.lexeme, cardinality(u.positions) AS tf FROM unnest(c.tsv) u) f
        JOIN words w ON w.language = c.language AND w.lexeme = f.lexeme
        JOIN told ON told.language = c.language
        WHERE c.company_id = company AND c.id = ANY (candidates)
        GROUP BY c.id
        ORDER BY bm25 DESC, c.id LIMIT lim)
    SELECT c.id, c.document_id, c.title, c.ordinal, c.text, s.bm25, least(s.share, 1)
    FROM scored s JOIN chunks c ON c.company_id = company AND c.id = s.id
    ORDER BY s.bm25 DESC, c.id;
END $$;

GRANT EXECUTE ON FUNCTION knowledge_tsvector, knowledge_length, knowledge_search TO switchboard_app;
