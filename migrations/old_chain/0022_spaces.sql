-- Spaces that are made, filled beside the one that serves, switched to and dropped. A question is ranked in one of them.
--
-- state: filling: not ranked in yet; ready: was full once, ranks when the active one cannot; active: ranks; dropping: on
-- its way out, nothing is written to it any more. dimension: empty until the first vector came. queued_company,
-- queued_document: up to which document there are rows in `indexing`; empty: all have theirs, new ones by the trigger.
ALTER TABLE embedding_spaces
    ALTER COLUMN dimension DROP NOT NULL,
    ADD COLUMN state text NOT NULL DEFAULT 'filling' CHECK (state IN ('filling', 'ready', 'active', 'dropping')),
    ADD COLUMN changed_at timestamptz NOT NULL DEFAULT now(),
    ADD COLUMN filled_at timestamptz,
    ADD COLUMN queued_company bigint DEFAULT 0,
    ADD COLUMN queued_document bigint DEFAULT 0;
CREATE UNIQUE INDEX embedding_spaces_one_active ON embedding_spaces (state) WHERE state = 'active';

-- The one that most documents were embedded by serves on.
UPDATE embedding_spaces SET state = 'active', queued_company = NULL, queued_document = NULL WHERE id = (
    SELECT s.id FROM embedding_spaces s LEFT JOIN indexing i ON i.model = s.model
    GROUP BY s.id ORDER BY count(i.document_id) DESC, s.id DESC LIMIT 1);

-- What is to be embedded: a row for each document in each space. done: all its chunks have vectors there. version grows
-- with each change of the text, so that who embedded the old one ends nothing.
ALTER TABLE indexing RENAME TO indexing_before;
ALTER INDEX indexing_pkey RENAME TO indexing_before_pkey;
DROP INDEX indexing_due, indexing_done;
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
);
INSERT INTO indexing (company_id, document_id, space_id, version, done)
SELECT i.company_id, i.document_id, s.id, i.version, i.model IS NOT NULL AND i.model = s.model
FROM indexing_before i JOIN embedding_spaces s ON s.state = 'active';
DROP TABLE indexing_before;
CREATE INDEX indexing_due ON indexing (space_id, company_id, due_at) WHERE NOT done;
SELECT switchboard_isolate('indexing');

CREATE OR REPLACE FUNCTION indexing_wanted() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public AS $$
BEGIN
    -- Held against embedding_space_made(): either the new space is seen here, or this document by who queues for it.
    PERFORM pg_advisory_xact_lock_shared(hashtext('embedding_space'));
    INSERT INTO indexing AS i (company_id, document_id, space_id)
    SELECT NEW.company_id, NEW.id, s.id FROM embedding_spaces s WHERE s.state <> 'dropping' ORDER BY s.id
    ON CONFLICT (company_id, document_id, space_id) DO UPDATE
    SET version = i.version + 1, done = false, due_at = now(), attempts = 0, error = NULL;
    RETURN NULL;
END $$;

-- The space of a model, made if there is none: the first one of all is active at once.
CREATE FUNCTION embedding_space_made(of_model text) RETURNS embedding_spaces
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
        INSERT INTO embedding_spaces (model, state)
        SELECT of_model, CASE WHEN EXISTS (SELECT 1 FROM embedding_spaces s WHERE s.state = 'active')
                              THEN 'filling' ELSE 'active' END RETURNING * INTO met;
    END IF;
    RETURN met;
END $$;

-- The same with its index, which its first vector makes. Raises for a model that had another dimension.
CREATE OR REPLACE FUNCTION embedding_space(of_model text, of_dimension int) RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, public AS $$
DECLARE
    met embedding_spaces := embedding_space_made(of_model);
BEGIN
    IF met.dimension IS NULL THEN
        SELECT * INTO met FROM embedding_spaces s WHERE s.id = met.id FOR UPDATE;
    END IF;
    IF met.dimension IS NULL THEN
        UPDATE embedding_spaces s SET dimension = of_dimension WHERE s.id = met.id RETURNING * INTO met;
        EXECUTE format('CREATE INDEX IF NOT EXISTS embeddings_near_%s ON embeddings'
                       ' USING hnsw ((embedding::halfvec(%s)) halfvec_cosine_ops) WHERE space_id = %s',
                       met.id, met.dimension, met.id);
    END IF;
    IF met.dimension <> of_dimension THEN
        RAISE EXCEPTION 'model % has vectors of % dimensions, not %', of_model, met.dimension, of_dimension
            USING ERRCODE = 'data_exception';
    END IF;
    RETURN met.id;
END $$;

-- Rows in `indexing` for the next thousand documents that have none in this space yet; how many documents were looked
-- at. What somebody is deleting just now is left out.
CREATE FUNCTION indexing_queued(of_space bigint) RETURNS int
LANGUAGE plpgsql VOLATILE SET search_path = public, pg_temp SET plan_cache_mode = force_custom_plan AS $$
DECLARE
    behind embedding_spaces;
    companies bigint[];
    documents bigint[];
BEGIN
    SELECT * INTO behind FROM embedding_spaces s
    WHERE s.id = of_space AND s.queued_document IS NOT NULL AND s.state <> 'dropping' FOR UPDATE SKIP LOCKED;
    IF behind.id IS NULL THEN
        RETURN 0;
    END IF;
    SELECT array_agg(n.company_id), array_agg(n.id) INTO companies, documents FROM (
        SELECT d.company_id, d.id FROM documents d
        WHERE (d.company_id, d.id) > (behind.queued_company, behind.queued_document)
        ORDER BY d.company_id, d.id LIMIT 1000 FOR KEY SHARE SKIP LOCKED) n;
    INSERT INTO indexing (company_id, document_id, space_id)
    SELECT w.company, w.document, of_space FROM unnest(companies, documents) AS w (company, document)
    ON CONFLICT DO NOTHING;
    UPDATE embedding_spaces s SET queued_company = companies[array_upper(companies, 1)],
                                  queued_document = documents[array_upper(documents, 1)] WHERE s.id = of_space;
    RETURN coalesce(array_length(documents, 1), 0);
END $$;

-- The document that is due next in the first of these spaces that has one, going round the companies: of the first
-- company behind after_company, else of the first. It is due again when the lease is over. Ids only: whoever claims
-- works for that company then. A space in which nothing is left is full.
DROP FUNCTION claim_indexing;
CREATE FUNCTION claim_indexing(of_spaces bigint[], after_company bigint, lease_s double precision)
RETURNS TABLE (company_id bigint, document_id bigint, space_id bigint, version int, attempts int)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp
SET plan_cache_mode = force_custom_plan AS $$
#variable_conflict use_column
DECLARE
    one bigint;
    behind bigint;
BEGIN
    FOREACH one IN ARRAY of_spaces LOOP
        LOOP
            FOREACH behind IN ARRAY CASE WHEN after_company > 0 THEN ARRAY[after_company, 0] ELSE ARRAY[0] END LOOP
                RETURN QUERY
                WITH due AS (
                    SELECT i.company_id, i.document_id FROM indexing i
                    WHERE i.space_id = one AND i.company_id > behind AND NOT i.done AND i.due_at <= clock_timestamp()
                    ORDER BY i.company_id, i.due_at LIMIT 1 FOR UPDATE SKIP LOCKED)
                UPDATE indexing i
                SET attempts = i.attempts + 1, due_at = clock_timestamp() + make_interval(secs => lease_s)
                FROM due WHERE i.company_id = due.company_id AND i.document_id = due.document_id AND i.space_id = one
                RETURNING i.company_id, i.document_id, i.space_id, i.version, i.attempts;
                IF FOUND THEN
                    RETURN;
                END IF;
            END LOOP;
            EXIT WHEN indexing_queued(one) = 0;
        END LOOP;
        UPDATE embedding_spaces s
        SET filled_at = clock_timestamp(),
            changed_at = CASE WHEN s.state = 'filling' THEN clock_timestamp() ELSE s.changed_at END,
            state = CASE WHEN s.state = 'filling' THEN 'ready' ELSE s.state END
        WHERE s.id = one AND s.filled_at IS NULL AND s.dimension IS NOT NULL AND s.queued_document IS NULL
          AND s.state <> 'dropping' AND NOT EXISTS (SELECT 1 FROM indexing i WHERE i.space_id = one AND NOT i.done);
    END LOOP;
END $$;

-- A vector in a space that does not rank changes no search: results stay remembered while a new space is filled.
CREATE FUNCTION knowledge_vectors_came() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public AS $$
BEGIN
    INSERT INTO knowledge_versions AS v (company_id)
    SELECT DISTINCT c.company_id FROM changed c
    WHERE c.space_id IN (SELECT s.id FROM embedding_spaces s WHERE s.state IN ('ready', 'active')) ORDER BY 1
    ON CONFLICT (company_id) DO UPDATE SET version = v.version + 1;
    RETURN NULL;
END $$;
DROP TRIGGER vectors_came ON embeddings;
CREATE TRIGGER vectors_came AFTER INSERT ON embeddings REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION knowledge_vectors_came();

-- Which space ranked an answer's passages: its model, empty where the words were searched alone.
ALTER TABLE receipts ADD COLUMN space text;

GRANT EXECUTE ON FUNCTION embedding_space_made, claim_indexing TO switchboard_app;
