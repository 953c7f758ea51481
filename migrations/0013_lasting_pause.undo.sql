-- A conversation that an agent closed while it was silenced is silenced, as the version before knows it.
UPDATE conversations
SET status = 'paused'
WHERE status = 'closed'
  AND paused_at IS NOT NULL;
ALTER TABLE conversations DROP COLUMN paused_at;
