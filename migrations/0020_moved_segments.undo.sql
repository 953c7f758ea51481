UPDATE archive_segments s
SET body = (
    SELECT jsonb_agg(
        e.row || CASE s.kind
            WHEN 'messages' THEN jsonb_build_object(
                'conversation_id', s.conversation_id,
                'seq', (e.row->>'seq')::bigint + (s.moved->>'shift')::bigint,
                'contact_id', coalesce(s.moved->'contacts'->(e.row->>'contact_id'), e.row->'contact_id'))
            WHEN 'turns' THEN jsonb_build_object(
                'conversation_id', s.conversation_id,
                'first_seq', (e.row->>'first_seq')::bigint + (s.moved->>'shift')::bigint,
                'last_seq', (e.row->>'last_seq')::bigint + (s.moved->>'shift')::bigint)
            WHEN 'outbound' THEN jsonb_build_object('conversation_id', s.conversation_id)
            ELSE '{}'
        END ORDER BY e.place)::json
    FROM jsonb_array_elements(s.body::jsonb) WITH ORDINALITY AS e (row, place)
)
WHERE s.moved IS NOT NULL;
DROP FUNCTION IF EXISTS archive_change_contact(bigint, bigint, bigint, bigint, boolean);
DROP FUNCTION IF EXISTS archive_rows(json, text, bigint, jsonb);
ALTER TABLE archive_segments DROP COLUMN moved;
