-- What a contact, user, key or address may ask for in seconds, minutes or an hour, and how much of it at once: a row a
-- purpose, counted in Redis (shared/resilience/limiter.py). Null: no such limit. What may be done in a calendar day
-- stands in daily_limits and is counted here.
--
-- Without a company a row is the default. A company's own row stands in place of the whole default row.
CREATE TABLE rate_limits (
    company_id     bigint REFERENCES companies,
    purpose        text NOT NULL CHECK (purpose ~ '^[a-z][a-z_]{0,40}$'),
    per_second     int CHECK (per_second BETWEEN 1 AND 1000000),
    per_10_seconds int CHECK (per_10_seconds BETWEEN 1 AND 1000000),
    per_minute     int CHECK (per_minute BETWEEN 1 AND 1000000),
    per_hour       int CHECK (per_hour BETWEEN 1 AND 1000000),
    at_once        int CHECK (at_once BETWEEN 1 AND 10000),
    updated_at     timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX rate_limits_once ON rate_limits (company_id, purpose) NULLS NOT DISTINCT;
SELECT switchboard_isolate('rate_limits');
CREATE POLICY defaults ON rate_limits FOR SELECT
    USING (company_id IS NULL AND cardinality((SELECT switchboard_companies())) > 0);

INSERT INTO rate_limits (purpose, per_second, per_10_seconds, per_minute, per_hour, at_once) VALUES
    ('answers', NULL, NULL, NULL, 60, NULL),        -- to one contact
    ('expensive', NULL, NULL, 10, 100, 5),          -- recall, transcription and the like, for one contact or user
    ('group_messages', 10, NULL, NULL, NULL, NULL), -- of one member
    ('api_user', NULL, NULL, NULL, 1000, NULL),     -- calls of one signed-in user
    ('api_key', NULL, NULL, NULL, 10000, NULL),     -- calls with one key of a company
    ('address', NULL, 10, NULL, NULL, NULL),        -- conversations, messages and answers asked for by strangers
    ('address_signed_in', NULL, 100, NULL, NULL, NULL);  -- the same by agents, of whom a whole office may have one address
