-- Autovacuum and ANALYZE of the hot tables. PostgreSQL's defaults wait until a fifth of a table is dead: of ten million
-- turns that is two million, through whose entries in the partial indexes every claim walks meanwhile.

-- Claims, sweeps and leases read these through partial indexes whose entries die with each state that a row passes; a
-- vacuum of one in a hundred keeps the walk short, and its cost stays that of the few pages that changed.
ALTER TABLE turns SET (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000,
                       autovacuum_analyze_scale_factor = 0.02);
ALTER TABLE outbound SET (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000,
                          autovacuum_analyze_scale_factor = 0.02);
-- Every message updates its conversation, and the inbox' list walks `conversations_recent`, where each of them leaves an
-- entry behind.
ALTER TABLE conversations SET (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000,
                               autovacuum_analyze_scale_factor = 0.02);
-- Grows by inserts and is emptied by the archive a batch at a time. Vacuumed after a twentieth of it is new, its pages
-- are all-visible soon, so that counts and pages of history are read from the index alone, and freezing is never a
-- month's work at once.
ALTER TABLE messages SET (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_insert_scale_factor = 0.05,
                          autovacuum_analyze_scale_factor = 0.02);
ALTER TABLE receipts SET (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_insert_scale_factor = 0.05);
ALTER TABLE archived_keys SET (autovacuum_vacuum_insert_scale_factor = 0.05);
-- Claimed from a partial index, as turns are; an import of a site makes thousands of rows at once.
ALTER TABLE indexing SET (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000,
                          autovacuum_analyze_scale_factor = 0.02);
ALTER TABLE imports SET (autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02);
ALTER TABLE media SET (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000);
-- A document that is replaced deletes all of its chunks and lexemes. What the planner knows of these decides between
-- the ways to search, so they are analyzed soon.
ALTER TABLE chunks SET (autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.02);
ALTER TABLE lexemes SET (autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.02);
-- Few rows, each updated many times a second or an answer: a share of them says nothing, a number does.
ALTER TABLE company_totals SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);
ALTER TABLE usage_daily SET (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 500);
ALTER TABLE journal_progress SET (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);
ALTER TABLE sweeps SET (fillfactor = 10, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);
ALTER TABLE overload SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);
ALTER TABLE reply_paces SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);
ALTER TABLE jobs SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 200);
ALTER TABLE app_answers SET (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);
ALTER TABLE knowledge_stats SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);

-- A day of a log is only added to, and is dropped whole before freezing would be due: vacuuming what is merely new would
-- read it again for nobody. The ledger is the exception, whose newest days are counted from its indexes (balance,
-- parked). Retention weighs a day by the rows that the last ANALYZE saw, so that stays on. Partitions take no settings
-- from their parent: whoever makes one calls this.
CREATE FUNCTION switchboard_tune_partition(child regclass, parent regclass) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    IF parent::text <> 'webhook_events' THEN
        EXECUTE format('ALTER TABLE %s SET (autovacuum_vacuum_insert_threshold = -1)', child);
    ELSE
        EXECUTE format('ALTER TABLE %s SET (autovacuum_vacuum_insert_scale_factor = 0.1)', child);
    END IF;
END $$;

CREATE OR REPLACE FUNCTION switchboard_make_partition(parent regclass, on_day date) RETURNS boolean
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
    PERFORM switchboard_tune_partition(child::regclass, parent);
    -- rows that came before their partition move into it, or attaching would be refused
    EXECUTE format('WITH moved AS (DELETE FROM %I WHERE day = $1 RETURNING *) INSERT INTO %I SELECT * FROM moved',
                   stray, child) USING on_day;
    EXECUTE format('ALTER TABLE %s ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
                   parent, child, on_day, on_day + 1);
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', child);
    EXECUTE format('REVOKE ALL ON %I FROM switchboard_app', child);
    RETURN true;
END $$;

SELECT switchboard_tune_partition(c.oid, i.inhparent)
FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
WHERE i.inhparent IN ('webhook_events'::regclass, 'webhook_raw'::regclass, 'delivery_attempts'::regclass,
                      'llm_calls'::regclass)
  AND c.relname ~ '_\d{8}(_kept)?$';
