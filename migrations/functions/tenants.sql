-- Companies, their keys, channels and daily limits. Where the application role looks over the fence between companies,
-- a function returns ids and never content.

-- A name in a-z, 0-9 and single hyphens, at most 50 characters; `company` where nothing of it can be written so. Latin,
-- Greek and Cyrillic letters are transliterated.
CREATE OR REPLACE FUNCTION slug_of(name text) RETURNS text
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    slug text := name_key(name);
    pair text[];
BEGIN
    FOREACH pair SLICE 1 IN ARRAY ARRAY[
        ['æ', 'ae'], ['œ', 'oe'], ['þ', 'th'], ['ŋ', 'ng'], ['ĳ', 'ij'],
        ['ё', 'yo'], ['ж', 'zh'], ['х', 'kh'], ['ц', 'ts'], ['ч', 'ch'], ['ш', 'sh'], ['щ', 'shch'], ['ю', 'yu'],
        ['я', 'ya'], ['є', 'ye'], ['ї', 'yi'], ['ъ', ''], ['ь', ''], ['љ', 'lj'], ['њ', 'nj'], ['џ', 'dz'],
        ['θ', 'th'], ['χ', 'ch'], ['ψ', 'ps']]
    LOOP
        slug := replace(slug, pair[1], pair[2]);
    END LOOP;
    slug := translate(slug, 'øđðłħıŧабвгдезийклмнопрстуфыэіґјћђ', 'oddlhitabvgdeziyklmnoprstufyeigjcd');
    slug := regexp_replace(normalize(slug, NFKD), '[\u0300-\u036f''’]', '', 'g');
    slug := translate(slug, 'αβγδεζηικλμνξοπρστυφω', 'avgdeziiklmnxoprstyfo');
    slug := btrim(left(btrim(regexp_replace(slug, '[^a-z0-9]+', '-', 'g'), '-'), 50), '-');
    IF slug !~ '[a-z]' THEN  -- digits alone would be an id
        slug := btrim('company-' || slug, '-');
    END IF;
    RETURN slug;
END $$;

-- A company made without a slug gets one from its name, with a number where another company has it.
CREATE OR REPLACE FUNCTION companies_slug() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
    base text := slug_of(NEW.name);
    number int := 1;
BEGIN
    PERFORM pg_advisory_xact_lock(7349202);  -- of two that are made at once the second one sees the first one's
    NEW.slug := base;
    WHILE EXISTS (SELECT 1 FROM companies WHERE slug = NEW.slug) LOOP
        number := number + 1;
        NEW.slug := base || '-' || number;
    END LOOP;
    RETURN NEW;
END $$;

CREATE OR REPLACE TRIGGER companies_slug BEFORE INSERT OR UPDATE ON companies
    FOR EACH ROW WHEN (NEW.slug IS NULL) EXECUTE FUNCTION companies_slug();

-- Who holds this API key (given as its SHA-256), while it works. unnoted: its use was last written over a minute ago.
CREATE OR REPLACE FUNCTION holder_of_key(hash bytea)
RETURNS TABLE (company_id bigint, key_id bigint, agent_id bigint, scopes text[], expires_at timestamptz, unnoted boolean)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT k.company_id, k.id, k.agent_id, k.scopes, k.expires_at,
           k.last_used_at IS NULL OR k.last_used_at < now() - interval '1 minute'
    FROM api_keys k
    WHERE k.key_hash = hash AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > now())
      AND NOT EXISTS (SELECT 1 FROM agents a
                      WHERE a.company_id = k.company_id AND a.id = k.agent_id AND a.disabled_at IS NOT NULL)
$$;

-- What gateways of the version before ask while they are being replaced. They know no scopes, so only agents' keys with
-- all of an agent's rights are good there.
CREATE OR REPLACE FUNCTION agent_of_key(hash bytea) RETURNS TABLE (company_id bigint, agent_id bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT h.company_id, h.agent_id FROM holder_of_key(hash) h
    WHERE h.agent_id IS NOT NULL AND h.scopes @> ARRAY['read', 'write']
$$;

-- Write that these keys were used now. A row that another process holds is just being written.
CREATE OR REPLACE FUNCTION note_keys_used(of_companies bigint[], of_keys bigint[]) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH due AS (
        SELECT k.company_id, k.id
        FROM unnest(of_companies, of_keys) u (company_id, id)
        JOIN api_keys k ON k.company_id = u.company_id AND k.id = u.id
        WHERE k.last_used_at IS NULL OR k.last_used_at < now() - interval '1 minute'
        ORDER BY k.company_id, k.id
        FOR UPDATE OF k SKIP LOCKED
    )
    UPDATE api_keys k SET last_used_at = now() FROM due WHERE k.company_id = due.company_id AND k.id = due.id
$$;

-- Every company's id, for jobs that go from one to the next.
CREATE OR REPLACE FUNCTION company_ids() RETURNS TABLE (company_id bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT c.id FROM companies c ORDER BY c.id
$$;

-- Where the events of these apps go. app_external_id: the application's id on the platform, by which its own echoes are
-- known.
CREATE OR REPLACE FUNCTION routes_of(app_ids bigint[])
RETURNS TABLE (app_id bigint, platform text, channel_id bigint, company_id bigint, external_id text, handle text,
               app_external_id text, business_account text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT c.app_id, c.platform, c.id, c.company_id, c.external_id, c.handle, a.external_id, c.business_account
    FROM channels c JOIN apps a ON a.id = c.app_id
    WHERE c.app_id = ANY (app_ids) AND c.state <> 'disabled'
$$;

-- The channels under these apps that somebody has disabled.
CREATE OR REPLACE FUNCTION disabled_routes_of(app_ids bigint[])
RETURNS TABLE (app_id bigint, platform text, channel_id bigint, company_id bigint, external_id text, handle text,
               app_external_id text, business_account text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT c.app_id, c.platform, c.id, c.company_id, c.external_id, c.handle, a.external_id, c.business_account
    FROM channels c JOIN apps a ON a.id = c.app_id
    WHERE c.app_id = ANY (app_ids) AND c.state = 'disabled'
$$;

-- Every channel that is not disabled, for the watch.
CREATE OR REPLACE FUNCTION channels_to_watch(after_company bigint, after_channel bigint, lim int)
RETURNS TABLE (company_id bigint, channel_id bigint, app_id bigint, platform text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT c.company_id, c.id, c.app_id, c.platform FROM channels c
    WHERE (c.company_id, c.id) > (after_company, after_channel) AND c.state <> 'disabled'
    ORDER BY c.company_id, c.id LIMIT lim
$$;

-- Add to one sum, if it stays within its bound. Returns null, or the sum that did not allow it.
CREATE OR REPLACE FUNCTION add_daily(of_company bigint, of_contact bigint, of_kind text, many bigint, on_day date,
                                     bound bigint)
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
CREATE OR REPLACE FUNCTION take_daily(of_company bigint, of_contact bigint, of_kind text, many bigint, on_day date)
RETURNS jsonb
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

-- ------------------------------------------------------------------ who may call what
REVOKE ALL ON FUNCTION slug_of, companies_slug, holder_of_key, agent_of_key, note_keys_used, company_ids, routes_of,
    disabled_routes_of, channels_to_watch, add_daily, take_daily FROM PUBLIC, switchboard_app;
GRANT EXECUTE ON FUNCTION holder_of_key, agent_of_key, note_keys_used, company_ids, routes_of, disabled_routes_of,
    channels_to_watch, take_daily TO switchboard_app;
