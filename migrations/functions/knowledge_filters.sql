-- Filters: which documents, and whose words, answer.

-- wanted: {"documents": [id…], "collections": [id…], "categories": […], "speakers": […], "since": time, "until": time},
-- each part optional; what stands in several must hold in all. until is not included.
-- Raises insufficient_privilege for documents and collections that the company has not.
CREATE OR REPLACE FUNCTION knowledge_check_filter(company bigint, wanted jsonb) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    unknown text;
BEGIN
    SELECT string_agg(key, ', ') INTO unknown FROM jsonb_object_keys(wanted) AS key
    WHERE key NOT IN ('documents', 'collections', 'categories', 'speakers', 'since', 'until');
    IF unknown IS NOT NULL THEN
        RAISE EXCEPTION 'a filter knows nothing of %', unknown USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF EXISTS (SELECT 1 FROM jsonb_array_elements_text(wanted -> 'documents') AS asked(id)
               WHERE NOT EXISTS (SELECT 1 FROM documents d WHERE d.company_id = company AND d.id = asked.id::bigint))
    OR EXISTS (SELECT 1 FROM jsonb_array_elements_text(wanted -> 'collections') AS asked(id)
               WHERE NOT EXISTS (SELECT 1 FROM collections c WHERE c.company_id = company AND c.id = asked.id::bigint))
    THEN
        RAISE EXCEPTION 'the filter names documents or collections that company % has not', company
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    PERFORM (wanted ->> 'since')::timestamptz, (wanted ->> 'until')::timestamptz;
END $$;

-- The documents that a filter leaves; NULL where it leaves all.
CREATE OR REPLACE FUNCTION knowledge_documents(company bigint, wanted jsonb) RETURNS bigint[]
LANGUAGE sql STABLE SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT CASE WHEN wanted ?| ARRAY['documents', 'collections', 'categories', 'since', 'until'] THEN ARRAY(
        SELECT d.id FROM documents d
        WHERE d.company_id = company
          AND (NOT wanted ? 'documents' OR d.id = ANY (ARRAY(
                SELECT jsonb_array_elements_text(wanted -> 'documents')::bigint)))
          AND (NOT wanted ? 'collections' OR d.collection_id = ANY (ARRAY(
                SELECT jsonb_array_elements_text(wanted -> 'collections')::bigint)))
          AND (NOT wanted ? 'categories' OR d.category = ANY (ARRAY(
                SELECT jsonb_array_elements_text(wanted -> 'categories'))))
          AND (NOT wanted ? 'since' OR d.dated_at >= (wanted ->> 'since')::timestamptz)
          AND (NOT wanted ? 'until' OR d.dated_at < (wanted ->> 'until')::timestamptz)) END
$$;

-- Whether a filter leaves a document.
CREATE OR REPLACE FUNCTION knowledge_visible(company bigint, document bigint, wanted jsonb) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT wanted IS NULL OR coalesce(document = ANY (knowledge_documents(company, wanted)),
                                      knowledge_documents(company, wanted) IS NULL)
$$;

-- The speakers of a filter as they are compared; NULL where it names none.
CREATE OR REPLACE FUNCTION knowledge_speakers(wanted jsonb) RETURNS text[]
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT CASE WHEN wanted ? 'speakers' THEN ARRAY(SELECT lower(jsonb_array_elements_text(wanted -> 'speakers'))) END
$$;

-- A conversation's filter is one that its company may have.
CREATE OR REPLACE FUNCTION chat_filter_checked() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    PERFORM knowledge_check_filter(NEW.company_id, NEW.wanted);
    RETURN NEW;
END $$;

CREATE OR REPLACE TRIGGER chat_filter_checked BEFORE INSERT OR UPDATE ON chat_filters
    FOR EACH ROW EXECUTE FUNCTION chat_filter_checked();

-- What is deleted leaves the filters that named it. A list that becomes empty stays: then nothing is found, and not
-- everything.
CREATE OR REPLACE FUNCTION chat_filters_forget() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    UPDATE chat_filters f SET wanted = jsonb_set(f.wanted, ARRAY[TG_ARGV[0]], (
        SELECT coalesce(jsonb_agg(id), '[]') FROM jsonb_array_elements(f.wanted -> TG_ARGV[0]) AS id
        WHERE id <> to_jsonb(OLD.id)))
    WHERE f.company_id = OLD.company_id AND f.wanted -> TG_ARGV[0] @> to_jsonb(OLD.id);
    RETURN NULL;
END $$;

CREATE OR REPLACE TRIGGER document_leaves_filters AFTER DELETE ON documents
    FOR EACH ROW EXECUTE FUNCTION chat_filters_forget('documents');
CREATE OR REPLACE TRIGGER collection_leaves_filters AFTER DELETE ON collections
    FOR EACH ROW EXECUTE FUNCTION chat_filters_forget('collections');

-- ------------------------------------------------------------------ who may call what
REVOKE ALL ON FUNCTION knowledge_check_filter, knowledge_documents, knowledge_visible, knowledge_speakers,
    chat_filter_checked, chat_filters_forget FROM PUBLIC, switchboard_app;
GRANT EXECUTE ON FUNCTION knowledge_check_filter, knowledge_documents, knowledge_visible TO switchboard_app;
