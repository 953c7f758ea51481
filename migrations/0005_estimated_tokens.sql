-- Not every server says how many tokens a call took. Where it does not, they are counted by us, and the row says so.
ALTER TABLE llm_calls ADD COLUMN estimated boolean NOT NULL DEFAULT false;
