ALTER TABLE jobs DROP COLUMN paused_at;
ALTER TABLE jobs ADD COLUMN phase double precision NOT NULL DEFAULT random();
