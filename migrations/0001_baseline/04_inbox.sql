-- Inbox: conversations, what was said in them, and what was attached.

CREATE TABLE contacts (
    company_id  bigint NOT NULL REFERENCES companies,
    id          bigint GENERATED ALWAYS AS IDENTITY,
    channel_id  bigint NOT NULL,
    external_id text NOT NULL,
    name        text,
    created_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (company_id, id),
    UNIQUE (company_id, channel_id, external_id),
    FOREIGN KEY (company_id, channel_id) REFERENCES channels
);
SELECT switchboard_isolate('contacts');

-- Every message updates its conversation, and the inbox' list walks `conversations_recent`, where each of them leaves
-- an entry behind: vacuumed early.
CREATE TABLE conversations (
    company_id     bigint NOT NULL REFERENCES companies,
    id             bigint GENERATED ALWAYS AS IDENTITY,
    channel_id     bigint NOT NULL,
    chat           text NOT NULL,                -- the conversation's id on the platform
    migrated_to    text,                         -- its new id there, once the platform has moved it
    contact_id     bigint,                       -- who wrote first
    status         text NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'handed_over')),
    bot_enabled    boolean NOT NULL DEFAULT true,
    message_count  bigint NOT NULL DEFAULT 0,    -- the last message's seq
    customer_seq   bigint NOT NULL DEFAULT 0,    -- customer messages so far
    read_seq       bigint NOT NULL DEFAULT 0,    -- customer messages an agent has seen; unread = the difference
    last_message_id      bigint,
    last_message_at      timestamptz,
    last_message_role    text,
    last_message_preview text,
    created_at     timestamptz NOT NULL DEFAULT now(),
    last_customer_at      timestamptz,           -- the platform's time of the customer's newest message: most platforms
                                                 -- allow answers for a day after that
    last_customer_message text,                  -- its id on the platform: what typing, seen and replies refer to
    delivery_problem text,                       -- why a message did not reach the customer, since they wrote last
    referral       text,                         -- where the customer last came from: a link's, advertisement's or
                                                 -- opt-in's name
    referral_at    timestamptz,
    archived_seq   bigint NOT NULL DEFAULT 0,    -- up to here messages are in the archive (08_lifecycle.sql)
    -- A conversation that a person should look at, while the bot goes on answering.
    attention      text CHECK (attention <> ''), -- why, as a static word; null: nothing waits for a person
    attention_since timestamptz,
    bot_step       text,                         -- the step of the bot's last reply, null since a person spoke
    bot_step_at    timestamptz,
    misses         int NOT NULL DEFAULT 0,       -- replies in a row that said that nothing is known
    -- The bot and a machine that answers it must come to an end: answers in one conversation have a pace.
    answers_until  timestamptz,                  -- each answer of the bot's moves it on; how far it is ahead says how
                                                 -- many came fast
    silent_until   timestamptz,                  -- the bot gives no answer until then, because too many came too fast
    language       text CHECK (language ~ '^[a-z]{2,3}$'),  -- the platform's code of who wrote last
    PRIMARY KEY (company_id, id),
    UNIQUE (company_id, channel_id, chat),
    FOREIGN KEY (company_id, channel_id) REFERENCES channels,
    CHECK (read_seq <= customer_seq),
    CONSTRAINT conversations_attention_since CHECK ((attention IS NULL) = (attention_since IS NULL))
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000,
        autovacuum_analyze_scale_factor = 0.02);
CREATE INDEX conversations_recent ON conversations (company_id, last_message_at DESC, id DESC);
CREATE INDEX conversations_attention ON conversations (company_id, attention_since) WHERE attention IS NOT NULL;
SELECT switchboard_isolate('conversations');

-- Grows by inserts and is emptied by the archive a batch at a time. Vacuumed after a twentieth of it is new, its pages
-- are all-visible soon, so that counts and pages of history are read from the index alone, and freezing is never a
-- month's work at once.
CREATE TABLE messages (
    company_id      bigint NOT NULL REFERENCES companies,
    id              bigint GENERATED ALWAYS AS IDENTITY,
    conversation_id bigint NOT NULL,
    channel_id      bigint NOT NULL,
    seq             bigint NOT NULL,             -- from 1, without gaps, in one conversation
    role            text NOT NULL CHECK (role IN ('customer', 'bot', 'agent')),
    contact_id      bigint,
    dedupe_key      text,                        -- customer messages: unique inside a channel
    external_id     text,
    reply_to        text,
    text            text,
    attachments     jsonb,
    sent_at         timestamptz,                 -- the platform's time
    created_at      timestamptz NOT NULL DEFAULT now(),
    edited_at       timestamptz,                 -- the newest edit's, by the platform's clock
    edits           text[],                      -- dedupe keys of the newest edits, so that none counts twice
    deleted_at      timestamptz,                 -- text and attachments went with it
    request_hash    bytea,                       -- of an agent's request with an Idempotency-Key: the hash of its body,
                                                 -- by which the same key with another body is told
    PRIMARY KEY (company_id, id),
    UNIQUE (company_id, channel_id, dedupe_key),
    UNIQUE (company_id, conversation_id, seq),
    FOREIGN KEY (company_id, conversation_id) REFERENCES conversations
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_insert_scale_factor = 0.05,
        autovacuum_analyze_scale_factor = 0.02);
-- Edits, deletions and echoes name a message by its platform's id, which some platforms count in each chat.
CREATE INDEX messages_external ON messages (company_id, conversation_id, external_id, id) WHERE external_id IS NOT NULL;
SELECT switchboard_isolate('messages');

-- Totals of a company: the hottest row there is, so it is touched once a batch and last. For autovacuum a share of so
-- few rows says nothing, a number does.
CREATE TABLE company_totals (
    company_id        bigint PRIMARY KEY REFERENCES companies,
    customer_messages bigint NOT NULL DEFAULT 0,
    unread            bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);
SELECT switchboard_isolate('company_totals');

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

-- What customers attached: a row an attachment, fetched by a task, its bytes in the media store under their hash.
--
-- waiting: due at due_at (a claim moves it ahead, fenced by epoch). stored: the bytes are there. refused: we do not
-- want it (too large, a type nobody reads, infected). failed: it could not be had.
--
-- The rows are narrow and stay where they are when their messages go to the archive: an address that was shown before
-- shows them still. So they refer to no row (whoever deletes messages for good forgets their attachments, whose bytes
-- would otherwise stay for ever), and know the name that stood in the message.
CREATE TABLE media (
    company_id  bigint NOT NULL,
    message_id  bigint NOT NULL,
    ordinal     int NOT NULL,                    -- the attachment's place in its message, from 0
    channel_id  bigint NOT NULL,
    state       text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'stored', 'refused', 'failed')),
    reason      text,                            -- of refused and failed, and of the last attempt: a static word
    epoch       int NOT NULL DEFAULT 0,
    attempts    int NOT NULL DEFAULT 0,
    due_at      timestamptz NOT NULL DEFAULT now(),
    sha256      bytea,
    size_bytes  bigint,
    mime        text,                            -- as its server said, where we know the type
    created_at  timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz,
    name        text,
    PRIMARY KEY (company_id, message_id, ordinal),
    CHECK (state <> 'stored' OR (sha256 IS NOT NULL AND size_bytes IS NOT NULL))
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000);
CREATE INDEX media_due ON media (company_id, due_at) WHERE state = 'waiting';
-- Whose bytes are these still: asked before they are deleted.
CREATE INDEX media_content ON media (company_id, sha256) WHERE sha256 IS NOT NULL;
SELECT switchboard_isolate('media');
