-- Budgets of companies and contacts: what is spent, and reserving before a call. As the company of the transaction.

-- What was spent in the last 30 days (UTC, today among them) and counts, day by day. of_contact 0: the company itself.
CREATE OR REPLACE FUNCTION budget_days_of(of_company bigint, of_contact bigint)
RETURNS TABLE (day date, micros bigint)
LANGUAGE sql STABLE AS $$
    SELECT d.day, (d.micros - CASE WHEN d.day = r.day THEN r.micros ELSE 0 END)::bigint
    FROM (
        SELECT c.day, c.cost_micros AS micros FROM contact_days c
        WHERE of_contact > 0 AND c.company_id = of_company AND c.contact_id = of_contact
        UNION ALL
        SELECT u.day, u.cost_micros FROM usage_daily u WHERE of_contact = 0 AND u.company_id = of_company
    ) d
    LEFT JOIN budget_resets r ON r.company_id = of_company AND r.contact_id = of_contact
    WHERE d.day > (now() AT TIME ZONE 'UTC')::date - 30 AND d.day >= coalesce(r.day, '-infinity')
$$;

-- A budget as it stands. of_contact 0: the company's. spent: in the last 30 days; reserved: for calls under way. frees_at:
-- when as much as `want` fits again, if nothing else is spent: a day leaves after 30 days, a reservation when it ends.
-- Null: never, because the limit is below that, or at once.
CREATE OR REPLACE FUNCTION budget_state(of_company bigint, of_contact bigint, bound bigint, want bigint)
RETURNS TABLE (spent bigint, reserved bigint, frees_at timestamptz)
LANGUAGE plpgsql STABLE SET search_path = public, pg_temp AS $$
DECLARE
    over bigint;
BEGIN
    SELECT coalesce(sum(d.micros), 0) INTO spent FROM budget_days_of(of_company, of_contact) d;
    SELECT coalesce(sum(r.micros), 0) INTO reserved FROM budget_reservations r
    WHERE r.company_id = of_company AND (of_contact = 0 OR r.contact_id = of_contact) AND r.charged_at IS NULL;
    over := spent + reserved + want - bound;
    IF over > 0 AND want <= bound THEN
        IF spent + want <= bound THEN  -- what is under way stands against it, and ends soon
            SELECT min(f.expires_at) INTO frees_at FROM (
                SELECT r.expires_at, sum(r.micros) OVER (ORDER BY r.expires_at, r.id) AS freed
                FROM budget_reservations r
                WHERE r.company_id = of_company AND (of_contact = 0 OR r.contact_id = of_contact)
                  AND r.charged_at IS NULL) f
            WHERE f.freed >= over;
        ELSE
            SELECT min(f.day + 30)::timestamp AT TIME ZONE 'UTC' INTO frees_at FROM (
                SELECT d.day, sum(d.micros) OVER (ORDER BY d.day) AS freed
                FROM (SELECT o.day, o.micros FROM budget_days_of(of_company, of_contact) o
                      UNION ALL SELECT (now() AT TIME ZONE 'UTC')::date, reserved) d) f
            WHERE f.freed >= over;
        END IF;
    END IF;
    RETURN NEXT;
END $$;

-- Reserve so much for one request, or say which budget stands against it. id null: nothing was reserved, and scope,
-- bound, used and frees_at say why. contact_limit: of contacts for whom nothing else is set; null: none. of_contact 0:
-- the request is for no contact.
--
-- In a transaction of its own (a statement in autocommit): it sets the company itself, so that it is one round trip, and
-- its commit waits for no disk. Whoever reserves for a contact holds its lock, and then the company's where that has a
-- limit; nobody takes them in another order, and nobody holds anything else. Settling takes neither: a sum sees a
-- reservation or what was spent in its place, as one transaction changes both.
CREATE OR REPLACE FUNCTION reserve_budget(of_company bigint, of_contact bigint, want bigint, for_purpose text,
                                          ttl_s double precision, contact_limit bigint)
RETURNS TABLE (id bigint, scope text, bound bigint, used bigint, frees_at timestamptz)
LANGUAGE plpgsql VOLATILE SET search_path = public, pg_temp AS $$
DECLARE
    company_limit bigint;
    state record;
    own record;
BEGIN
    PERFORM set_config('switchboard.companies', '{' || of_company || '}', true),
            set_config('synchronous_commit', 'off', true);
    FOR own IN
        SELECT b.scope, b.limit_micros FROM budgets b
        WHERE b.company_id = of_company AND b.contact_id IN (0, of_contact) ORDER BY b.scope DESC  -- a contact's own last
    LOOP
        IF own.scope = 'company' THEN
            company_limit := own.limit_micros;
        ELSE
            contact_limit := own.limit_micros;
        END IF;
    END LOOP;
    IF of_contact > 0 AND contact_limit IS NOT NULL THEN
        PERFORM pg_advisory_xact_lock(hashtextextended('budget ' || of_contact, of_company));
        SELECT s.* INTO state FROM budget_state(of_company, of_contact, contact_limit, want) s;
        IF state.spent + state.reserved + want > contact_limit THEN
            scope := 'contact'; bound := contact_limit; used := state.spent + state.reserved;
            frees_at := state.frees_at;
            RETURN NEXT;
            RETURN;
        END IF;
    END IF;
    IF company_limit IS NOT NULL THEN
        PERFORM pg_advisory_xact_lock(hashtextextended('budget', of_company));
        SELECT s.* INTO state FROM budget_state(of_company, 0, company_limit, want) s;
        IF state.spent + state.reserved + want > company_limit THEN
            scope := 'company'; bound := company_limit; used := state.spent + state.reserved;
            frees_at := state.frees_at;
            RETURN NEXT;
            RETURN;
        END IF;
    END IF;
    INSERT INTO budget_reservations AS r (company_id, contact_id, micros, purpose, day, expires_at)
    VALUES (of_company, of_contact, want, for_purpose, (now() AT TIME ZONE 'UTC')::date,
            clock_timestamp() + make_interval(secs => ttl_s))
    RETURNING r.id INTO id;
    RETURN NEXT;
END $$;

-- ------------------------------------------------------------------ who may call what
REVOKE ALL ON FUNCTION budget_days_of, budget_state, reserve_budget FROM PUBLIC, switchboard_app;
GRANT EXECUTE ON FUNCTION budget_days_of, budget_state, reserve_budget TO switchboard_app;
