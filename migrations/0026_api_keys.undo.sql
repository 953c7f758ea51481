-- Programs' keys are lost, and of an agent's keys all but the newest. An agent without a key gets the hash of nothing.
DROP FUNCTION IF EXISTS holder_of_key, note_keys_used;
-- The columns behind the key are made anew, so that they stand where they stood.
DROP INDEX agents_name_once;
ALTER TABLE agents RENAME created_at TO made_at;
ALTER TABLE agents RENAME disabled_at TO gone_at;
ALTER TABLE agents
    ADD COLUMN key_hash bytea,
    ADD COLUMN created_at timestamptz DEFAULT now(),
    ADD COLUMN disabled_at timestamptz;
-- An agent whose keys were all revoked must not come back to life with one of them.
UPDATE agents a SET
    created_at = made_at,
    key_hash = coalesce(
        (SELECT k.key_hash FROM api_keys k WHERE k.company_id = a.company_id AND k.agent_id = a.id
         ORDER BY k.revoked_at IS NULL DESC, k.id DESC LIMIT 1),
        sha256(convert_to('no key ' || gen_random_uuid(), 'UTF8'))),
    disabled_at = coalesce(gone_at, CASE WHEN NOT EXISTS (
        SELECT FROM api_keys k WHERE k.company_id = a.company_id AND k.agent_id = a.id AND k.revoked_at IS NULL
        AND (k.expires_at IS NULL OR k.expires_at > now())) THEN now() END);
ALTER TABLE agents
    DROP COLUMN made_at,
    DROP COLUMN gone_at,
    ALTER COLUMN created_at SET NOT NULL,
    ALTER COLUMN key_hash SET NOT NULL,
    ADD CONSTRAINT agents_key_hash_key UNIQUE (key_hash);
CREATE UNIQUE INDEX agents_name_once ON agents (company_id, name_key(name)) WHERE disabled_at IS NULL;
DROP TABLE api_keys;
