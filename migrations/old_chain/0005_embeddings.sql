-- Vectors beside the words: which chunks are near a question in meaning.
--
-- A vector belongs to a space (a model and its dimension) and is compared inside it only. The table is narrow and apart
-- from the text, and hash-partitioned by company, so that one company's HNSW graph holds few others'.

CREATE TABLE embedding_spaces (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    model      text NOT NULL UNIQUE CHECK (model <> ''),
    dimension  int NOT NULL CHECK (dimension BETWEEN 1 AND 4000),   -- what HNSW takes of halfvec
    created_at timestamptz NOT NULL DEFAULT now()
);
REVOKE INSERT, UPDATE, DELETE ON embedding_spaces FROM switchboard_app;

CREATE TABLE embeddings (
    company_id bigint NOT NULL REFERENCES companies,
    chunk_id   bigint NOT NULL,
    space_id   bigint NOT NULL REFERENCES embedding_spaces,
    embedding  halfvec NOT NULL,                        -- of length 1; each space's index checks its dimension
    PRIMARY KEY (company_id, chunk_id, space_id),       -- in this order: a deleted chunk finds its vectors by it
    FOREIGN KEY (company_id, chunk_id) REFERENCES chunks ON DELETE CASCADE
) PARTITION BY HASH (company_id);
SELECT switchboard_isolate('embeddings');
REVOKE UPDATE ON embeddings FROM switchboard_app;       -- a vector is made anew with its chunk

DO $$
DECLARE
    child text;
BEGIN
    FOR part IN 0..15 LOOP
        child := format('embeddings_%s', lpad(part::text, 2, '0'));
        EXECUTE format('CREATE TABLE %I PARTITION OF embeddings FOR VALUES WITH (MODULUS 16, REMAINDER %s)', child, part);
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', child);
        EXECUTE format('REVOKE ALL ON %I FROM switchboard_app', child);
    END LOOP;
END $$;

-- What is to be embedded: a row for each document. model: by which all its chunks have vectors, empty while they have
-- not. version grows with each change of the text, so that who embedded the old one ends nothing.
CREATE TABLE indexing (
    company_id  bigint NOT NULL REFERENCES companies,
    document_id bigint NOT NULL,
    version     int NOT NULL DEFAULT 1,
    model       text,
    due_at      timestamptz NOT NULL DEFAULT now(),
    attempts    int NOT NULL DEFAULT 0,
    error       text,
    PRIMARY KEY (company_id, document_id),
    FOREIGN KEY (company_id, document_id) REFERENCES documents ON DELETE CASCADE
);
CREATE INDEX indexing_due ON indexing (company_id, due_at) WHERE model IS NULL;
CREATE INDEX indexing_done ON indexing (model) WHERE model IS NOT NULL;
SELECT switchboard_isolate('indexing');

CREATE FUNCTION indexing_wanted() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public AS $$
BEGIN
    INSERT INTO indexing AS i (company_id, document_id) VALUES (NEW.company_id, NEW.id)
    ON CONFLICT (company_id, document_id) DO UPDATE
    SET version = i.version + 1, model = NULL, due_at = now(), attempts = 0, error = NULL;
    RETURN NULL;
END $$;
CREATE TRIGGER documents_changed AFTER INSERT OR UPDATE OF content_hash ON documents
    FOR EACH ROW EXECUTE FUNCTION indexing_wanted();
INSERT INTO indexing (company_id, document_id) SELECT company_id, id FROM documents;

-- The space of a model, made with its index when it is first met. Raises for a model that had another dimension.
CREATE FUNCTION embedding_space(of_model text, of_dimension int) RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, public AS $$
DECLARE
    met embedding_spaces;
BEGIN
    SELECT * INTO met FROM embedding_spaces s WHERE s.model = of_model;
    IF met.id IS NULL THEN
        PERFORM pg_advisory_xact_lock(hashtext('embedding_space'));
        SELECT * INTO met FROM embedding_spaces s WHERE s.model = of_model;
    END IF;
    IF met.id IS NULL THEN
        INSERT INTO embedding_spaces (model, dimension) VALUES (of_model, of_dimension) RETURNING * INTO met;
        EXECUTE format('CREATE INDEX embeddings_near_%s ON embeddings'
                       ' USING hnsw ((embedding::halfvec(%s)) halfvec_cosine_ops) WHERE space_id = %s',
                       met.id, met.dimension, met.id);
    END IF;
    IF met.dimension <> of_dimension THEN
        RAISE EXCEPTION 'model % has vectors of % dimensions, not %', of_model, met.dimension, of_dimension
            USING ERRCODE = 'data_exception';
    END IF;
    RETURN met.id;
END $$;

-- The document that is due next, of the first company behind after_company that has one. It is due again when the
-- lease is over. Ids only: whoever claims works for that company then. Where nothing is new, documents that another
-- model has embedded become new, a thousand at a time.
CREATE FUNCTION claim_indexing(of_model text, after_company bigint, lease_s double precision)
RETURNS TABLE (company_id bigint, document_id bigint, version int, attempts int)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp
SET plan_cache_mode = force_custom_plan AS $$
#variable_conflict use_column
BEGIN
    IF NOT EXISTS (SELECT 1 FROM indexing i WHERE i.model IS NULL) THEN
        UPDATE indexing i SET model = NULL, due_at = now(), attempts = 0
        FROM (SELECT o.company_id, o.document_id FROM indexing o WHERE o.model < of_model OR o.model > of_model
              LIMIT 1000 FOR UPDATE SKIP LOCKED) old
        WHERE i.company_id = old.company_id AND i.document_id = old.document_id;
    END IF;
    RETURN QUERY
    WITH due AS (
        SELECT i.company_id, i.document_id FROM indexing i
        WHERE i.company_id > after_company AND i.model IS NULL AND i.due_at <= clock_timestamp()
        ORDER BY i.company_id, i.due_at LIMIT 1 FOR UPDATE SKIP LOCKED)
    UPDATE indexing i SET attempts = i.attempts + 1, due_at = clock_timestamp() + make_interval(secs => lease_s)
    FROM due WHERE i.company_id = due.company_id AND i.document_id = due.document_id
    RETURNING i.company_id, i.document_id, i.version, i.attempts;
END $$;

-- The company's chunks nearest to a question in meaning, nearest first; ties by chunk_id. similarity: cosine.
-- As many as were asked for, or all that have vectors. Exact up to 20,000 chunks (at 38,000 it took 32 ms), beyond
-- that by HNSW. Raises insufficient_privilege for a company that the transaction does not work for.
CREATE FUNCTION knowledge_nearest(company bigint, space bigint, question halfvec, lim int)
RETURNS TABLE (chunk_id bigint, document_id bigint, title text, ordinal int, text text, similarity double precision)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, public
SET plan_cache_mode = force_custom_plan AS $$
DECLARE
    near bigint[];
BEGIN
    IF company IS NULL OR NOT company = ANY (switchboard_companies()) THEN
        RAISE EXCEPTION 'this transaction does not work for company %', company
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    IF (SELECT coalesce(sum(s.chunks), 0) > 20000 FROM knowledge_stats s WHERE s.company_id = company) THEN
        PERFORM set_config('hnsw.iterative_scan', 'relaxed_order', true), set_config('hnsw.ef_search', '100', true);
        -- Literals: the index is of one space, and one partition holds the company.
        EXECUTE format(
            'SELECT array_agg(n.chunk_id) FROM (SELECT e.chunk_id FROM embeddings e'
            ' WHERE e.company_id = %s AND e.space_id = %s'
            ' ORDER BY e.embedding::halfvec(%s) <=> $1::halfvec(%3$s) LIMIT $2) n',
            company, space, vector_dims(question)) INTO near USING question, lim;
    END IF;
    IF coalesce(cardinality(near), 0) < lim THEN
        -- A small company, or one whose rows the graph did not reach among its neighbours'. `+ 0`: not by the index.
        near := ARRAY(SELECT e.chunk_id FROM embeddings e WHERE e.company_id = company AND e.space_id = space
                      ORDER BY (e.embedding <=> question) + 0, e.chunk_id LIMIT lim);
    END IF;
    RETURN QUERY
    SELECT c.id, c.document_id, c.title, c.ordinal, c.text, 1 - (e.embedding <=> question)
    FROM embeddings e JOIN chunks c ON c.company_id = company AND c.id = e.chunk_id
    WHERE e.company_id = company AND e.space_id = space AND e.chunk_id = ANY (near)
    ORDER BY e.embedding <=> question, c.id;
END $$;

GRANT EXECUTE ON FUNCTION embedding_space, claim_indexing, knowledge_nearest TO switchboard_app;
