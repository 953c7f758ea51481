-- Backups: which there are, and whether the newest restores. The folder of backups is the truth; these rows are what a
-- gateway on another machine sees of it.

CREATE TABLE backups (
    name      text PRIMARY KEY,                  -- 20261125T210700Z: when its snapshot was taken
    made_at   timestamptz NOT NULL,
    seconds   double precision NOT NULL,
    bytes     bigint NOT NULL,
    rows      bigint NOT NULL,
    proved_at timestamptz,                       -- when somebody tried whether it restores
    proof     text                               -- restored, differs, failed, or unproven: the operator's own tool made it
        CHECK (proof IN ('restored', 'differs', 'failed', 'unproven')),
    CHECK ((proved_at IS NULL) = (proof IS NULL))
);
REVOKE INSERT, UPDATE, DELETE ON backups FROM switchboard_app;
