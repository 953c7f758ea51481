-- Channels that a person should look after, for operators: how many, by platform, and the static word for why. failing:
-- the platform or our own answers say that messages do not come. Not failing: what the platform told of it (a notice).
CREATE FUNCTION operations_channels() RETURNS TABLE (platform text, word text, failing boolean, channels bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT c.platform, w.word, w.failing, count(*)
    FROM channel_health h JOIN channels c ON c.company_id = h.company_id AND c.id = h.channel_id
    CROSS JOIN LATERAL (SELECT coalesce(h.problem, 'failing') AS word, true AS failing WHERE h.state = 'failing'
                        UNION ALL SELECT h.notice, false WHERE h.notice IS NOT NULL) w
    WHERE c.state <> 'disabled' GROUP BY 1, 2, 3
$$;
GRANT EXECUTE ON FUNCTION operations_channels TO switchboard_app;
