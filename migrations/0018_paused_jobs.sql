-- A job may be paused.
ALTER TABLE jobs ADD COLUMN paused_at timestamptz;  -- since when the timetable does not run it; null: it does
-- Beat knows an installation's place within the jitters, because it moves the crontabs. Processes of the version before
-- read this column until they stop; a later migration drops it.
COMMENT ON COLUMN jobs.phase IS 'read by versions before 0018 only';
