-- What operators watch of the knowledge: whether everything has vectors, and whether graphs find what is near. And how
-- far a graph is looked through where no audit says it.

-- Each space that is not being dropped: documents without all of their vectors, up to lim.
CREATE FUNCTION operations_spaces(lim int)
RETURNS TABLE (model text, state text, full_once boolean, waiting bigint, failing bigint, oldest_s double precision,
               age_s double precision)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT s.model, s.state, s.filled_at IS NOT NULL, w.waiting, w.failing, w.oldest_s,
           extract(epoch FROM clock_timestamp() - s.changed_at)::float8
    FROM embedding_spaces s CROSS JOIN LATERAL (
        SELECT count(*) AS waiting, count(i.error) AS failing,
               greatest(extract(epoch FROM clock_timestamp() - min(i.due_at)), 0)::float8 AS oldest_s
        FROM (SELECT error, due_at FROM indexing WHERE space_id = s.id AND NOT done LIMIT lim) i) w
    WHERE s.state <> 'dropping'
$$;
GRANT EXECUTE ON FUNCTION operations_spaces TO switchboard_app;

-- The last audits of all companies, and the worst of them; none of a company that nobody has asked anything for a week.
CREATE FUNCTION operations_recall(least_recall double precision)
RETURNS TABLE (audited bigint, low bigint, lowest double precision, company_id bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT count(*), count(*) FILTER (WHERE a.recall < least_recall), min(a.recall),
           (array_agg(a.company_id ORDER BY a.recall, a.company_id))[1]
    FROM recall_audits a WHERE a.measured_at > clock_timestamp() - interval '7 days'
$$;
GRANT EXECUTE ON FUNCTION operations_recall TO switchboard_app;

-- How long a graph's list is: by the size of the company, or longer where an audit found too little.
ALTER TABLE recall_audits ALTER COLUMN ef_search SET DEFAULT 200;
CREATE FUNCTION knowledge_list(company bigint, chunks bigint) RETURNS int
LANGUAGE sql STABLE SET search_path = pg_catalog, public AS $$
    SELECT greatest(CASE WHEN chunks < 200000 THEN 200 ELSE 400 END,
                    (SELECT a.ef_search FROM recall_audits a WHERE a.company_id = company))
$$;
GRANT EXECUTE ON FUNCTION knowledge_list TO switchboard_app;

-- As in 0030, with that list.
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
        PERFORM set_config('hnsw.iterative_scan', 'relaxed_order', true),
                set_config('hnsw.ef_search', knowledge_list(company, total)::text, true);
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
