-- API keys in a table of their own: agents' keys move there, and programs get keys with scopes.

CREATE TABLE api_keys (
    company_id   bigint NOT NULL REFERENCES companies,
    id           bigint GENERATED ALWAYS AS IDENTITY,
    name         text NOT NULL,
    prefix       text NOT NULL CHECK (char_length(prefix) <= 8),  -- how the key begins, by which people recognise it
    key_hash     bytea NOT NULL UNIQUE,                           -- SHA-256 of a 256-bit random key
    scopes       text[] NOT NULL CHECK (
        cardinality(scopes) > 0 AND scopes <@ ARRAY['read', 'write', 'admin', 'models', 'end-user']),
    agent_id     bigint,                                          -- the person whose key it is; null: a program's
    created_by   text NOT NULL CHECK (created_by ~ '^(operator|key [0-9]+)$'),
    created_at   timestamptz NOT NULL DEFAULT now(),
    expires_at   timestamptz,
    revoked_at   timestamptz,
    last_used_at timestamptz,                                     -- written once a minute at most
    PRIMARY KEY (company_id, id),
    FOREIGN KEY (company_id, agent_id) REFERENCES agents,
    CONSTRAINT api_keys_name CHECK (name_is_plain(name) AND name_key(name) <> '')
) WITH (fillfactor = 80);
-- A program's key is known by its name; an agent's by the agent's.
CREATE UNIQUE INDEX api_keys_name_once ON api_keys (company_id, name_key(name))
    WHERE revoked_at IS NULL AND agent_id IS NULL;
SELECT switchboard_isolate('api_keys');
-- A key's rights never change: who needs others makes another key.
REVOKE UPDATE, DELETE ON api_keys FROM switchboard_app;
GRANT UPDATE (revoked_at) ON api_keys TO switchboard_app;

INSERT INTO api_keys (company_id, name, prefix, key_hash, scopes, agent_id, created_by, created_at, revoked_at)
SELECT company_id, name, 'sbk_', key_hash, ARRAY['read', 'write'], id, 'operator', created_at, disabled_at
FROM agents
ORDER BY company_id, id;

ALTER TABLE agents DROP COLUMN key_hash;
