-- What is asked often: which message asks it in the commonest form, and how often lately. Ids only: whoever erases the
-- message has erased the question.
CREATE TABLE popular_questions (
    company_id bigint NOT NULL REFERENCES companies,
    message_id bigint NOT NULL,
    asked      int NOT NULL CHECK (asked > 0),
    PRIMARY KEY (company_id, message_id)
);
SELECT switchboard_isolate('popular_questions');

-- Which sitemap named a page last, and since when it names it no more.
ALTER TABLE imports ADD COLUMN site text, ADD COLUMN left_at timestamptz;
CREATE INDEX imports_of_site ON imports (company_id, site) WHERE site IS NOT NULL;
