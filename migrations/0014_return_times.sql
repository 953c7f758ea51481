-- When the bot comes back is settled at the handover: the policy that held then, and when the customer was promised a
-- person. A policy that is changed later is for later handovers.
ALTER TABLE conversations
    ADD COLUMN return_after_s int,   -- once nobody has written for so long; null: never by itself
    ADD COLUMN opens_at timestamptz;  -- the promised time, before which it does not run; null: none was told
UPDATE conversations c
SET return_after_s = a.return_after_s
FROM channels h
JOIN assistants a ON a.company_id = h.company_id AND a.id = h.assistant_id
WHERE h.company_id = c.company_id
  AND h.id = c.channel_id
  AND c.status = 'handed_over';
