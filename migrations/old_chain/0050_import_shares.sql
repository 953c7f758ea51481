-- A company may hold no more than its share of a process' imports, and titles are cut at 500 characters.

CREATE FUNCTION claim_import(after_company bigint, before_company bigint, lease_s double precision)
RETURNS TABLE (company_id bigint, import_id bigint, version int, attempts int)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp
SET plan_cache_mode = force_custom_plan AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH due AS (
        SELECT i.company_id, i.id FROM imports i
        WHERE i.company_id > after_company AND i.company_id < before_company
          AND i.state = 'queued' AND i.due_at <= clock_timestamp()
        ORDER BY i.company_id, i.due_at LIMIT 1 FOR UPDATE SKIP LOCKED)
    UPDATE imports i SET attempts = i.attempts + 1, due_at = clock_timestamp() + make_interval(secs => lease_s)
    FROM due WHERE i.company_id = due.company_id AND i.id = due.id
    RETURNING i.company_id, i.id, i.version, i.attempts;
END $$;

-- held: the company of each import that the process is at. An empty round from the first company on ends it.
CREATE FUNCTION claim_imports(after_company bigint, lim int, lease_s double precision, held bigint[], company_max int)
RETURNS TABLE (company_id bigint, import_id bigint, version int, attempts int)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    place bigint := after_company;
    at_share bigint[] := switchboard_at_share(held, company_max);
    border bigint;
    whole boolean := after_company = 0;
    found_any boolean := false;
BEGIN
    WHILE lim > 0 LOOP
        border := 9223372036854775807;
        IF at_share <> '{}' THEN
            SELECT coalesce(min(f), border) INTO border FROM unnest(at_share) f WHERE f > place;
        END IF;
        SELECT c.company_id, c.import_id, c.version, c.attempts INTO company_id, import_id, version, attempts
        FROM claim_import(place, border, lease_s) c;
        IF FOUND THEN
            RETURN NEXT;
            found_any := true;
            place := company_id;
            lim := lim - 1;
            held := held || company_id;
            IF cardinality(array_positions(held, company_id)) >= company_max THEN
                at_share := at_share || company_id;
            END IF;
        ELSIF border < 9223372036854775807 THEN
            place := border;
        ELSIF whole AND NOT found_any THEN
            RETURN;
        ELSE
            place := 0;
            whole := true;
            found_any := false;
        END IF;
    END LOOP;
END $$;
REVOKE EXECUTE ON FUNCTION claim_import(bigint, bigint, double precision),
    claim_imports(bigint, int, double precision, bigint[], int) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION claim_imports(bigint, int, double precision, bigint[], int) TO switchboard_app;

-- The words of what is cut off stay findable until the document is added again.
UPDATE documents SET title = left(title, 500) WHERE length(title) > 500;
UPDATE chunks SET title = left(title, 500) WHERE length(title) > 500;
UPDATE imports SET reason = left(reason, 500) WHERE length(reason) > 500;
