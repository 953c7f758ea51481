-- Of several the newest stays.
DELETE FROM message_reactions r
USING message_reactions n
WHERE n.company_id = r.company_id
  AND n.channel_id = r.channel_id
  AND n.target = r.target
  AND n.chat = r.chat
  AND n.sender = r.sender
  AND (n.emoji IS NOT NULL, n.at, n.name) > (r.emoji IS NOT NULL, r.at, r.name);
ALTER TABLE message_reactions DROP CONSTRAINT message_reactions_pkey;
ALTER TABLE message_reactions ADD PRIMARY KEY (company_id, channel_id, target, chat, sender);
ALTER TABLE message_reactions DROP COLUMN name;
