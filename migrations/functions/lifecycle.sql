-- Keys of archived messages, and what is in the archive when two conversations or contacts become one.

-- A dedupe key's 16 bytes.
-- convert_to is STABLE, as it asks for the database's encoding: a function that calls it and says IMMUTABLE is not
-- inlined, and cost four microseconds a key instead of one and a half.
CREATE OR REPLACE FUNCTION dedupe_key_hash(key text) RETURNS uuid
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT encode(substring(sha256(convert_to(key, 'UTF8')) FROM 1 FOR 16), 'hex')::uuid
$$;

-- Gives what one conversation has in the archive to another, its messages numbered on by shift. The caller holds both.
CREATE OR REPLACE FUNCTION archive_move(company bigint, from_conversation bigint, to_conversation bigint, shift bigint)
RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF company IS NULL OR NOT company = ANY (switchboard_companies()) THEN
        RAISE EXCEPTION 'company % is not the one of this transaction', company USING ERRCODE = 'insufficient_privilege';
    END IF;
    UPDATE archive_segments s
    SET conversation_id = to_conversation,
        first_seq = s.first_seq + shift,
        last_seq = s.last_seq + shift,
        body = (
            SELECT jsonb_agg(
                e.row || CASE s.kind
                    WHEN 'messages' THEN jsonb_build_object(
                        'conversation_id', to_conversation, 'seq', (e.row->>'seq')::bigint + shift)
                    WHEN 'turns' THEN jsonb_build_object(
                        'conversation_id', to_conversation,
                        'first_seq', (e.row->>'first_seq')::bigint + shift,
                        'last_seq', (e.row->>'last_seq')::bigint + shift)
                    WHEN 'outbound' THEN jsonb_build_object('conversation_id', to_conversation)
                    ELSE '{}'
                END ORDER BY e.place)::json
            FROM jsonb_array_elements(s.body::jsonb) WITH ORDINALITY AS e (row, place)
        )
    WHERE s.company_id = company AND s.conversation_id = from_conversation;
END
$$;

-- Says of a conversation's archived messages that another contact wrote what this one did. The caller holds it.
CREATE OR REPLACE FUNCTION archive_change_contact(
    company bigint, conversation bigint, from_contact bigint, to_contact bigint)
RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF company IS NULL OR NOT company = ANY (switchboard_companies()) THEN
        RAISE EXCEPTION 'company % is not the one of this transaction', company USING ERRCODE = 'insufficient_privilege';
    END IF;
    UPDATE archive_segments s
    SET body = (
            SELECT jsonb_agg(
                CASE WHEN (e.row->>'contact_id')::bigint = from_contact
                    THEN e.row || jsonb_build_object('contact_id', to_contact) ELSE e.row END
                ORDER BY e.place)::json
            FROM jsonb_array_elements(s.body::jsonb) WITH ORDINALITY AS e (row, place)
        )
    WHERE s.company_id = company AND s.conversation_id = conversation AND s.kind = 'messages'
      AND s.body::jsonb @> jsonb_build_array(jsonb_build_object('contact_id', from_contact));
END
$$;

-- ------------------------------------------------------------------ who may call what
REVOKE ALL ON FUNCTION archive_move, archive_change_contact, dedupe_key_hash FROM PUBLIC, switchboard_app;
GRANT EXECUTE ON FUNCTION archive_move, archive_change_contact, dedupe_key_hash TO switchboard_app;
