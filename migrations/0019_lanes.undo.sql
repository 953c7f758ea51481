DROP FUNCTION IF EXISTS claim_parts(bigint, int, double precision, double precision, bigint[], int, text[], int, text[]);
DROP FUNCTION IF EXISTS claim_outbound(bigint, bigint, double precision, double precision, text[]);
DROP FUNCTION IF EXISTS claim_outbound_beside, switchboard_lane;
DROP INDEX outbound_due_of_channel;
