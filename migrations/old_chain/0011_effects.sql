-- What inbound events other than messages do: edits and deletions, reactions, what became of our parts afterwards, and
-- how each channel's webhooks are doing.

ALTER TABLE messages
    ADD COLUMN edited_at  timestamptz,           -- the newest edit's, by the platform's clock
    ADD COLUMN edits      text[],                -- dedupe keys of the newest edits, so that none counts twice
    ADD COLUMN deleted_at timestamptz;           -- text and attachments went with it
-- Edits, deletions and echoes name a message by its platform's id, which some platforms count in each chat.
CREATE INDEX messages_external ON messages (company_id, conversation_id, external_id, id) WHERE external_id IS NOT NULL;

-- Edits and deletions of messages that have not come yet; the message takes its row along when it comes.
CREATE TABLE early_changes (
    company_id      bigint NOT NULL,
    conversation_id bigint NOT NULL,
    external_id     text NOT NULL,
    text            text,
    attachments     jsonb,
    edited_at       timestamptz,
    edits           text[],
    deleted_at      timestamptz,
    created_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (company_id, conversation_id, external_id),
    FOREIGN KEY (company_id, conversation_id) REFERENCES conversations ON DELETE CASCADE
);
SELECT switchboard_isolate('early_changes');

-- The newest reaction of each person to each message, by the platform's ids: it may come before its message, and it may
-- be to one of ours. No emoji: taken back.
CREATE TABLE message_reactions (
    company_id bigint NOT NULL,
    channel_id bigint NOT NULL,
    chat       text NOT NULL,
    target     text NOT NULL,                    -- the message's id on the platform
    sender     text NOT NULL,
    emoji      text,
    at         timestamptz NOT NULL,
    PRIMARY KEY (company_id, channel_id, target, chat, sender),
    FOREIGN KEY (company_id, channel_id) REFERENCES channels
);
SELECT switchboard_isolate('message_reactions');

ALTER TABLE outbound
    ADD COLUMN delivered_at timestamptz,
    ADD COLUMN read_at      timestamptz;
CREATE INDEX outbound_platform_id ON outbound (company_id, channel_id, platform_message_id, id)
    WHERE platform_message_id IS NOT NULL;

-- What a platform says of a part while its send is still under way and its id therefore unknown.
CREATE TABLE early_statuses (
    company_id  bigint NOT NULL,
    channel_id  bigint NOT NULL,
    external_id text NOT NULL,
    status      text NOT NULL,
    meaning     text,
    at          timestamptz NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (company_id, channel_id, external_id, status),
    FOREIGN KEY (company_id, channel_id) REFERENCES channels
);
SELECT switchboard_isolate('early_statuses');

ALTER TABLE conversations
    ADD COLUMN delivery_problem text,            -- why a message did not reach the customer, since they wrote last
    ADD COLUMN referral    text,                 -- where the customer last came from: a link's, advertisement's or opt-in's name
    ADD COLUMN referral_at timestamptz;

-- How a channel's webhooks are doing. received_at is written once a minute at most.
CREATE TABLE channel_health (
    company_id  bigint NOT NULL,
    channel_id  bigint NOT NULL,
    received_at timestamptz,                     -- an event came
    checked_at  timestamptz,                     -- the platform was asked
    state       text NOT NULL DEFAULT 'unknown' CHECK (state IN ('unknown', 'ok', 'failing')),
    problem     text,                            -- of a failing one: a static word
    pending     bigint,                          -- events that the platform holds for us, where it says
    since       timestamptz,                     -- in this state
    PRIMARY KEY (company_id, channel_id),
    FOREIGN KEY (company_id, channel_id) REFERENCES channels
);
SELECT switchboard_isolate('channel_health');

-- How an app's webhooks were answered, minute by minute: platforms that see failures only disable a subscription.
CREATE TABLE app_answers (
    app_id   bigint NOT NULL,
    minute   timestamptz NOT NULL,
    accepted bigint NOT NULL DEFAULT 0,          -- 2xx
    refused  bigint NOT NULL DEFAULT 0,          -- 4xx: a wrong secret, no JSON
    failed   bigint NOT NULL DEFAULT 0,          -- 5xx: ours
    PRIMARY KEY (app_id, minute)
);
REVOKE UPDATE, DELETE ON app_answers FROM switchboard_app;

CREATE FUNCTION count_answers(apps bigint[], minutes timestamptz[], accepts bigint[], refusals bigint[],
                              failures bigint[]) RETURNS void
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    INSERT INTO app_answers AS a (app_id, minute, accepted, refused, failed)
    SELECT * FROM unnest(apps, minutes, accepts, refusals, failures) n ORDER BY 1, 2
    ON CONFLICT (app_id, minute) DO UPDATE SET accepted = a.accepted + excluded.accepted,
        refused = a.refused + excluded.refused, failed = a.failed + excluded.failed
$$;

-- Every channel that is not disabled, for the watch.
CREATE FUNCTION channels_to_watch(after_company bigint, after_channel bigint, lim int)
RETURNS TABLE (company_id bigint, channel_id bigint, app_id bigint, platform text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT c.company_id, c.id, c.app_id, c.platform FROM channels c
    WHERE (c.company_id, c.id) > (after_company, after_channel) AND c.state <> 'disabled'
    ORDER BY c.company_id, c.id LIMIT lim
$$;
GRANT EXECUTE ON FUNCTION count_answers, channels_to_watch TO switchboard_app;
