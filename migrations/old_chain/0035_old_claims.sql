-- Claims as they were before companies had shares (0020): nothing has called them since.
DROP FUNCTION claim_turns(bigint, int, double precision);
DROP FUNCTION claim_parts(bigint, int, double precision, double precision);
DROP FUNCTION claim_turn(bigint, double precision);
DROP FUNCTION claim_outbound(bigint, double precision, double precision);
