-- What moving a message to the archive costs.

-- Each turn that is deleted asked receipts whether one still refers to it: an eighth of a move. A receipt is written in
-- the transaction that ends its turn, and leaves before it (shared/store/archive.py, deletion.py, persons.py); parts and
-- messages, which outlive neither, name their turn without a constraint as well.
ALTER TABLE receipts DROP CONSTRAINT receipts_company_id_turn_id_fkey;

-- convert_to is STABLE, as it asks for the database's encoding: a function that calls it and says IMMUTABLE is not
-- inlined, and cost four microseconds a key instead of one and a half.
CREATE OR REPLACE FUNCTION dedupe_key_hash(key text) RETURNS uuid
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT encode(substring(sha256(convert_to(key, 'UTF8')) FROM 1 FOR 16), 'hex')::uuid
$$;
