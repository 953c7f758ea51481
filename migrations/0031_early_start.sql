-- An answer may be begun while the quiet window still runs (docs/decisions/0028).
--
-- early: the turn may be claimed before it is due. quiet_until: it was claimed so, and its answer is not stored before
-- then; a message that comes until then is a part of the same burst.
ALTER TABLE turns ADD COLUMN early boolean NOT NULL DEFAULT false;
ALTER TABLE turns ADD COLUMN quiet_until timestamptz;
CREATE INDEX turns_early ON turns (company_id, due_at) WHERE state = 'waiting' AND early;

-- Whether the contact's last ten answered turns had more than one message, a bit each, the newest last; a leading one
-- marks how many there were.
ALTER TABLE contacts ADD COLUMN turn_history int NOT NULL DEFAULT 1 CHECK (turn_history BETWEEN 1 AND 2047);

-- It is replaced by one with a parameter more, which those who do not know it need not give.
DROP FUNCTION IF EXISTS claim_turns(bigint, int, double precision, bigint[], int);
