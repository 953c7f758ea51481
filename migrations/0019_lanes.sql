-- Parts are also claimed by the platform that they wait for (functions/delivery.sql): however much waits for one that hangs,
-- what is due on the others is found without reading it.
CREATE INDEX outbound_due_of_channel ON outbound (company_id, channel_id, due_at) WHERE state IN ('queued', 'sending');

-- They take lanes from now on; those who give none are served by the same one.
DROP FUNCTION IF EXISTS claim_parts(bigint, int, double precision, double precision, bigint[], int);
DROP FUNCTION IF EXISTS claim_outbound(bigint, bigint, double precision, double precision);
