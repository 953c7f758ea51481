-- Embedding models, the documents that each of them still has to embed, and the vector indexes.

-- Queues a new or changed document for every embedding model that is not being dropped.
CREATE OR REPLACE FUNCTION indexing_wanted() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    -- Excludes add_embedding_model(): either this statement sees the new model, or indexing_queued() sees this document.
    PERFORM pg_advisory_xact_lock_shared(hashtext('embedding_models'));
    INSERT INTO indexing AS i (company_id, document_id, model_id)
    SELECT NEW.company_id, NEW.id, m.id FROM embedding_models m WHERE m.state <> 'dropping' ORDER BY m.id
    ON CONFLICT (company_id, document_id, model_id) DO UPDATE
    SET version = i.version + 1, done = false, due_at = now(), attempts = 0, error = NULL;
    RETURN NULL;
END $$;

CREATE OR REPLACE TRIGGER documents_changed AFTER INSERT OR UPDATE OF content_hash ON documents
    FOR EACH ROW EXECUTE FUNCTION indexing_wanted();

-- Returns the embedding model of this name, and adds it if there is none. The first of all is active at once.
CREATE OR REPLACE FUNCTION add_embedding_model(of_name text) RETURNS embedding_models
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    met embedding_models;
BEGIN
    SELECT * INTO met FROM embedding_models m WHERE m.name = of_name;
    IF met.id IS NULL THEN
        PERFORM pg_advisory_xact_lock(hashtext('embedding_models'));
        SELECT * INTO met FROM embedding_models m WHERE m.name = of_name;
    END IF;
    IF met.id IS NULL THEN
        INSERT INTO embedding_models (name, state)
        SELECT of_name, CASE WHEN EXISTS (SELECT 1 FROM embedding_models m WHERE m.state = 'active')
                              THEN 'filling' ELSE 'active' END RETURNING * INTO met;
    END IF;
    RETURN met;
END $$;

-- Returns the id of the embedding model of this name; adds it if there is none, and sets its dimension if it has none
-- yet. Raises data_exception if it already has another dimension.
CREATE OR REPLACE FUNCTION ensure_embedding_model(of_name text, of_dimension int) RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    met embedding_models := add_embedding_model(of_name);
BEGIN
    IF met.dimension IS NULL THEN
        SELECT * INTO met FROM embedding_models m WHERE m.id = met.id FOR UPDATE;
    END IF;
    IF met.dimension IS NULL THEN
        UPDATE embedding_models m SET dimension = of_dimension WHERE m.id = met.id RETURNING * INTO met;
    END IF;
    IF met.dimension <> of_dimension THEN
        RAISE EXCEPTION 'model % has vectors of % dimensions, not %', of_name, met.dimension, of_dimension
            USING ERRCODE = 'data_exception';
    END IF;
    RETURN met.id;
END $$;

-- Adds rows to `indexing` for the next thousand documents that have none for this model yet. Returns how many documents
-- were looked at. Documents that are being deleted at this moment are left out.
-- A caller that finds another one queueing the model's next documents waits for it: a thread that returned with nothing
-- would come back only with the next minute's wake-up, and until then the others would work alone.
CREATE OR REPLACE FUNCTION indexing_queued(of_model bigint) RETURNS int
LANGUAGE plpgsql VOLATILE SET search_path = public, pg_temp SET plan_cache_mode = force_custom_plan AS $$
DECLARE
    seen embedding_models;
    behind embedding_models;
    companies bigint[];
    documents bigint[];
BEGIN
    SELECT * INTO seen FROM embedding_models m
    WHERE m.id = of_model AND m.queued_document IS NOT NULL AND m.state <> 'dropping';
    IF seen.id IS NULL THEN
        RETURN 0;
    END IF;
    SELECT * INTO behind FROM embedding_models m
    WHERE m.id = of_model AND m.queued_document IS NOT NULL AND m.state <> 'dropping' FOR UPDATE;
    IF (seen.queued_company, seen.queued_document) IS DISTINCT FROM (behind.queued_company, behind.queued_document) THEN
        RETURN 1; -- others were queued while we waited: look again
    END IF;
    SELECT array_agg(n.company_id), array_agg(n.id) INTO companies, documents FROM (
        SELECT d.company_id, d.id FROM documents d
        WHERE (d.company_id, d.id) > (behind.queued_company, behind.queued_document)
        ORDER BY d.company_id, d.id LIMIT 1000 FOR KEY SHARE SKIP LOCKED) n;
    INSERT INTO indexing (company_id, document_id, model_id)
    SELECT w.company, w.document, of_model FROM unnest(companies, documents) AS w (company, document)
    ON CONFLICT DO NOTHING;
    UPDATE embedding_models m SET queued_company = companies[array_upper(companies, 1)],
                                  queued_document = documents[array_upper(documents, 1)] WHERE m.id = of_model;
    RETURN coalesce(array_length(documents, 1), 0);
END $$;

-- Claims the document that is due next for the first of these models that has one, in turn between companies: from the
-- first company after after_company, otherwise from the first of all. The document is due again when the lease ends.
-- Returns ids only; the caller then works for that company. A model with nothing left to embed is marked as filled.
CREATE OR REPLACE FUNCTION claim_indexing(of_models bigint[], after_company bigint, lease_s double precision)
RETURNS TABLE (company_id bigint, document_id bigint, model_id bigint, version int, attempts int)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp
SET plan_cache_mode = force_custom_plan AS $$
#variable_conflict use_column
DECLARE
    one bigint;
    behind bigint;
BEGIN
    FOREACH one IN ARRAY of_models LOOP
        LOOP
            FOREACH behind IN ARRAY CASE WHEN after_company > 0 THEN ARRAY[after_company, 0] ELSE ARRAY[0] END LOOP
                RETURN QUERY
                WITH due AS (
                    SELECT i.company_id, i.document_id FROM indexing i
                    WHERE i.model_id = one AND i.company_id > behind AND NOT i.done AND i.due_at <= clock_timestamp()
                    ORDER BY i.company_id, i.due_at LIMIT 1 FOR UPDATE SKIP LOCKED)
                UPDATE indexing i
                SET attempts = i.attempts + 1, due_at = clock_timestamp() + make_interval(secs => lease_s)
                FROM due WHERE i.company_id = due.company_id AND i.document_id = due.document_id AND i.model_id = one
                RETURNING i.company_id, i.document_id, i.model_id, i.version, i.attempts;
                IF FOUND THEN
                    RETURN;
                END IF;
            END LOOP;
            EXIT WHEN indexing_queued(one) = 0;
        END LOOP;
        UPDATE embedding_models m
        SET filled_at = clock_timestamp(),
            changed_at = CASE WHEN m.state = 'filling' THEN clock_timestamp() ELSE m.changed_at END,
            state = CASE WHEN m.state = 'filling' THEN 'ready' ELSE m.state END
        WHERE m.id = one AND m.filled_at IS NULL AND m.dimension IS NOT NULL AND m.queued_document IS NULL
          AND m.state <> 'dropping' AND NOT EXISTS (SELECT 1 FROM indexing i WHERE i.model_id = one AND NOT i.done);
    END LOOP;
END $$;

-- Vectors of a model that is not searched change no result, so cached results stay valid while a new model is filled.
CREATE OR REPLACE FUNCTION knowledge_vectors_came() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    INSERT INTO knowledge_versions AS v (company_id)
    SELECT DISTINCT c.company_id FROM changed c
    WHERE c.model_id IN (SELECT m.id FROM embedding_models m WHERE m.state IN ('ready', 'active')) ORDER BY 1
    ON CONFLICT (company_id) DO UPDATE SET version = v.version + 1;
    RETURN NULL;
END $$;

CREATE OR REPLACE TRIGGER vectors_came AFTER INSERT ON embeddings REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION knowledge_vectors_came();

-- Rejects vectors whose dimension is not their model'm. No index covers all vectors, so nothing else would check it.
CREATE OR REPLACE FUNCTION embeddings_fit() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM added a JOIN embedding_models m ON m.id = a.model_id
               WHERE vector_dims(a.embedding) <> m.dimension) THEN
        RAISE EXCEPTION 'a vector does not have the dimension of its model' USING ERRCODE = 'data_exception';
    END IF;
    RETURN NULL;
END $$;

CREATE OR REPLACE TRIGGER vectors_fit AFTER INSERT ON embeddings REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION embeddings_fit();

-- Whether a company has a complete index over its vectors of a model.
CREATE OR REPLACE FUNCTION knowledge_has_vector_index(company bigint, model bigint) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT coalesce((SELECT i.indisvalid FROM pg_index i
                     WHERE i.indexrelid = to_regclass(format('public.embeddings_hnsw_%s_%s', model, company))), false)
$$;

-- Returns hnsw.ef_search for a company: by the index's links (shared/store/knowledge/vector_indexes.py) and the
-- company's number of chunks, or higher where an audit measured too low a recall. With m = 24 and a longer build, 160
-- finds as much as 400 does with m = 16, in three quarters of the time.
CREATE OR REPLACE FUNCTION knowledge_list(company bigint, model bigint, chunks bigint) RETURNS int
LANGUAGE sql STABLE SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT greatest(
        CASE WHEN (SELECT g.reloptions @> '{m=24}' FROM pg_class g
                   WHERE g.oid = to_regclass(format('public.embeddings_hnsw_%s_%s', model, company)))
             THEN CASE WHEN chunks < 200000 THEN 120 ELSE 160 END
             ELSE CASE WHEN chunks < 200000 THEN 200 ELSE 400 END END,
        (SELECT a.ef_search FROM recall_audits a WHERE a.company_id = company))
$$;

-- ------------------------------------------------------------------ who may call what
REVOKE ALL ON FUNCTION indexing_wanted, add_embedding_model, ensure_embedding_model, indexing_queued, claim_indexing,
    knowledge_vectors_came, embeddings_fit, knowledge_has_vector_index, knowledge_list FROM PUBLIC, switchboard_app;
GRANT EXECUTE ON FUNCTION add_embedding_model, ensure_embedding_model, claim_indexing, knowledge_list TO switchboard_app;
