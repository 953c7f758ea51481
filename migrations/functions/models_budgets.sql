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

-- ------------------------------------------------------------------ settling and charging
-- Write what a reservation is charged to the ledger and to the sums, in the order of add_model_calls: a contact's day
-- first, the company's last. sign -1: take it back.
CREATE OR REPLACE FUNCTION book_reservation(one budget_reservations, sign int) RETURNS void
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
    micros bigint := sign * one.micros;
BEGIN
    INSERT INTO llm_calls (company_id, epoch, attempt, day, contact_id, purpose, provider, model, step, outcome,
                           duration_ms, tokens_in, tokens_out, cost_micros)
    VALUES (one.company_id, 0, 1, one.day, nullif(one.contact_id, 0), one.purpose, 'unknown', 'unknown', 'full',
            CASE WHEN sign > 0 THEN 'unsettled' ELSE 'settled_late' END, 0, 0, 0, micros);
    IF one.contact_id > 0 THEN
        INSERT INTO contact_days AS d (company_id, contact_id, day, cost_micros)
        VALUES (one.company_id, one.contact_id, one.day, micros)
        ON CONFLICT (company_id, contact_id, day) DO UPDATE SET cost_micros = d.cost_micros + excluded.cost_micros;
    END IF;
    INSERT INTO usage_models AS u (company_id, day, purpose, provider, model, calls, failed, cost_micros)
    VALUES (one.company_id, one.day, one.purpose, 'unknown', 'unknown', sign, sign, micros)
    ON CONFLICT (company_id, day, purpose, provider, model) DO UPDATE
    SET calls = u.calls + excluded.calls, failed = u.failed + excluded.failed,
        cost_micros = u.cost_micros + excluded.cost_micros;
    INSERT INTO usage_daily AS u (company_id, day, cost_micros)
    VALUES (one.company_id, one.day, micros)
    ON CONFLICT (company_id, day) DO UPDATE SET cost_micros = u.cost_micros + excluded.cost_micros;
END $$;

-- Settle a reservation in the transaction that writes its calls to the ledger; returns the contact that they are charged
-- to, null: none. The reservation knows it better than who made it: contacts become one, or are erased, meanwhile. One
-- that was charged already, because whoever settles it was slower than it may be, is charged no more.
CREATE OR REPLACE FUNCTION settle_reservation(of_company bigint, of_reservation bigint, of_contact bigint) RETURNS bigint
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
    settled budget_reservations;
BEGIN
    IF of_reservation IS NOT NULL THEN
        DELETE FROM budget_reservations r WHERE r.company_id = of_company AND r.id = of_reservation
        RETURNING r.* INTO settled;
        IF FOUND THEN
            of_contact := nullif(settled.contact_id, 0);
            IF settled.charged_at IS NOT NULL THEN
                PERFORM book_reservation(settled, -1);
            END IF;
        END IF;
    END IF;
    RETURN (SELECT c.id FROM contacts c WHERE c.company_id = of_company AND c.id = of_contact);
END $$;

-- Charge one reservation of a company that has expired; false: there is none. One a transaction, so that none holds the
-- company's day while it waits for a contact's.
CREATE OR REPLACE FUNCTION charge_expired_reservation(of_company bigint) RETURNS boolean
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
    expired budget_reservations;
BEGIN
    SELECT r.* INTO expired FROM budget_reservations r
    WHERE r.company_id = of_company AND r.charged_at IS NULL AND r.expires_at <= clock_timestamp()
    ORDER BY r.id LIMIT 1 FOR UPDATE SKIP LOCKED;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    UPDATE budget_reservations r SET charged_at = clock_timestamp()
    WHERE r.company_id = of_company AND r.id = expired.id;
    PERFORM book_reservation(expired, 1);
    RETURN true;
END $$;

-- ------------------------------------------------------------------ who may call what
REVOKE ALL ON FUNCTION budget_days_of, budget_state, reserve_budget, book_reservation, settle_reservation,
    charge_expired_reservation FROM PUBLIC, switchboard_app;
GRANT EXECUTE ON FUNCTION budget_days_of, budget_state, reserve_budget, book_reservation, settle_reservation
    TO switchboard_app;
