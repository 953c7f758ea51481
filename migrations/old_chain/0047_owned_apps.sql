-- An app of one company is no other's, and what stands for one account is one channel: whoever connects second is
-- refused. And what intake has to drop although somebody should know of it is noted by application.

-- Platforms whose app has one channel, because its webhooks do not say which: a bot, a program, a widget. Meta's and
-- Slack's applications are the operator's, with channels of several companies: owner_id stays empty there.
ALTER TABLE apps ADD COLUMN owner_id bigint REFERENCES companies;

-- The first who connected it has it.
UPDATE apps a SET owner_id = (SELECT c.company_id FROM channels c WHERE c.app_id = a.id ORDER BY c.id LIMIT 1)
WHERE a.platform IN ('telegram', 'standard', 'widget');

-- Apps of this kind with several channels dropped everything that came (no_channel). One of them alone must not be
-- given it now, as it may be the other's customers who wrote: all are disabled, and stand in `channel list` so.
UPDATE channels c SET state = 'disabled'
WHERE c.platform IN ('telegram', 'standard', 'widget') AND c.state <> 'disabled' AND EXISTS (
    SELECT 1 FROM channels o WHERE o.app_id = c.app_id AND o.id <> c.id AND o.state <> 'disabled');

-- Of an account that stands under several apps the one goes on for which something came last.
UPDATE channels c SET state = 'disabled'
FROM (SELECT h.company_id, h.id, row_number() OVER (
          PARTITION BY h.platform, h.external_id ORDER BY s.received_at DESC NULLS LAST, h.id DESC) AS place
      FROM channels h LEFT JOIN channel_health s ON s.company_id = h.company_id AND s.channel_id = h.id
      WHERE h.state <> 'disabled' AND h.platform IN ('telegram', 'messenger', 'instagram', 'whatsapp')) n
WHERE n.place > 1 AND c.company_id = n.company_id AND c.id = n.id;

CREATE UNIQUE INDEX channels_one_of_an_app ON channels (app_id)
    WHERE platform IN ('telegram', 'standard', 'widget') AND state <> 'disabled';
-- A Slack workspace may have several of our applications, each a bot of its own; a program's name is its owner's choice.
CREATE UNIQUE INDEX channels_one_of_an_account ON channels (platform, external_id)
    WHERE platform IN ('telegram', 'messenger', 'instagram', 'whatsapp') AND state <> 'disabled';

-- ------------------------------------------------------------------ what was dropped and somebody should know of
-- account: the platform's id of the page or number that an event named, '' where it names none. A row is an episode:
-- since when, how many, and the last one. It begins anew after a day without.
CREATE TABLE dropped_events (
    app_id  bigint NOT NULL REFERENCES apps ON DELETE CASCADE,
    account text NOT NULL,
    reason  text NOT NULL,
    events  bigint NOT NULL,
    since   timestamptz NOT NULL DEFAULT now(),
    last_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (app_id, account, reason)
);
REVOKE ALL ON dropped_events FROM switchboard_app;

CREATE FUNCTION note_dropped(apps bigint[], accounts text[], reasons text[], counts bigint[]) RETURNS void
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    INSERT INTO dropped_events AS d (app_id, account, reason, events)
    SELECT n.app_id,
           -- an application that is heard for thousands of pages that nobody connected fills no table
           CASE WHEN (SELECT count(*) FROM (SELECT 1 FROM dropped_events o WHERE o.app_id = n.app_id LIMIT 1000) f)
                     >= 1000 THEN '' ELSE n.account END,
           n.reason, sum(n.events)
    FROM unnest(apps, accounts, reasons, counts) n (app_id, account, reason, events)
    GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
    ON CONFLICT (app_id, account, reason) DO UPDATE SET
        events = excluded.events + CASE WHEN d.last_at > now() - interval '1 day' THEN d.events ELSE 0 END,
        since = CASE WHEN d.last_at > now() - interval '1 day' THEN d.since ELSE now() END,
        last_at = now()
$$;

-- What was dropped within a day under apps that are connected. An app that somebody has disabled is no alert.
CREATE FUNCTION operations_dropped() RETURNS TABLE (
    platform text, slug text, reason text, accounts bigint, account text, events bigint, since timestamptz,
    last_at timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT a.platform, a.slug, d.reason, count(*), min(d.account), sum(d.events)::bigint, min(d.since), max(d.last_at)
    FROM dropped_events d JOIN apps a ON a.id = d.app_id
    WHERE a.state = 'active' AND d.last_at > now() - interval '1 day'
    GROUP BY 1, 2, 3
$$;

-- The channels under these apps that somebody has disabled.
CREATE FUNCTION disabled_routes_of(app_ids bigint[])
RETURNS TABLE (app_id bigint, platform text, channel_id bigint, company_id bigint, external_id text, handle text,
               app_external_id text, business_account text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT c.app_id, c.platform, c.id, c.company_id, c.external_id, c.handle, a.external_id, c.business_account
    FROM channels c JOIN apps a ON a.id = c.app_id
    WHERE c.app_id = ANY (app_ids) AND c.state = 'disabled'
$$;
REVOKE EXECUTE ON FUNCTION note_dropped, operations_dropped, disabled_routes_of FROM PUBLIC;
GRANT EXECUTE ON FUNCTION note_dropped, operations_dropped, disabled_routes_of TO switchboard_app;
