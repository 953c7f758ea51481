-- Under both names: versions with 0002 read unknown_since, the one before it uncertain_at. A key without a column is
-- ignored.
UPDATE archive_segments s
SET body = (
    SELECT json_agg(e.part || jsonb_build_object('uncertain_at', e.part->'unknown_since') ORDER BY e.place)
    FROM jsonb_array_elements(s.body::jsonb) WITH ORDINALITY AS e (part, place)
)
WHERE s.kind = 'outbound'
  AND s.rows > 0;
