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
