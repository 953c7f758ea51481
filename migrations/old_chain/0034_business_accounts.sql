-- News of a business account (WhatsApp): it holds several numbers, and what is told of it names none of them.

-- The platform's id of the account that holds the channel; null: it has none, or was connected before this and is
-- learned from its credentials by the next round of `channels.watch`.
ALTER TABLE channels ADD COLUMN business_account text;
-- What the platform last told of the channel or its account that a person should know: a static word.
ALTER TABLE channel_health ADD COLUMN notice text, ADD COLUMN notice_at timestamptz;

DROP FUNCTION routes_of(bigint[]);
CREATE FUNCTION routes_of(app_ids bigint[])
RETURNS TABLE (app_id bigint, platform text, channel_id bigint, company_id bigint, external_id text, handle text,
               app_external_id text, business_account text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT c.app_id, c.platform, c.id, c.company_id, c.external_id, c.handle, a.external_id, c.business_account
    FROM channels c JOIN apps a ON a.id = c.app_id
    WHERE c.app_id = ANY (app_ids) AND c.state <> 'disabled'
$$;
GRANT EXECUTE ON FUNCTION routes_of TO switchboard_app;
