-- What became of an archived stretch since it was written, where its conversation or a contact became part of another:
-- by how much its messages are numbered on, and which contacts are others now (`archive_rows`). A merge then touches a
-- row a stretch, and not the rows in it: of 100,000 archived messages those took ten seconds of intake's transaction.
ALTER TABLE archive_segments ADD COLUMN moved jsonb;
DROP FUNCTION IF EXISTS archive_change_contact(bigint, bigint, bigint, bigint);
