-- What platforms with an application of their own need: its id there (to know our own echoes), the token of the
-- subscription's handshake, and when a customer wrote last (most platforms allow answers for a day after that).
ALTER TABLE apps
    ADD COLUMN external_id  text,              -- our application's id on the platform, where it has one
    ADD COLUMN verify_token bytea;             -- encrypted JSON string; for handshakes by GET

ALTER TABLE conversations
    ADD COLUMN last_customer_at      timestamptz,  -- the platform's time of the customer's newest message
    ADD COLUMN last_customer_message text;         -- its id on the platform: what typing, seen and replies refer to

DROP FUNCTION routes_of(bigint[]);
CREATE FUNCTION routes_of(app_ids bigint[])
RETURNS TABLE (app_id bigint, platform text, channel_id bigint, company_id bigint, external_id text, handle text,
               app_external_id text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT c.app_id, c.platform, c.id, c.company_id, c.external_id, c.handle, a.external_id
    FROM channels c JOIN apps a ON a.id = c.app_id
    WHERE c.app_id = ANY (app_ids) AND c.state <> 'disabled'
$$;
GRANT EXECUTE ON FUNCTION routes_of TO switchboard_app;
