-- The base: who is served, what came in, what is owed.
--
-- Two roles: the owner runs this file; switchboard_app (or a member of it) is what the processes log in as.
-- Every tenant table has company_id in front of its primary key, row-level security, and one policy.

ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
ALTER DEFAULT PRIVILEGES GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO switchboard_app;
ALTER DEFAULT PRIVILEGES GRANT USAGE ON SEQUENCES TO switchboard_app;
GRANT USAGE ON SCHEMA public TO switchboard_app;

-- The companies that the current transaction works for. Raising is the point: without it a forgotten
-- SET LOCAL would find nothing and look like an empty inbox. The same goes for an empty list, which a
-- transaction for no company sets: such a one calls only the functions that look after themselves.
CREATE FUNCTION switchboard_companies() RETURNS bigint[]
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog AS $$
DECLARE
    ids text := current_setting('switchboard.companies', true);
BEGIN
    IF ids IS NULL OR ids IN ('', '{}') THEN
        RAISE EXCEPTION 'no company is set for this transaction'
            USING ERRCODE = 'insufficient_privilege', HINT = 'open it through shared.store.tenancy';
    END IF;
    RETURN ids::bigint[];
END $$;
GRANT EXECUTE ON FUNCTION switchboard_companies() TO switchboard_app;

-- Row-level security for one tenant table. The sub-select makes the planner ask once a query, not once a row.
CREATE FUNCTION switchboard_isolate(target regclass, key text DEFAULT 'company_id') RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', target);
    EXECUTE format(
        'CREATE POLICY company ON %s USING (%I = ANY ((SELECT switchboard_companies())::bigint[]))'
        ' WITH CHECK (%I = ANY ((SELECT switchboard_companies())::bigint[]))', target, key, key);
END $$;

CREATE TABLE companies (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name          text NOT NULL UNIQUE CHECK (name <> ''),
    handover_text text NOT NULL DEFAULT
        'I could not find a reliable answer to that, so I have asked a colleague to take over. They will reply here.',
    notice_text   text NOT NULL DEFAULT
        'I can only read text so far. Could you describe in words what you need?',
    created_at    timestamptz NOT NULL DEFAULT now()
);
SELECT switchboard_isolate('companies', 'id');
REVOKE INSERT, UPDATE, DELETE ON companies FROM switchboard_app;

CREATE TABLE agents (
    company_id  bigint NOT NULL REFERENCES companies,
    id          bigint GENERATED ALWAYS AS IDENTITY,
    name        text NOT NULL,
    key_hash    bytea NOT NULL UNIQUE,            -- SHA-256 of a 256-bit random key
    created_at  timestamptz NOT NULL DEFAULT now(),
    disabled_at timestamptz,
    PRIMARY KEY (company_id, id)
);
SELECT switchboard_isolate('agents');

-- A platform application or bot. It may serve several companies, so it belongs to none.
CREATE TABLE apps (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    platform   text NOT NULL,
    slug       text NOT NULL UNIQUE CHECK (slug ~ '^[A-Za-z0-9_-]{1,64}$'),  -- stands in the callback address
    secrets    bytea NOT NULL,                   -- encrypted JSON list, newest first
    state      text NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'disabled')),
    created_at timestamptz NOT NULL DEFAULT now()
);
REVOKE INSERT, UPDATE, DELETE ON apps FROM switchboard_app;

CREATE TABLE channels (
    company_id  bigint NOT NULL REFERENCES companies,
    id          bigint GENERATED ALWAYS AS IDENTITY,
    app_id      bigint NOT NULL REFERENCES apps,
    platform    text NOT NULL,
    external_id text NOT NULL,                   -- the bot's, page's or number's id on the platform
    handle      text,
    credentials bytea NOT NULL,                  -- encrypted JSON object
    state       text NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'needs_reauth', 'disabled')),
    created_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (company_id, id),
    UNIQUE (app_id, external_id)
);
SELECT switchboard_isolate('channels');

-- ------------------------------------------------------------------ the ledger (an operators' table)
-- Identity is the journal entry and the event's place in it: whoever dies between commit and XACK meets
-- its own row. company_id is empty where none is known. The application role appends and meets its own rows
-- through ledger_known(); operators read as the owner.
CREATE TABLE webhook_events (
    day         date NOT NULL,
    stream      text NOT NULL,
    entry_id    text NOT NULL,
    ordinal     int NOT NULL,
    received_at timestamptz NOT NULL,
    stored_at   timestamptz NOT NULL DEFAULT now(),
    platform    text NOT NULL,
    app_id      bigint NOT NULL,
    company_id  bigint,
    channel_id  bigint,
    kind        text NOT NULL,
    dedupe_key  text,
    outcome     text NOT NULL CHECK (outcome IN ('effected', 'dropped', 'parked')),
    reason      text,
    message_id  bigint,
    PRIMARY KEY (day, stream, entry_id, ordinal)
) PARTITION BY RANGE (day);
CREATE INDEX webhook_events_parked ON webhook_events (day, stream, entry_id) WHERE outcome = 'parked';
ALTER TABLE webhook_events ENABLE ROW LEVEL SECURITY;
CREATE POLICY company ON webhook_events
    USING (company_id = ANY ((SELECT switchboard_companies())::bigint[]))
    WITH CHECK (company_id IS NULL OR company_id = ANY ((SELECT switchboard_companies())::bigint[]));

CREATE TABLE webhook_raw (
    day         date NOT NULL,
    stream      text NOT NULL,
    entry_id    text NOT NULL,
    platform    text NOT NULL,
    app_id      bigint NOT NULL,
    received_at timestamptz NOT NULL,
    size        int NOT NULL,                    -- bytes as received
    body        bytea NOT NULL,                  -- zlib
    PRIMARY KEY (day, stream, entry_id)
) PARTITION BY RANGE (day);
REVOKE SELECT, UPDATE, DELETE ON webhook_raw FROM switchboard_app;

-- What the journal's consumers have done, a row a stream, touched once a batch under the shard's lock.
-- requests + redrives + what still lies in the stream = the stream's entries-added.
CREATE TABLE journal_progress (
    stream    text PRIMARY KEY,
    requests  bigint NOT NULL DEFAULT 0,
    redrives  bigint NOT NULL DEFAULT 0,
    repeats   bigint NOT NULL DEFAULT 0,         -- our own repetitions after a crash, not the platform's
    updated_at timestamptz NOT NULL DEFAULT now()
);

-- ------------------------------------------------------------------ conversations
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
    PRIMARY KEY (company_id, id),
    UNIQUE (company_id, channel_id, chat),
    FOREIGN KEY (company_id, channel_id) REFERENCES channels,
    CHECK (read_seq <= customer_seq)
) WITH (fillfactor = 80);
CREATE INDEX conversations_recent ON conversations (company_id, last_message_at DESC, id DESC);
SELECT switchboard_isolate('conversations');

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
    PRIMARY KEY (company_id, id),
    UNIQUE (company_id, channel_id, dedupe_key),
    UNIQUE (company_id, conversation_id, seq),
    FOREIGN KEY (company_id, conversation_id) REFERENCES conversations
);
SELECT switchboard_isolate('messages');

-- Totals of a company: the hottest row there is, so it is touched once a batch and last.
CREATE TABLE company_totals (
    company_id        bigint PRIMARY KEY REFERENCES companies,
    customer_messages bigint NOT NULL DEFAULT 0,
    unread            bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 50);
SELECT switchboard_isolate('company_totals');

-- ------------------------------------------------------------------ turns
-- waiting: due at due_at. answering: leased until due_at, fenced by epoch. So one index finds both what is due
-- and what was abandoned.
CREATE TABLE turns (
    company_id      bigint NOT NULL REFERENCES companies,
    id              bigint GENERATED ALWAYS AS IDENTITY,
    conversation_id bigint NOT NULL,
    channel_id      bigint NOT NULL,
    state           text NOT NULL DEFAULT 'waiting'
        CHECK (state IN ('waiting', 'answering', 'answered', 'handed_over', 'cancelled')),
    epoch           int NOT NULL DEFAULT 0,
    cancels         int NOT NULL DEFAULT 0,
    attempts        int NOT NULL DEFAULT 0,
    first_seq       bigint NOT NULL,
    last_seq        bigint NOT NULL,
    first_at        timestamptz NOT NULL DEFAULT now(),
    received_at     timestamptz NOT NULL,        -- when the gateway accepted the newest message
    due_at          timestamptz NOT NULL,
    error           text,                        -- class of the last failure, never content
    created_at      timestamptz NOT NULL DEFAULT now(),
    finished_at     timestamptz,
    PRIMARY KEY (company_id, id),
    FOREIGN KEY (company_id, conversation_id) REFERENCES conversations
) WITH (fillfactor = 70);
CREATE INDEX turns_due ON turns (company_id, due_at) WHERE state IN ('waiting', 'answering');
-- What stands before a turn in its conversation, and which turn a new message belongs to: asked with every claim
-- and every batch of messages, and without this index answered by reading all open turns of the company.
CREATE INDEX turns_open ON turns (company_id, conversation_id, id) WHERE state IN ('waiting', 'answering');
CREATE INDEX turns_of_conversation ON turns (company_id, conversation_id, id);
CREATE UNIQUE INDEX turns_one_waiting ON turns (company_id, conversation_id) WHERE state = 'waiting';
CREATE UNIQUE INDEX turns_one_answering ON turns (company_id, conversation_id) WHERE state = 'answering';
SELECT switchboard_isolate('turns');

-- How an answer came to be.
CREATE TABLE receipts (
    company_id bigint NOT NULL REFERENCES companies,
    turn_id    bigint NOT NULL,
    message_id bigint NOT NULL,
    step       text NOT NULL,
    reason     text NOT NULL,
    passages   jsonb NOT NULL,
    citations  jsonb NOT NULL,
    attempts   jsonb NOT NULL,
    tokens_in  int NOT NULL DEFAULT 0,
    tokens_out int NOT NULL DEFAULT 0,
    ms         jsonb NOT NULL,                   -- time per stage
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (company_id, turn_id),
    FOREIGN KEY (company_id, turn_id) REFERENCES turns
);
SELECT switchboard_isolate('receipts');

-- ------------------------------------------------------------------ outbound
-- queued: due at due_at (a claim moves it ahead, fenced by epoch). sending: the request may have left; due_at is
-- when it becomes uncertain. uncertain: blocks its conversation until uncertain_at + a bound.
CREATE TABLE outbound (
    company_id      bigint NOT NULL REFERENCES companies,
    id              bigint GENERATED ALWAYS AS IDENTITY,
    conversation_id bigint NOT NULL,
    channel_id      bigint NOT NULL,
    turn_id         bigint,
    message_id      bigint NOT NULL,
    part            int NOT NULL,
    text            text NOT NULL,
    state           text NOT NULL DEFAULT 'queued'
        CHECK (state IN ('queued', 'sending', 'sent', 'uncertain', 'failed', 'cancelled')),
    epoch           int NOT NULL DEFAULT 0,
    attempts        int NOT NULL DEFAULT 0,
    due_at          timestamptz NOT NULL DEFAULT now(),
    uncertain_at    timestamptz,
    meaning         text,                        -- why it is where it is: a static word
    platform_message_id text,
    created_at      timestamptz NOT NULL DEFAULT now(),
    finished_at     timestamptz,
    PRIMARY KEY (company_id, id),
    UNIQUE (company_id, message_id, part),
    FOREIGN KEY (company_id, conversation_id) REFERENCES conversations
) WITH (fillfactor = 70);
CREATE INDEX outbound_due ON outbound (company_id, due_at) WHERE state IN ('queued', 'sending');
CREATE INDEX outbound_open ON outbound (company_id, conversation_id, id)
    WHERE state IN ('queued', 'sending', 'uncertain');
-- Few rows however long the queue is: the sweeper looks for sends without a result every few seconds.
CREATE INDEX outbound_sending ON outbound (due_at) WHERE state = 'sending';
-- One turn has one reply, whatever else goes wrong.
CREATE UNIQUE INDEX outbound_one_reply ON outbound (company_id, turn_id, part) WHERE turn_id IS NOT NULL;
SELECT switchboard_isolate('outbound');

CREATE TABLE delivery_attempts (
    company_id  bigint NOT NULL,
    outbound_id bigint NOT NULL,
    attempt     int NOT NULL,
    day         date NOT NULL,
    started_at  timestamptz NOT NULL,
    duration_ms int,
    status      text,
    meaning     text,
    http_status int,
    PRIMARY KEY (company_id, outbound_id, attempt, day)
) PARTITION BY RANGE (day);
SELECT switchboard_isolate('delivery_attempts');

-- When the fleet's sweeper looks next; one row, which is also its lock.
CREATE TABLE sweeps (
    only_one boolean PRIMARY KEY DEFAULT true CHECK (only_one),
    next_at  timestamptz NOT NULL DEFAULT now(),
    pause_s  double precision NOT NULL DEFAULT 0,
    overdue  bigint NOT NULL DEFAULT 0
);
INSERT INTO sweeps DEFAULT VALUES;
REVOKE INSERT, DELETE ON sweeps FROM switchboard_app;

-- ------------------------------------------------------------------ partitions by day
-- The default partition takes what has no day of its own (a clock that jumped): nothing is refused.
-- A partition reached directly would not ask the parent's policy, so the application role may not.
CREATE FUNCTION switchboard_make_partition(parent regclass, on_day date) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
    child text := format('%s_%s', parent, to_char(on_day, 'YYYYMMDD'));
    stray text := format('%s_default', parent);
BEGIN
    IF to_regclass(child) IS NOT NULL THEN
        RETURN false;
    END IF;
    -- from here on nobody adds a row of this day to the default partition, nor makes this partition as well
    EXECUTE format('LOCK TABLE ONLY %s IN SHARE UPDATE EXCLUSIVE MODE', parent);
    EXECUTE format('LOCK TABLE %I IN ACCESS EXCLUSIVE MODE', stray);
    IF to_regclass(child) IS NOT NULL THEN
        RETURN false;
    END IF;
    EXECUTE format('CREATE TABLE %I (LIKE %s INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', child, parent);
    -- rows that came before their partition move into it, or attaching would be refused
    EXECUTE format('WITH moved AS (DELETE FROM %I WHERE day = $1 RETURNING *) INSERT INTO %I SELECT * FROM moved',
                   stray, child) USING on_day;
    EXECUTE format('ALTER TABLE %s ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
                   parent, child, on_day, on_day + 1);
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', child);
    EXECUTE format('REVOKE ALL ON %I FROM switchboard_app', child);
    RETURN true;
END $$;

DO $$
DECLARE
    parent text;
BEGIN
    FOREACH parent IN ARRAY ARRAY['webhook_events', 'webhook_raw', 'delivery_attempts'] LOOP
        EXECUTE format('CREATE TABLE %I PARTITION OF %I DEFAULT', parent || '_default', parent);
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', parent || '_default');
        EXECUTE format('REVOKE ALL ON %I FROM switchboard_app', parent || '_default');
    END LOOP;
END $$;

-- ------------------------------------------------------------------ work across companies
-- The only places where the application role looks over the fence. Each returns ids and never content.

-- Where the events of these apps go.
CREATE FUNCTION routes_of(app_ids bigint[])
RETURNS TABLE (app_id bigint, platform text, channel_id bigint, company_id bigint, external_id text, handle text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT c.app_id, c.platform, c.id, c.company_id, c.external_id, c.handle
    FROM channels c WHERE c.app_id = ANY (app_ids) AND c.state <> 'disabled'
$$;

-- Which journal entries the ledger already holds (days bounds the partitions looked at).
CREATE FUNCTION ledger_known(on_days date[], on_stream text, entry_ids text[])
RETURNS TABLE (entry_id text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT DISTINCT e.entry_id FROM webhook_events e
    WHERE e.day = ANY (on_days) AND e.stream = on_stream AND e.entry_id = ANY (entry_ids)
$$;

-- A redriven event leaves the parking place; false if it was not parked any more.
CREATE FUNCTION ledger_unpark(on_day date, on_stream text, at_entry text, at_ordinal int,
                              new_outcome text, new_reason text, new_company bigint, new_channel bigint)
RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    UPDATE webhook_events SET outcome = new_outcome, reason = new_reason, stored_at = now(),
           company_id = new_company, channel_id = new_channel
    WHERE day = on_day AND stream = on_stream AND entry_id = at_entry AND ordinal = at_ordinal
      AND outcome = 'parked';
    RETURN FOUND;
END $$;

-- The next due turn after a company, and a lease on it. Companies take turns because the caller hands back
-- the company it got; within one, the longest overdue first. A conversation's turns are answered in order.
CREATE FUNCTION claim_turn(after_company bigint, lease_s double precision)
RETURNS TABLE (company_id bigint, id bigint, epoch int)
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp
SET plan_cache_mode = force_custom_plan AS $$
    WITH due AS (
        SELECT t.company_id, t.id FROM turns t
        WHERE t.company_id > after_company AND t.state IN ('waiting', 'answering') AND t.due_at <= clock_timestamp()
          AND NOT EXISTS (SELECT 1 FROM turns earlier
                          WHERE earlier.company_id = t.company_id AND earlier.conversation_id = t.conversation_id
                            AND earlier.id < t.id AND earlier.state IN ('waiting', 'answering'))
        ORDER BY t.company_id, t.due_at LIMIT 1 FOR UPDATE SKIP LOCKED)
    UPDATE turns t SET state = 'answering', epoch = t.epoch + 1, attempts = t.attempts + 1,
           due_at = clock_timestamp() + make_interval(secs => lease_s)
    FROM due WHERE t.company_id = due.company_id AND t.id = due.id
    RETURNING t.company_id, t.id, t.epoch
$$;

-- Renew the leases of one process in one statement; what is not returned is lost. A row that is locked just
-- now counts as held: whoever holds the lock decides, and the next renewal sees it.
CREATE FUNCTION renew_turns(companies bigint[], ids bigint[], epochs int[], lease_s double precision)
RETURNS TABLE (company_id bigint, id bigint, epoch int)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    RETURN QUERY
    WITH mine AS (
        SELECT t.company_id, t.id, t.epoch
        FROM unnest(companies, ids, epochs) AS held (company_id, id, epoch)
        JOIN turns t ON t.company_id = held.company_id AND t.id = held.id
        WHERE t.epoch = held.epoch AND t.state = 'answering'),
    free AS (
        SELECT t.company_id, t.id FROM turns t JOIN mine ON t.company_id = mine.company_id AND t.id = mine.id
        FOR UPDATE OF t SKIP LOCKED),
    renewed AS (
        UPDATE turns t SET due_at = clock_timestamp() + make_interval(secs => lease_s)
        FROM free, unnest(companies, ids, epochs) AS held (company_id, id, epoch)
        WHERE t.company_id = free.company_id AND t.id = free.id
          AND held.company_id = t.company_id AND held.id = t.id
          AND t.epoch = held.epoch AND t.state = 'answering')
    SELECT mine.company_id, mine.id, mine.epoch FROM mine;
END $$;

-- The next due outbound row after a company: a conversation's oldest open one. An uncertain one blocks
-- the conversation for a bound, then lets the others pass.
CREATE FUNCTION claim_outbound(after_company bigint, lease_s double precision, unblock_s double precision)
RETURNS TABLE (company_id bigint, id bigint, epoch int)
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp
SET plan_cache_mode = force_custom_plan AS $$
    WITH due AS (
        SELECT o.company_id, o.id FROM outbound o
        WHERE o.company_id > after_company AND o.state = 'queued' AND o.due_at <= clock_timestamp()
          AND o.state IN ('queued', 'sending')
          AND NOT EXISTS (SELECT 1 FROM outbound earlier
                          WHERE earlier.company_id = o.company_id AND earlier.conversation_id = o.conversation_id
                            AND earlier.id < o.id AND earlier.state IN ('queued', 'sending', 'uncertain')
                            AND (earlier.state <> 'uncertain' OR earlier.uncertain_at
                                 > clock_timestamp() - make_interval(secs => unblock_s)))
        ORDER BY o.company_id, o.due_at LIMIT 1 FOR UPDATE SKIP LOCKED)
    UPDATE outbound o SET epoch = o.epoch + 1, due_at = clock_timestamp() + make_interval(secs => lease_s)
    FROM due WHERE o.company_id = due.company_id AND o.id = due.id
    RETURNING o.company_id, o.id, o.epoch
$$;

-- Sends whose result was not recorded in time: nobody knows what became of them.
CREATE FUNCTION expire_sending(lim int) RETURNS TABLE (company_id bigint, id bigint)
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH late AS (
        SELECT o.company_id, o.id FROM outbound o
        WHERE o.state = 'sending' AND o.due_at <= clock_timestamp() LIMIT lim FOR UPDATE SKIP LOCKED)
    UPDATE outbound o SET state = 'uncertain', uncertain_at = clock_timestamp(), meaning = 'not_recorded'
    FROM late WHERE o.company_id = late.company_id AND o.id = late.id
    RETURNING o.company_id, o.id
$$;

-- What is overdue, counted up to a bound: how many doorbells the sweeper should ring.
CREATE FUNCTION overdue(grace_s double precision, lim int) RETURNS TABLE (turns bigint, outbound bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT (SELECT count(*) FROM (SELECT 1 FROM turns t WHERE t.state IN ('waiting', 'answering')
                AND t.due_at <= clock_timestamp() - make_interval(secs => grace_s) LIMIT lim) a),
           (SELECT count(*) FROM (SELECT 1 FROM outbound o WHERE o.state IN ('queued', 'sending')
                AND o.due_at <= clock_timestamp() - make_interval(secs => grace_s) LIMIT lim) b)
$$;

-- Who holds this API key (given as its SHA-256).
CREATE FUNCTION agent_of_key(hash bytea) RETURNS TABLE (company_id bigint, agent_id bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT a.company_id, a.id FROM agents a WHERE a.key_hash = hash AND a.disabled_at IS NULL
$$;

-- Every company's id, for jobs that go from one to the next.
CREATE FUNCTION company_ids() RETURNS TABLE (company_id bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT c.id FROM companies c ORDER BY c.id
$$;

GRANT EXECUTE ON FUNCTION routes_of, ledger_known, ledger_unpark, claim_turn, renew_turns, claim_outbound,
    expire_sending, overdue, agent_of_key, company_ids TO switchboard_app;
