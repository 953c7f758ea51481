-- A number that grows with every change of what a company's searches can find: results are cached under it, so that
-- nothing outlives what it was found in.
CREATE TABLE knowledge_versions (
    company_id bigint PRIMARY KEY REFERENCES companies,
    version    bigint NOT NULL DEFAULT 1
) WITH (fillfactor = 80);
SELECT switchboard_isolate('knowledge_versions');

CREATE FUNCTION knowledge_changed() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public AS $$
BEGIN
    INSERT INTO knowledge_versions AS v (company_id)
    SELECT DISTINCT company_id FROM changed ORDER BY 1
    ON CONFLICT (company_id) DO UPDATE SET version = v.version + 1;
    RETURN NULL;
END $$;
CREATE TRIGGER chunks_came AFTER INSERT ON chunks REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION knowledge_changed();
CREATE TRIGGER chunks_went AFTER DELETE ON chunks REFERENCING OLD TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION knowledge_changed();
CREATE TRIGGER vectors_came AFTER INSERT ON embeddings REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION knowledge_changed();
