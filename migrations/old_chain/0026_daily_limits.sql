-- How much costly work a company, and one of its contacts, may cause in a day (UTC). Rates of seconds and minutes are
-- Redis' (shared/resilience/limiter.py); what costs money or a platform's patience is counted here, where it outlives
-- Redis and is taken exactly.

CREATE TABLE daily_limits (
    kind        text PRIMARY KEY CHECK (kind ~ '^[a-z][a-z_]{0,40}$'),
    per_company bigint CHECK (per_company >= 0),  -- null: no bound
    per_contact bigint CHECK (per_contact >= 0),
    updated_at  timestamptz NOT NULL DEFAULT now()
);
INSERT INTO daily_limits (kind, per_company, per_contact) VALUES
    ('media_fetches', 20000, 300),      -- attachments fetched: traffic and disk, at one stranger's wish
    ('imports', 20000, NULL),           -- files and pages read: minutes of a processor, then vectors that an API bills
    ('sites', 50, NULL),                -- sitemaps walked: each asks for up to thousands of pages
    -- What is to come asks by these names.
    ('images', 3, NULL),
    ('memory_extractions', 100, NULL);
REVOKE INSERT, UPDATE, DELETE ON daily_limits FROM switchboard_app;

-- A company's own, in place of both of the default's bounds.
CREATE TABLE daily_limit_overrides (
    company_id  bigint NOT NULL REFERENCES companies,
    kind        text NOT NULL REFERENCES daily_limits,
    per_company bigint CHECK (per_company >= 0),
    per_contact bigint CHECK (per_contact >= 0),
    updated_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (company_id, kind)
);
SELECT switchboard_isolate('daily_limit_overrides');
REVOKE INSERT, UPDATE, DELETE ON daily_limit_overrides FROM switchboard_app;

-- What was taken. contact_id 0: the company's sum.
CREATE TABLE daily_uses (
    company_id bigint NOT NULL,
    day        date NOT NULL,
    kind       text NOT NULL,
    contact_id bigint NOT NULL DEFAULT 0,
    used       bigint NOT NULL,
    PRIMARY KEY (company_id, day, kind, contact_id)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 500);
SELECT switchboard_isolate('daily_uses');
REVOKE INSERT, UPDATE, DELETE ON daily_uses FROM switchboard_app;
INSERT INTO retention_policies (subject, days) VALUES ('daily_uses', 90);

-- Add to one sum, if it stays within its bound. Returns null, or the sum that did not allow it.
CREATE FUNCTION add_daily(of_company bigint, of_contact bigint, of_kind text, many bigint, on_day date, bound bigint)
RETURNS bigint
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
    had bigint;
BEGIN
    IF bound IS NULL OR many <= bound THEN
        INSERT INTO daily_uses AS u (company_id, day, kind, contact_id, used)
        VALUES (of_company, on_day, of_kind, of_contact, many)
        ON CONFLICT (company_id, day, kind, contact_id) DO UPDATE SET used = u.used + many
            WHERE bound IS NULL OR u.used + many <= bound;
        IF FOUND THEN
            RETURN NULL;
        END IF;
    END IF;
    SELECT u.used INTO had FROM daily_uses u WHERE u.company_id = of_company AND u.day = on_day AND u.kind = of_kind
        AND u.contact_id = of_contact;
    RETURN coalesce(had, 0);
END $$;

-- Take so many of a kind for a company, and where one is named for its contact: both or none. Returns null if they
-- were taken, else what stood against it: {"scope", "bound", "used"}. As the company of the transaction alone.
CREATE FUNCTION take_daily(of_company bigint, of_contact bigint, of_kind text, many bigint, on_day date) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    bounds record;
    had bigint;
BEGIN
    IF NOT of_company = ANY (switchboard_companies()) OR many < 1 THEN
        RAISE EXCEPTION 'this transaction is not the company''s' USING ERRCODE = 'insufficient_privilege';
    END IF;
    SELECT CASE WHEN o.kind IS NULL THEN l.per_company ELSE o.per_company END AS company,
           CASE WHEN o.kind IS NULL THEN l.per_contact ELSE o.per_contact END AS contact INTO bounds
    FROM daily_limits l LEFT JOIN daily_limit_overrides o ON o.kind = l.kind AND o.company_id = of_company
    WHERE l.kind = of_kind;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'no daily limit is named like this' USING ERRCODE = 'undefined_object';
    END IF;
    -- The contact's first: who has used up his own holds nobody else's row. A row's lock makes its sum exact.
    IF of_contact IS NOT NULL THEN
        had := add_daily(of_company, of_contact, of_kind, many, on_day, bounds.contact);
        IF had IS NOT NULL THEN
            RETURN jsonb_build_object('scope', 'contact', 'bound', bounds.contact, 'used', had);
        END IF;
    END IF;
    had := add_daily(of_company, 0, of_kind, many, on_day, bounds.company);
    IF had IS NOT NULL THEN
        UPDATE daily_uses u SET used = u.used - many WHERE u.company_id = of_company AND u.day = on_day
            AND u.kind = of_kind AND u.contact_id = of_contact;
        RETURN jsonb_build_object('scope', 'company', 'bound', bounds.company, 'used', had);
    END IF;
    RETURN NULL;
END $$;
GRANT EXECUTE ON FUNCTION take_daily TO switchboard_app;
