-- One person under several ids, unread counts that leave out what was taken back, and applications whose answers are no
-- person's.

-- The ids by which a channel's platform names a contact: a telephone number in each of its spellings, an id that only
-- the business sees. `identity` is the one spelling of all of them, `external_id` what the platform wrote last.
CREATE TABLE contact_identities (
    company_id  bigint NOT NULL REFERENCES companies,
    channel_id  bigint NOT NULL,
    identity    text NOT NULL,
    contact_id  bigint NOT NULL,
    external_id text NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (company_id, channel_id, identity),
    FOREIGN KEY (company_id, channel_id) REFERENCES channels,
    FOREIGN KEY (company_id, contact_id) REFERENCES contacts ON DELETE CASCADE
);
CREATE INDEX contact_identities_contact ON contact_identities (company_id, contact_id);
SELECT switchboard_isolate('contact_identities');

-- Customer messages behind read_seq that are not unread either, by their number among the customer's: those that were
-- taken back. A trigger (functions/inbox_unread.sql) keeps only what is behind read_seq, so
-- unread = customer_seq - read_seq - cardinality(read_ahead).
ALTER TABLE conversations ADD COLUMN read_ahead bigint[] NOT NULL DEFAULT '{}';

-- Applications beside ours on a page or account that answer by themselves: what they write is no person's, so the bot
-- goes on. auto_reply_s: an echo of another application within so many seconds of the customer's message is a machine's,
-- too; 0: none is.
ALTER TABLE channels
    ADD COLUMN ignored_apps text[] NOT NULL DEFAULT '{}',
    ADD COLUMN auto_reply_s double precision NOT NULL DEFAULT 2 CHECK (auto_reply_s BETWEEN 0 AND 60);
