-- An archived part is a JSON object with the columns as keys, and comes back by their names; 0002 renamed `uncertain_at`.
UPDATE archive_segments s
SET body = (
    SELECT json_agg(
        CASE
            WHEN e.part ? 'uncertain_at'
            THEN (e.part - 'uncertain_at') || jsonb_build_object('unknown_since', e.part->'uncertain_at')
            ELSE e.part
        END
        ORDER BY e.place)
    FROM jsonb_array_elements(s.body::jsonb) WITH ORDINALITY AS e (part, place)
)
WHERE s.kind = 'outbound'
  AND s.rows > 0
  AND (s.body->0)::jsonb ? 'uncertain_at';
