-- How much waited in each queue a minute and more ago: by it operators see whether a queue shrinks, and when it will be
-- empty. Noted each minute by whichever worker takes the ring, kept for a quarter of an hour.
CREATE TABLE queue_depths (
    queue text NOT NULL CHECK (queue <> ''),
    noted_at timestamptz NOT NULL DEFAULT now(),
    depth bigint NOT NULL CHECK (depth >= 0),
    PRIMARY KEY (queue, noted_at)
);
COMMENT ON TABLE queue_depths IS 'what waited in each queue in the last minutes; system-wide, without content';
GRANT SELECT, INSERT, DELETE ON queue_depths TO switchboard_app;
