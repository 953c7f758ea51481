-- When a contact had answers of the bot's in the last hour, in all of their chats together: the limit `answers` of
-- rate_limits counts them here, in the statement that stores an answer, so that a merge of two contacts adds them up and
-- a lost Redis forgets none. Older times go with the next answer.
--
-- conversations.answers_until, the pace of a conversation's answers that this stands in place of, stays for processes of
-- the version before; nothing else reads or writes it any more.
CREATE TABLE contact_answers (
    company_id  bigint NOT NULL,
    contact_id  bigint NOT NULL,
    answered_at timestamptz[] NOT NULL,
    told_at     timestamptz,                     -- when they were last told that they had too many
    PRIMARY KEY (company_id, contact_id),
    FOREIGN KEY (company_id, contact_id) REFERENCES contacts ON DELETE CASCADE
) WITH (fillfactor = 70);
SELECT switchboard_isolate('contact_answers');
