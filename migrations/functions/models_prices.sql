-- What models cost. Both functions are plain SQL, so that a statement which asks for many prices is planned as if their
-- text stood in it.

-- The price of a model at a provider for a company, now or at a time; no row: it has none. First what the company pays,
-- then what was set by hand, then what the list says; of two the one that names the provider. The list names makers:
-- `openai` is the maker of all that a provider of that name or host sells, and `openai/gpt-4o` names model and maker.
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
              WHEN m.model = of_model THEN m.provider = '' OR strpos(translate(lower(of_provider), '.-_: ', ''),
                                                                     translate(lower(m.provider), '.-_: ', '')) > 0
              ELSE m.provider || '/' || m.model = of_model
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

-- ------------------------------------------------------------------ who may call what
REVOKE ALL ON FUNCTION price_of, model_cost FROM PUBLIC, switchboard_app;
GRANT EXECUTE ON FUNCTION price_of, model_cost TO switchboard_app;
