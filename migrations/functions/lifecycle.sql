-- Keys of archived messages, and what is in the archive when two conversations or contacts become one.

-- A dedupe key's 16 bytes.
-- convert_to is STABLE, as it asks for the database's encoding: a function that calls it and says IMMUTABLE is not
-- inlined, and cost four microseconds a key instead of one and a half.
CREATE OR REPLACE FUNCTION dedupe_key_hash(key text) RETURNS uuid
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT encode(substring(sha256(convert_to(key, 'UTF8')) FROM 1 FOR 16), 'hex')::uuid
$$;

-- The rows of an archived stretch as they are now. moved: {"shift": by how much its messages are numbered on,
-- "contacts": contact → who that is now}; null: as they were written.
CREATE OR REPLACE FUNCTION archive_rows(body json, kind text, conversation bigint, moved jsonb) RETURNS json
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE WHEN moved IS NULL THEN body ELSE (
        SELECT jsonb_agg(
            e.row || CASE kind
                WHEN 'messages' THEN jsonb_build_object(
                    'conversation_id', conversation,
                    'seq', (e.row->>'seq')::bigint + (moved->>'shift')::bigint,
                    'contact_id', coalesce(moved->'contacts'->(e.row->>'contact_id'), e.row->'contact_id'))
                WHEN 'turns' THEN jsonb_build_object(
                    'conversation_id', conversation,
                    'first_seq', (e.row->>'first_seq')::bigint + (moved->>'shift')::bigint,
                    'last_seq', (e.row->>'last_seq')::bigint + (moved->>'shift')::bigint)
                WHEN 'outbound' THEN jsonb_build_object('conversation_id', conversation)
                ELSE '{}'
            END ORDER BY e.place)::json
        FROM jsonb_array_elements(body::jsonb) WITH ORDINALITY AS e (row, place)
    ) END
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
        moved = coalesce(s.moved, '{}')
            || jsonb_build_object('shift', coalesce((s.moved->>'shift')::bigint, 0) + shift)
    WHERE s.company_id = company AND s.conversation_id = from_conversation;
END
$$;

-- Says of a conversation's archived messages that another contact wrote what this one did. The caller holds it.
-- theirs: it is their own conversation, so that nobody needs to look in which stretches they wrote.
CREATE OR REPLACE FUNCTION archive_change_contact(
    company bigint, conversation bigint, from_contact bigint, to_contact bigint, theirs boolean DEFAULT false)
RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF company IS NULL OR NOT company = ANY (switchboard_companies()) THEN
        RAISE EXCEPTION 'company % is not the one of this transaction', company USING ERRCODE = 'insufficient_privilege';
    END IF;
    UPDATE archive_segments s
    SET moved = coalesce(s.moved, '{"shift": 0}') || jsonb_build_object('contacts', (
            SELECT coalesce(
                jsonb_object_agg(c.key, CASE WHEN c.value = to_jsonb(from_contact) THEN to_jsonb(to_contact)
                    ELSE c.value END), '{}')
            FROM jsonb_each(coalesce(s.moved->'contacts', '{}')) c
        ) || jsonb_build_object(from_contact::text, to_contact))
    WHERE s.company_id = company AND s.conversation_id = conversation AND s.kind = 'messages'
      AND (theirs
          OR s.body::jsonb @> jsonb_build_array(jsonb_build_object('contact_id', from_contact))
          OR EXISTS (SELECT 1 FROM jsonb_each(s.moved->'contacts') c WHERE c.value = to_jsonb(from_contact)));
END
$$;

-- ------------------------------------------------------------------ who may call what
REVOKE ALL ON FUNCTION archive_move, archive_change_contact, archive_rows, dedupe_key_hash FROM PUBLIC, switchboard_app;
GRANT EXECUTE ON FUNCTION archive_move, archive_change_contact, archive_rows, dedupe_key_hash TO switchboard_app;
