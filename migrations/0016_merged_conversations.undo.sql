DROP TABLE merged_conversations;
DROP TRIGGER IF EXISTS conversations_read_beyond ON conversations;
DROP FUNCTION IF EXISTS conversations_read_beyond();
DROP FUNCTION IF EXISTS longest_ranges(int8multirange);
DROP FUNCTION IF EXISTS unread_of(bigint, bigint, int8multirange);
DROP FUNCTION IF EXISTS numbers_in(int8multirange);
UPDATE conversations c
SET read_ahead = (
    SELECT coalesce(array_agg(n), '{}')
    FROM unnest(c.read_beyond) AS r, generate_series(lower(r), upper(r) - 1) AS n
)
WHERE read_beyond <> '{}';
ALTER TABLE conversations DROP COLUMN read_beyond;
