-- Spaces of vectors, which documents are to be embedded in them, and graphs.

-- A document that is new or changed is to be embedded in every space that is not on its way out.
CREATE OR REPLACE FUNCTION indexing_wanted() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    -- Held against embedding_space_made(): either the new space is seen here, or this document by who queues for it.
    PERFORM pg_advisory_xact_lock_shared(hashtext('embedding_space'));
    INSERT INTO indexing AS i (company_id, document_id, space_id)
    SELECT NEW.company_id, NEW.id, s.id FROM embedding_spaces s WHERE s.state <> 'dropping' ORDER BY s.id
    ON CONFLICT (company_id, document_id, space_id) DO UPDATE
    SET version = i.version + 1, done = false, due_at = now(), attempts = 0, error = NULL;
    RETURN NULL;
END $$;

CREATE OR REPLACE TRIGGER documents_changed AFTER INSERT OR UPDATE OF content_hash ON documents
    FOR EACH ROW EXECUTE FUNCTION indexing_wanted();

-- The space of a model, made if there is none: the first one of all is active at once.
CREATE OR REPLACE FUNCTION embedding_space_made(of_model text) RETURNS embedding_spaces
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
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

-- The space of a model, which its first vector gives its dimension. Raises for a model that had another one.
CREATE OR REPLACE FUNCTION embedding_space(of_model text, of_dimension int) RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    met embedding_spaces := embedding_space_made(of_model);
BEGIN
    IF met.dimension IS NULL THEN
        SELECT * INTO met FROM embedding_spaces s WHERE s.id = met.id FOR UPDATE;
    END IF;
    IF met.dimension IS NULL THEN
        UPDATE embedding_spaces s SET dimension = of_dimension WHERE s.id = met.id RETURNING * INTO met;
    END IF;
    IF met.dimension <> of_dimension THEN
        RAISE EXCEPTION 'model % has vectors of % dimensions, not %', of_model, met.dimension, of_dimension
            USING ERRCODE = 'data_exception';
    END IF;
    RETURN met.id;
END $$;

-- Rows in `indexing` for the next thousand documents that have none in this space yet; how many documents were looked
-- at. What somebody is deleting just now is left out.
-- Who finds nothing due in a space while somebody else is queueing its next documents waits for those, instead of
-- leaving with nothing: a thread that leaves comes back with the next minute's wake-up, and so long the others work
-- alone.
CREATE OR REPLACE FUNCTION indexing_queued(of_space bigint) RETURNS int
LANGUAGE plpgsql VOLATILE SET search_path = public, pg_temp SET plan_cache_mode = force_custom_plan AS $$
DECLARE
    seen embedding_spaces;
    behind embedding_spaces;
    companies bigint[];
    documents bigint[];
BEGIN
    SELECT * INTO seen FROM embedding_spaces s
    WHERE s.id = of_space AND s.queued_document IS NOT NULL AND s.state <> 'dropping';
    IF seen.id IS NULL THEN
        RETURN 0;
    END IF;
    SELECT * INTO behind FROM embedding_spaces s
    WHERE s.id = of_space AND s.queued_document IS NOT NULL AND s.state <> 'dropping' FOR UPDATE;
    IF (seen.queued_company, seen.queued_document) IS DISTINCT FROM (behind.queued_company, behind.queued_document) THEN
        RETURN 1; -- some were queued while we waited: look again
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
CREATE OR REPLACE FUNCTION claim_indexing(of_spaces bigint[], after_company bigint, lease_s double precision)
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
CREATE OR REPLACE FUNCTION knowledge_vectors_came() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    INSERT INTO knowledge_versions AS v (company_id)
    SELECT DISTINCT c.company_id FROM changed c
    WHERE c.space_id IN (SELECT s.id FROM embedding_spaces s WHERE s.state IN ('ready', 'active')) ORDER BY 1
    ON CONFLICT (company_id) DO UPDATE SET version = v.version + 1;
    RETURN NULL;
END $$;

CREATE OR REPLACE TRIGGER vectors_came AFTER INSERT ON embeddings REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION knowledge_vectors_came();

-- A vector has its space's dimension: no index of all vectors says so.
CREATE OR REPLACE FUNCTION embeddings_fit() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM added a JOIN embedding_spaces s ON s.id = a.space_id
               WHERE vector_dims(a.embedding) <> s.dimension) THEN
        RAISE EXCEPTION 'a vector has another dimension than its space' USING ERRCODE = 'data_exception';
    END IF;
    RETURN NULL;
END $$;

CREATE OR REPLACE TRIGGER vectors_fit AFTER INSERT ON embeddings REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION embeddings_fit();

-- Whether a company has a whole graph of its vectors in a space.
CREATE OR REPLACE FUNCTION knowledge_graph(company bigint, space bigint) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT coalesce((SELECT i.indisvalid FROM pg_index i
                     WHERE i.indexrelid = to_regclass(format('public.embeddings_graph_%s_%s', space, company))), false)
$$;

-- How long a graph's list is: by its links (shared/store/knowledge/vector_indexes.py) and by the size of the company,
-- or longer where an audit found too little. With 24 links, looked for longer, 160 find what 400 do with 16, in three
-- quarters of the time.
CREATE OR REPLACE FUNCTION knowledge_list(company bigint, space bigint, chunks bigint) RETURNS int
LANGUAGE sql STABLE SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT greatest(
        CASE WHEN (SELECT g.reloptions @> '{m=24}' FROM pg_class g
                   WHERE g.oid = to_regclass(format('public.embeddings_graph_%s_%s', space, company)))
             THEN CASE WHEN chunks < 200000 THEN 120 ELSE 160 END
             ELSE CASE WHEN chunks < 200000 THEN 200 ELSE 400 END END,
        (SELECT a.ef_search FROM recall_audits a WHERE a.company_id = company))
$$;

-- ------------------------------------------------------------------ who may call what
REVOKE ALL ON FUNCTION indexing_wanted, embedding_space_made, embedding_space, indexing_queued, claim_indexing,
    knowledge_vectors_came, embeddings_fit, knowledge_graph, knowledge_list FROM PUBLIC, switchboard_app;
GRANT EXECUTE ON FUNCTION embedding_space_made, embedding_space, claim_indexing, knowledge_list TO switchboard_app;
