-- Customer messages behind read_seq that are read or taken back, as ranges of their numbers: where two conversations
-- become one, thousands that were read may come behind one that was not. A trigger (functions/inbox_unread.sql) keeps
-- only what is behind read_seq. The column `read_ahead` stays for this version, because processes of the version before
-- read it until they are stopped; nothing writes it any more.
ALTER TABLE conversations ADD COLUMN read_beyond int8multirange NOT NULL DEFAULT '{}';
DROP TRIGGER IF EXISTS conversations_read_ahead ON conversations;
UPDATE conversations
SET read_beyond = (SELECT range_agg(int8range(n, n + 1)) FROM unnest(read_ahead) AS n), read_ahead = '{}'
WHERE read_ahead <> '{}';
DROP FUNCTION IF EXISTS conversations_read_ahead();

-- Conversations that became part of another: whoever knows the old id finds the one that it went into.
CREATE TABLE merged_conversations (
    company_id  bigint NOT NULL REFERENCES companies,
    id          bigint NOT NULL,
    merged_into bigint NOT NULL CHECK (merged_into <> id),
    merged_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (company_id, id),
    FOREIGN KEY (company_id, merged_into) REFERENCES conversations ON DELETE CASCADE
);
CREATE INDEX merged_conversations_into ON merged_conversations (company_id, merged_into);
SELECT switchboard_isolate('merged_conversations');
