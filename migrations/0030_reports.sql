-- The daily digest and the monthly report: made once a period, so that whoever is told twice reads the same. told_at: when
-- the alert webhook took it; null: it has not, or there is none.
CREATE TABLE reports (
    kind    text NOT NULL CHECK (kind IN ('daily', 'monthly')),
    period  date NOT NULL,                       -- the day, or the month's first one (UTC)
    body    jsonb NOT NULL,
    made_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    told_at timestamptz,
    PRIMARY KEY (kind, period)
);
REVOKE ALL ON reports FROM switchboard_app;

INSERT INTO retention_policies (subject, days) VALUES ('reports', 800);
