-- Nearness by a graph for each company that has too much for an exact search, instead of one of all companies.
--
-- A graph that several share is walked through everybody's neighbours until enough of one's own have come: a company
-- beside one ten times its size waits ten times as long, and gets too few where its questions are about what the other
-- writes of. A small company needs none: each of its vectors is looked at, and none of its inserts keeps a graph.
-- shared/flow/graphs.py makes them outside of transactions; until then a search is exact, and right.
DO $$
DECLARE
    shared_by_all regclass;
BEGIN
    FOR shared_by_all IN
        SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = 'public' AND c.relkind = 'I' AND c.relname ~ '^embeddings_near_[0-9]+$'
    LOOP
        EXECUTE format('DROP INDEX %s', shared_by_all);
    END LOOP;
END $$;

-- The space of a model, which its first vector gives its dimension. Raises for a model that had another one.
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
    END IF;
    IF met.dimension <> of_dimension THEN
        RAISE EXCEPTION 'model % has vectors of % dimensions, not %', of_model, met.dimension, of_dimension
            USING ERRCODE = 'data_exception';
    END IF;
    RETURN met.id;
END $$;

-- A vector has its space's dimension: no index of all vectors says so any more.
CREATE FUNCTION embeddings_fit() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM added a JOIN embedding_spaces s ON s.id = a.space_id
               WHERE vector_dims(a.embedding) <> s.dimension) THEN
        RAISE EXCEPTION 'a vector has another dimension than its space' USING ERRCODE = 'data_exception';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER vectors_fit AFTER INSERT ON embeddings REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION embeddings_fit();

-- Whether a company has a whole graph of its vectors in a space.
CREATE FUNCTION knowledge_graph(company bigint, space bigint) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, public AS $$
    SELECT coalesce((SELECT i.indisvalid FROM pg_index i
                     WHERE i.indexrelid = to_regclass(format('public.embeddings_graph_%s_%s', space, company))), false)
$$;

-- The company's chunks nearest to a question: as many as were asked for, or all that have vectors. By its graph where
-- it has one, exactly after all where that gave fewer than there are. Exact, too, where a filter leaves so little that
-- the graph would be walked for long: looking at a chunk through the filter costs 3 µs, a step of the graph 8, and one in
-- `total / there` counts. exact: never by the graph.
CREATE OR REPLACE FUNCTION knowledge_by_meaning(company bigint, space bigint, question halfvec, documents bigint[],
                                                speakers text[], lim int, exact boolean DEFAULT false) RETURNS bigint[]
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, public SET plan_cache_mode = force_custom_plan AS $$
DECLARE
    near bigint[];
    total bigint;
    there bigint;
BEGIN
    IF NOT exact AND knowledge_graph(company, space) THEN
        SELECT coalesce(sum(s.chunks), 0) INTO total FROM knowledge_stats s WHERE s.company_id = company;
        IF documents IS NULL THEN
            there := total;
        ELSE
            SELECT coalesce(sum(d.chunk_count), 0) INTO there FROM documents d
            WHERE d.company_id = company AND d.id = ANY (documents);
        END IF;
        exact := documents IS NOT NULL AND (there < 5000 OR there * there < 200 * total);
    ELSE
        exact := true;
    END IF;
    IF NOT exact THEN
        PERFORM set_config('hnsw.iterative_scan', 'relaxed_order', true), set_config('hnsw.ef_search', coalesce((
            SELECT a.ef_search FROM recall_audits a WHERE a.company_id = company), 100)::text, true);
        -- Literals, by which the planner knows the graph. It has no other way: sorting would be one.
        PERFORM set_config('enable_sort', 'off', true);
        EXECUTE format(
            'SELECT array_agg(n.chunk_id) FROM (SELECT e.chunk_id FROM embeddings e'
            ' WHERE e.company_id = %1$s AND e.space_id = %2$s'
            || CASE WHEN documents IS NULL THEN '' ELSE
               ' AND EXISTS (SELECT 1 FROM chunks c WHERE c.company_id = %1$s AND c.id = e.chunk_id'
               ' AND c.document_id = ANY ($3))' END
            || CASE WHEN speakers IS NULL THEN '' ELSE
               ' AND EXISTS (SELECT 1 FROM chunk_speakers s WHERE s.company_id = %1$s AND s.chunk_id = e.chunk_id'
               ' AND lower(s.speaker) = ANY ($4))' END
            || ' ORDER BY e.embedding::halfvec(%3$s) <=> $1::halfvec(%3$s) LIMIT $2) n',
            company, space, vector_dims(question)) INTO near USING question, lim, documents, speakers;
        PERFORM set_config('enable_sort', 'on', true);
    END IF;
    IF coalesce(cardinality(near), 0) < lim THEN
        -- `+ 0`: not by the graph.
        IF documents IS NULL AND speakers IS NULL THEN
            near := ARRAY(SELECT e.chunk_id FROM embeddings e WHERE e.company_id = company AND e.space_id = space
                          ORDER BY (e.embedding <=> question) + 0, e.chunk_id LIMIT lim);
        ELSE
            near := ARRAY(SELECT e.chunk_id FROM embeddings e
                          JOIN chunks c ON c.company_id = company AND c.id = e.chunk_id
                          WHERE e.company_id = company AND e.space_id = space
                            AND (documents IS NULL OR c.document_id = ANY (documents))
                            AND (speakers IS NULL OR EXISTS (
                                  SELECT 1 FROM chunk_speakers s WHERE s.company_id = company AND s.chunk_id = c.id
                                  AND lower(s.speaker) = ANY (speakers)))
                          ORDER BY (e.embedding <=> question) + 0, e.chunk_id LIMIT lim);
        END IF;
    END IF;
    RETURN near;
END $$;
