-- Model providers and routes: who is asked for what, in place of the environment's variables.
--
-- Without a company a row is the installation's: every company may use it, and only the owner role writes it.

CREATE TABLE model_providers (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,  -- alone, because routes name the installation's, too
    company_id  bigint REFERENCES companies,
    name        text NOT NULL CHECK (name ~ '^[a-z0-9][a-z0-9_-]{0,39}$'),
    base_url    text NOT NULL CHECK (base_url ~ '^https?://' AND char_length(base_url) <= 500),
    credentials bytea,                              -- {"api_key": …}, sealed by the vault; null: it asks for none
    key_hint    text NOT NULL DEFAULT '' CHECK (char_length(key_hint) <= 4),  -- the key's last characters, for people
    -- [{"name": …, "kind": "chat" | "embedding" | "rerank" | "transcription"}]
    models      jsonb NOT NULL DEFAULT '[]' CHECK (jsonb_typeof(models) = 'array'),
    paid        boolean NOT NULL,                   -- what it costs must be known before it is asked
    state       text NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'disabled')),
    created_at  timestamptz NOT NULL DEFAULT now(),
    updated_at  timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX model_providers_name_once ON model_providers (company_id, name) NULLS NOT DISTINCT;
SELECT switchboard_isolate('model_providers');
-- The companies are asked for here as well, so that a transaction without one fails instead of finding these alone.
CREATE POLICY installation ON model_providers FOR SELECT
    USING (company_id IS NULL AND cardinality((SELECT switchboard_companies())) > 0);

-- A route is the rows of one purpose, asked in their order.
CREATE TABLE model_routes (
    company_id  bigint REFERENCES companies,
    purpose     text NOT NULL CHECK (purpose ~ '^[a-z][a-z_]{0,40}$'),
    ordinal     smallint NOT NULL CHECK (ordinal BETWEEN 1 AND 10),
    provider_id bigint NOT NULL REFERENCES model_providers,
    model       text NOT NULL CHECK (char_length(model) BETWEEN 1 AND 200),
    max_tokens  int CHECK (max_tokens BETWEEN 1 AND 200000),  -- of an answer; null: LLM_MAX_TOKENS
    updated_at  timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX model_routes_step ON model_routes (company_id, purpose, ordinal) NULLS NOT DISTINCT;
SELECT switchboard_isolate('model_routes');
CREATE POLICY installation ON model_routes FOR SELECT
    USING (company_id IS NULL AND cardinality((SELECT switchboard_companies())) > 0);
