-- What models cost, and what was used of them.

-- ------------------------------------------------------------------ prices
-- price_of and model_cost are plain SQL, so that a statement which asks for many prices is planned as if their text stood
-- in it.

-- Whether a price of a list, by maker and model, is that of a provider's model. `openai` is the maker of all that a
-- provider of that name or host sells under its own name; `openai/gpt-4o` names model and maker, whoever sells it.
CREATE OR REPLACE FUNCTION price_names(maker text, listed text, provider text, model text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN listed = model THEN maker = '' OR strpos(translate(lower(provider), '.-_: ', ''),
                                                              translate(lower(maker), '.-_: ', '')) > 0
                ELSE maker || '/' || listed = model END
$$;

-- The price of a model at a provider for a company, now or at a time; no row: it has none. First what the company pays,
-- then what was set by hand, then what the list says; of two the one that names the provider.
CREATE OR REPLACE FUNCTION price_of(of_company bigint, of_provider text, of_model text, of_time timestamptz)
RETURNS TABLE (in_micros bigint, out_micros bigint, cached_in_micros bigint, reasoning_micros bigint,
               request_micros bigint)
LANGUAGE sql STABLE AS $$
    SELECT p.in_micros, p.out_micros, p.cached_in_micros, p.reasoning_micros, p.request_micros
    FROM (
        SELECT 1 AS rank, o.provider, o.in_micros, o.out_micros, o.cached_in_micros, o.reasoning_micros,
               o.request_micros
        FROM model_price_overrides o
        WHERE o.company_id = of_company AND o.model = of_model AND o.provider IN ('', of_provider)
          AND CASE WHEN of_time IS NULL THEN o.valid_until IS NULL
                   ELSE o.valid_from <= of_time AND coalesce(o.valid_until > of_time, true) END
        UNION ALL
        SELECT CASE m.source WHEN 'manual' THEN 2 ELSE 3 END, m.provider, m.in_micros, m.out_micros,
               m.cached_in_micros, m.reasoning_micros, m.request_micros
        FROM model_prices m
        WHERE m.model IN (of_model, substring(of_model FROM strpos(of_model, '/') + 1))
          AND CASE
              WHEN m.source = 'manual' THEN m.model = of_model AND m.provider IN ('', of_provider)
              ELSE price_names(m.provider, m.model, of_provider, of_model)
          END
          AND CASE WHEN of_time IS NULL THEN m.valid_until IS NULL
                   ELSE m.valid_from <= of_time AND coalesce(m.valid_until > of_time, true) END
    ) p
    ORDER BY p.rank, length(p.provider) DESC
    LIMIT 1
$$;

-- What a call cost: exact, rounded up once at the end. Null where there is no price; a call that used no token is free.
-- shared/money.py gives the same.
CREATE OR REPLACE FUNCTION model_cost(tokens_in bigint, cached_in bigint, tokens_out bigint, reasoning_out bigint,
    in_micros bigint, out_micros bigint, cached_in_micros bigint, reasoning_micros bigint, request_micros bigint)
RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN tokens_in + tokens_out = 0 THEN 0 ELSE (request_micros + ceil(0.000001 * (
        (tokens_in - cached_in)::numeric * in_micros + cached_in::numeric * coalesce(cached_in_micros, in_micros)
        + (tokens_out - reasoning_out)::numeric * out_micros
        + reasoning_out::numeric * coalesce(reasoning_micros, out_micros))))::bigint END
$$;

-- ------------------------------------------------------------------ the ledger
-- Whether something was sent to the provider.
CREATE OR REPLACE FUNCTION model_call_made(outcome text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT outcome NOT IN ('breaker_open', 'saturated', 'price_unknown', 'budget_contact', 'budget_company', 'disabled',
                           'not_listed', 'key_unreadable')
$$;

-- Record calls of models, [{"purpose", "provider", "model", "step", "outcome", "duration_ms", "tokens_in", …}], with what
-- they cost now, and add them to the sums. Returns the cost, null if a call used tokens that have no price. For a company
-- of the transaction. The sums are written one after the other, a contact's day first and the company's last: nobody
-- takes them in another order, and what everybody waits for is held for the shortest time.
CREATE OR REPLACE FUNCTION add_model_calls(of_company bigint, of_turn bigint, of_epoch int, of_contact bigint, these jsonb)
RETURNS bigint
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
    on_day date := (now() AT TIME ZONE 'UTC')::date;
    total bigint;
BEGIN
    IF these = '[]' THEN
        RETURN 0;
    END IF;
    WITH added AS (
        INSERT INTO llm_calls (company_id, turn_id, epoch, attempt, day, contact_id, purpose, provider, model, step,
                               outcome, duration_ms, tokens_in, cached_in, tokens_out, reasoning_out, estimated,
                               cost_micros)
        SELECT of_company, of_turn, of_epoch, a.n, on_day, of_contact, a.purpose, a.provider, a.model, a.step,
               a.outcome, a.duration_ms, a.tokens_in, a.cached_in, a.tokens_out, a.reasoning_out, a.estimated,
               coalesce(model_cost(a.tokens_in, a.cached_in, a.tokens_out, a.reasoning_out, p.in_micros, p.out_micros,
                                   p.cached_in_micros, p.reasoning_micros, p.request_micros),
                        CASE WHEN NOT a.paid THEN 0 END)
        FROM ROWS FROM (jsonb_to_recordset(these) AS (
                 purpose text, provider text, model text, step text, outcome text, duration_ms int, tokens_in int,
                 cached_in int, tokens_out int, reasoning_out int, estimated boolean, paid boolean))
             WITH ORDINALITY AS a (purpose, provider, model, step, outcome, duration_ms, tokens_in, cached_in,
                                   tokens_out, reasoning_out, estimated, paid, n)
        LEFT JOIN LATERAL price_of(of_company, a.provider, a.model, NULL) p ON true
        RETURNING llm_calls.purpose, llm_calls.provider, llm_calls.model, llm_calls.outcome, llm_calls.tokens_in,
                  llm_calls.cached_in, llm_calls.tokens_out, llm_calls.reasoning_out, llm_calls.cost_micros
    ),
    made AS (  -- what was sent to a provider
        SELECT * FROM added WHERE model_call_made(outcome)
    ),
    contact AS (
        INSERT INTO contact_days AS d (company_id, contact_id, day, cost_micros)
        SELECT of_company, of_contact, on_day, coalesce(sum(m.cost_micros), 0) FROM made m
        WHERE of_contact IS NOT NULL HAVING count(*) > 0
        ON CONFLICT (company_id, contact_id, day) DO UPDATE SET cost_micros = d.cost_micros + excluded.cost_micros
        RETURNING 1
    ),
    models AS (
        INSERT INTO usage_models AS u (company_id, day, purpose, provider, model, calls, failed, unpriced, tokens_in,
                                       cached_in, tokens_out, reasoning_out, cost_micros)
        SELECT of_company, on_day, m.purpose, m.provider, m.model, count(*), count(*) FILTER (WHERE m.outcome <> 'ok'),
               count(*) FILTER (WHERE m.cost_micros IS NULL), sum(m.tokens_in), sum(m.cached_in), sum(m.tokens_out),
               sum(m.reasoning_out), coalesce(sum(m.cost_micros), 0)
        FROM made m, (SELECT count(*) FROM contact) before
        GROUP BY m.purpose, m.provider, m.model ORDER BY m.purpose, m.provider, m.model
        ON CONFLICT (company_id, day, purpose, provider, model) DO UPDATE
        SET calls = u.calls + excluded.calls, failed = u.failed + excluded.failed,
            unpriced = u.unpriced + excluded.unpriced, tokens_in = u.tokens_in + excluded.tokens_in,
            cached_in = u.cached_in + excluded.cached_in, tokens_out = u.tokens_out + excluded.tokens_out,
            reasoning_out = u.reasoning_out + excluded.reasoning_out,
            cost_micros = u.cost_micros + excluded.cost_micros
        RETURNING 1
    ),
    today AS (  -- tokens of models that write: the others' count against no budget of tokens
        INSERT INTO usage_daily AS u (company_id, day, calls, tokens_in, tokens_out, cost_micros)
        SELECT of_company, on_day, count(*) FILTER (WHERE m.writes), coalesce(sum(m.tokens_in) FILTER (WHERE m.writes), 0),
               coalesce(sum(m.tokens_out) FILTER (WHERE m.writes), 0), coalesce(sum(m.cost_micros), 0)
        FROM (SELECT *, purpose NOT IN ('embedding', 'rerank', 'transcription') AS writes FROM made) m,
             (SELECT count(*) FROM models) before
        HAVING count(*) > 0
        ON CONFLICT (company_id, day) DO UPDATE
        SET calls = u.calls + excluded.calls, tokens_in = u.tokens_in + excluded.tokens_in,
            tokens_out = u.tokens_out + excluded.tokens_out, cost_micros = u.cost_micros + excluded.cost_micros
        RETURNING 1
    )
    SELECT CASE WHEN count(*) = count(a.cost_micros) THEN coalesce(sum(a.cost_micros), 0) END INTO total
    FROM added a, (SELECT count(*) FROM today) before;
    RETURN total;
END $$;

-- What models cost everybody in the last 30 days (UTC), by purpose, and for how many contacts one was called, for
-- operators. Numbers alone.
CREATE OR REPLACE FUNCTION operations_usage() RETURNS TABLE (purpose text, cost_micros numeric, contacts bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT u.purpose, sum(u.cost_micros),
           (SELECT count(*) FROM (SELECT DISTINCT d.company_id, d.contact_id FROM contact_days d
                                  WHERE d.day > (now() AT TIME ZONE 'UTC')::date - 30) c)
    FROM usage_models u WHERE u.day > (now() AT TIME ZONE 'UTC')::date - 30 GROUP BY 1
$$;

-- The same as a transaction of its own, and what was reserved for the calls is settled: one round trip instead of three.
CREATE OR REPLACE FUNCTION settle_model_calls(of_company bigint, of_turn bigint, of_epoch int, of_reservation bigint,
                                              of_contact bigint, these jsonb)
RETURNS bigint
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM set_config('switchboard.companies', '{' || of_company || '}', true);
    RETURN add_model_calls(of_company, of_turn, of_epoch, settle_reservation(of_company, of_reservation, of_contact),
                           these);
END $$;

-- ------------------------------------------------------------------ who may call what
REVOKE ALL ON FUNCTION price_names, price_of, model_cost, model_call_made, add_model_calls, settle_model_calls,
    operations_usage FROM PUBLIC, switchboard_app;
GRANT EXECUTE ON FUNCTION price_names, price_of, model_cost, model_call_made, add_model_calls, settle_model_calls,
    operations_usage TO switchboard_app;
