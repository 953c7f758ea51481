-- Tenants: companies, their agents, applications, channels and limits.

CREATE TABLE companies (
    id                 bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name               text NOT NULL CHECK (name <> ''),
    -- The bot's words when a person takes over, and when it cannot read what was sent.
    handover_text      text NOT NULL DEFAULT
        'Something went wrong here and I could not answer. I have told a colleague, who will reply here.',
    notice_text        text NOT NULL DEFAULT
        'I can only read text so far. Could you describe in words what you need?',
    created_at         timestamptz NOT NULL DEFAULT now(),
    daily_token_budget bigint CHECK (daily_token_budget >= 0),     -- null: none
    -- Null: as the settings say. A company that keeps its archive for ever has no archive_delete_after_days.
    archive_after_days        int CHECK (archive_after_days >= 30),
    archive_delete_after_days int CHECK (archive_delete_after_days >= 60),
    overload_text      text NOT NULL DEFAULT
        'Sorry, so many people are writing to us just now that I cannot answer in time. A colleague will reply here.',
    -- Beside the id, so that commands can name a company in one way; a trigger makes it from the name.
    slug               text NOT NULL,
    -- Texts by name where the company has words of its own; the others are the built-in ones in the customer's
    -- language.
    texts              jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(texts) = 'object'),
    -- What tells the language to answer in where the customer's words do not: ISO 639-1.
    language           text CHECK (language ~ '^[a-z]{2,3}$'),
    CONSTRAINT companies_name CHECK (name_is_plain(name) AND name_key(name) <> ''),
    CONSTRAINT companies_slug
        CHECK (slug ~ '^[a-z0-9]+(-[a-z0-9]+)*$' AND slug ~ '[a-z]' AND char_length(slug) <= 63)
);
-- Unique without regard to case: functions/before_tables/names.sql.
CREATE UNIQUE INDEX companies_name_once ON companies (name_key(name));
CREATE UNIQUE INDEX companies_slug_once ON companies (slug);
SELECT switchboard_isolate('companies', 'id');
REVOKE INSERT, UPDATE, DELETE ON companies FROM switchboard_app;

CREATE TABLE agents (
    company_id  bigint NOT NULL REFERENCES companies,
    id          bigint GENERATED ALWAYS AS IDENTITY,
    name        text NOT NULL,
    key_hash    bytea NOT NULL UNIQUE,            -- SHA-256 of a 256-bit random key
    created_at  timestamptz NOT NULL DEFAULT now(),
    disabled_at timestamptz,
    PRIMARY KEY (company_id, id),
    CONSTRAINT agents_name CHECK (name_is_plain(name) AND name_key(name) <> '')
);
-- Only agents whose key counts have to differ.
CREATE UNIQUE INDEX agents_name_once ON agents (company_id, name_key(name)) WHERE disabled_at IS NULL;
SELECT switchboard_isolate('agents');

-- A platform application or bot. Meta's and Slack's applications are the operator's, with channels of several
-- companies; on other platforms an app has one channel, because its webhooks do not say which (a bot, a program, a
-- widget), and so it is one company's: owner_id. Whoever connects it second is refused.
CREATE TABLE apps (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    platform     text NOT NULL,
    slug         text NOT NULL UNIQUE CHECK (slug ~ '^[A-Za-z0-9_-]{1,64}$'),  -- stands in the callback address
    secrets      bytea NOT NULL,                 -- encrypted JSON list, newest first
    state        text NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'disabled')),
    created_at   timestamptz NOT NULL DEFAULT now(),
    origins      text[] NOT NULL DEFAULT '{}',   -- of a web-chat widget: from which pages its visitors may come
    external_id  text,                           -- our application's id on the platform, where it has one: tells our
                                                 -- echoes
    verify_token bytea,                          -- encrypted JSON string; for handshakes by GET
    owner_id     bigint REFERENCES companies
);
REVOKE INSERT, UPDATE, DELETE ON apps FROM switchboard_app;

CREATE TABLE channels (
    company_id       bigint NOT NULL REFERENCES companies,
    id               bigint GENERATED ALWAYS AS IDENTITY,
    app_id           bigint NOT NULL REFERENCES apps,
    platform         text NOT NULL,
    external_id      text NOT NULL,              -- the bot's, page's or number's id on the platform
    handle           text,
    credentials      bytea NOT NULL,             -- encrypted JSON object
    state            text NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'needs_reauth', 'disabled')),
    created_at       timestamptz NOT NULL DEFAULT now(),
    -- WhatsApp: the platform's id of the account that holds the channel, which may hold several numbers: what is told
    -- of it names none of them. Null: it has none, or is learned from its credentials by the next round of the watch.
    business_account text,
    PRIMARY KEY (company_id, id),
    UNIQUE (app_id, external_id)
);
-- Few, however much traffic there is.
CREATE INDEX channels_needing_reauth ON channels (company_id, id) WHERE state = 'needs_reauth';
-- With several, everything that came would be dropped: nobody could say for which.
CREATE UNIQUE INDEX channels_one_of_an_app ON channels (app_id)
    WHERE platform IN ('telegram', 'standard', 'widget') AND state <> 'disabled';
-- What stands for one account is one channel. A Slack workspace may have several of our applications, each a bot of its
-- own; a program's name is its owner's choice.
CREATE UNIQUE INDEX channels_one_of_an_account ON channels (platform, external_id)
    WHERE platform IN ('telegram', 'messenger', 'instagram', 'whatsapp') AND state <> 'disabled';
SELECT switchboard_isolate('channels');

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
    -- What the platform last told of the channel or its account that a person should know: a static word.
    notice      text,
    notice_at   timestamptz,
    PRIMARY KEY (company_id, channel_id),
    FOREIGN KEY (company_id, channel_id) REFERENCES channels
);
SELECT switchboard_isolate('channel_health');

-- ------------------------------------------------------------------ daily limits
-- How much costly work a company, and one of its contacts, may cause in a day (UTC). Rates of seconds and minutes are
-- Redis' (shared/resilience/limiter.py); what costs money or a platform's patience is counted here, where it outlives
-- Redis and is taken exactly.
CREATE TABLE daily_limits (
    kind        text PRIMARY KEY CHECK (kind ~ '^[a-z][a-z_]{0,40}$'),
    per_company bigint CHECK (per_company >= 0),  -- null: no bound
    per_contact bigint CHECK (per_contact >= 0),
    updated_at  timestamptz NOT NULL DEFAULT now()
);
INSERT INTO daily_limits (kind, per_company, per_contact) VALUES
    ('media_fetches', 20000, 300),      -- attachments fetched: traffic and disk, at one stranger's wish
    ('imports', 20000, NULL),           -- files and pages read: minutes of a processor, then vectors that an API bills
    ('sites', 50, NULL),                -- sitemaps walked: each asks for up to thousands of pages
    -- What is to come asks by these names.
    ('images', 3, NULL),
    ('memory_extractions', 100, NULL);
REVOKE INSERT, UPDATE, DELETE ON daily_limits FROM switchboard_app;

-- A company's own, in place of both of the default's bounds.
CREATE TABLE daily_limit_overrides (
    company_id  bigint NOT NULL REFERENCES companies,
    kind        text NOT NULL REFERENCES daily_limits,
    per_company bigint CHECK (per_company >= 0),
    per_contact bigint CHECK (per_contact >= 0),
    updated_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (company_id, kind)
);
SELECT switchboard_isolate('daily_limit_overrides');
REVOKE INSERT, UPDATE, DELETE ON daily_limit_overrides FROM switchboard_app;

-- What was taken. contact_id 0: the company's sum. By take_daily() alone.
CREATE TABLE daily_uses (
    company_id bigint NOT NULL,
    day        date NOT NULL,
    kind       text NOT NULL,
    contact_id bigint NOT NULL DEFAULT 0,
    used       bigint NOT NULL,
    PRIMARY KEY (company_id, day, kind, contact_id)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 500);
SELECT switchboard_isolate('daily_uses');
REVOKE INSERT, UPDATE, DELETE ON daily_uses FROM switchboard_app;
