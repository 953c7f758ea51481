-- Budgets: what models may cost in the last 30 days (UTC days, today among them), for a company and for each of its
-- contacts, in millionths of the currency of the prices.
--
-- A call is reserved for before it is made, with an estimate, and settled after it, in the transaction that writes the
-- ledger (llm_calls). So what counts against a budget is always what the ledger has of these days and what is reserved.

-- The limits that somebody has set. scope: `company`: the company's own, none where there is no row; `contacts`: of each
-- contact of the company; `contact`: of this one. Without a row of either CONTACT_BUDGET_USD holds.
CREATE TABLE budgets (
    company_id   bigint NOT NULL REFERENCES companies,
    scope        text NOT NULL CHECK (scope IN ('company', 'contacts', 'contact')),
    contact_id   bigint NOT NULL DEFAULT 0 CHECK ((contact_id > 0) = (scope = 'contact')),
    limit_micros bigint CHECK (limit_micros >= 0),  -- null: no limit
    updated_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (company_id, scope, contact_id)
);
SELECT switchboard_isolate('budgets');

-- What was spent before somebody let a budget begin anew counts no more: days before `day`, and `micros` of that day.
-- contact_id 0: the company's.
CREATE TABLE budget_resets (
    company_id bigint NOT NULL REFERENCES companies,
    contact_id bigint NOT NULL DEFAULT 0,
    day        date NOT NULL,
    micros     bigint NOT NULL CHECK (micros >= 0),
    reset_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (company_id, contact_id)
);
SELECT switchboard_isolate('budget_resets');

-- A contact's day in the ledger: what its calls cost, kept for as long as it counts (models.check_budgets). A company's day
-- stands in usage_daily. Of both, a contact's is written first: whoever writes holds the company's for no longer than the
-- rest of one statement.
CREATE TABLE contact_days (
    company_id  bigint NOT NULL,
    contact_id  bigint NOT NULL,
    day         date NOT NULL,
    cost_micros bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (company_id, contact_id, day)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000);
SELECT switchboard_isolate('contact_days');

-- Requests to models that are under way, each with the most that it is expected to cost. It counts until it is settled;
-- one that is not settled by expires_at is charged as if it had cost so much, because its process died and nobody knows
-- what the provider bills. charged_at: when; the row then stays for a day, for a process that was only slow.
CREATE TABLE budget_reservations (
    company_id bigint NOT NULL,
    id         bigint GENERATED ALWAYS AS IDENTITY,
    contact_id bigint NOT NULL DEFAULT 0,           -- 0: of no contact
    micros     bigint NOT NULL CHECK (micros >= 0),
    purpose    text NOT NULL,
    day        date NOT NULL,                       -- on which it is charged, if nobody settles it
    expires_at timestamptz NOT NULL,
    charged_at timestamptz,
    PRIMARY KEY (company_id, id)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
-- What is reserved is added up with each reservation, for a contact and for a company with a limit.
CREATE INDEX budget_reservations_open ON budget_reservations (company_id, contact_id) INCLUDE (micros)
    WHERE charged_at IS NULL;
SELECT switchboard_isolate('budget_reservations');
