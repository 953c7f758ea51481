DROP TRIGGER IF EXISTS conversations_read_ahead ON conversations;
DROP FUNCTION IF EXISTS conversations_read_ahead();
ALTER TABLE channels DROP COLUMN ignored_apps, DROP COLUMN auto_reply_s;
ALTER TABLE conversations DROP COLUMN read_ahead;
DROP TABLE contact_identities;
