-- Who finds nothing due in a space while somebody else is queueing its next documents waits for those, instead of
-- leaving with nothing: a thread that leaves comes back with the next minute's ring, and so long the others work alone.

CREATE OR REPLACE FUNCTION indexing_queued(of_space bigint) RETURNS int
LANGUAGE plpgsql VOLATILE SET search_path = public, pg_temp SET plan_cache_mode = force_custom_plan AS $$
DECLARE
    seen embedding_spaces;
    behind embedding_spaces;
    companies bigint[];
    documents bigint[];
BEGIN
    SELECT * INTO seen FROM embedding_spaces s
    WHERE s.id = of_space AND s.queued_document IS NOT NULL AND s.state <> 'dropping';
    IF seen.id IS NULL THEN
        RETURN 0;
    END IF;
    SELECT * INTO behind FROM embedding_spaces s
    WHERE s.id = of_space AND s.queued_document IS NOT NULL AND s.state <> 'dropping' FOR UPDATE;
    IF (seen.queued_company, seen.queued_document) IS DISTINCT FROM (behind.queued_company, behind.queued_document) THEN
        RETURN 1; -- some were queued while we waited: look again
    END IF;
    SELECT array_agg(n.company_id), array_agg(n.id) INTO companies, documents FROM (
        SELECT d.company_id, d.id FROM documents d
        WHERE (d.company_id, d.id) > (behind.queued_company, behind.queued_document)
        ORDER BY d.company_id, d.id LIMIT 1000 FOR KEY SHARE SKIP LOCKED) n;
    INSERT INTO indexing (company_id, document_id, space_id)
    SELECT w.company, w.document, of_space FROM unnest(companies, documents) AS w (company, document)
    ON CONFLICT DO NOTHING;
    UPDATE embedding_spaces s SET queued_company = companies[array_upper(companies, 1)],
                                  queued_document = documents[array_upper(documents, 1)] WHERE s.id = of_space;
    RETURN coalesce(array_length(documents, 1), 0);
END $$;
