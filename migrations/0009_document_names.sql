-- One text under two names is stored once: it is found by its text, and its names by the document. Words are told apart
-- in one form of each letter from now on, so the words of texts beyond ASCII are taken anew.
CREATE INDEX documents_by_text ON documents (company_id, md5(text));
CREATE INDEX imports_of_document ON imports (company_id, document_id) WHERE document_id IS NOT NULL;

-- The folder that a file was added from (site was a page's sitemap only).
COMMENT ON COLUMN imports.site IS 'which sitemap named a page last; which folder a file was added from';

-- As functions/knowledge_documents.sql has them when this is written; those there come after this file.
CREATE FUNCTION pg_temp.knowledge_plain(language text, body text) RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF language = 'turkish' THEN
        body := translate(body, 'Iİ', 'ıi');
    END IF;
    IF octet_length(body) = length(body) THEN
        RETURN body;
    END IF;
    body := regexp_replace(body,
        '[\u00ad\u034f\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u061c\u0640\u064b-\u065f\u0670\u06d6-\u06dc'
        '\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufe00-\ufe0f\ufeff]', '', 'g');
    body := translate(body,
        E'\u2010\u2011\u00b9\u00b2\u00b3\u2070\u2074\u2075\u2076\u2077\u2078\u2079', '--          ');
    body := translate(normalize(body, NFKC),
        '٠١٢٣٤٥٦٧٨٩۰۱۲۳۴۵۶۷۸۹०१२३४५६७८९০১২৩৪৫৬৭৮৯๐๑๒๓๔๕๖๗๘๙໐໑໒໓໔໕໖໗໘໙၀၁၂၃၄၅၆၇၈၉០១២៣៤៥៦៧៨៩İ',
        '01234567890123456789012345678901234567890123456789012345678901234567890123456789i');
    RETURN body;
END $$;

CREATE FUNCTION pg_temp.knowledge_tsvector(language text, body text) RETURNS tsvector
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    wide text := '[\u0e00-\u0eff\u1000-\u109f\u1100-\u11ff\u1780-\u17ff\u2e80-\u2fdf\u3005-\u3007\u3040-\u30ff\u3130-\u318f'
                 '\u3400-\u4dbf\u4e00-\u9fff\ua9e0-\ua9ff\uaa60-\uaa7f\uac00-\ud7af\uf900-\ufaff]+';
    pairs text;
BEGIN
    body := pg_temp.knowledge_plain(language, body);
    IF body !~ wide THEN
        RETURN to_tsvector(language::regconfig, body);
    END IF;
    SELECT string_agg(substr(run.found[1], place, 2), ' ') INTO pairs
    FROM regexp_matches(body, wide, 'g') AS run(found),
         generate_series(1, greatest(length(run.found[1]) - 1, 1)) AS place;
    RETURN to_tsvector(language::regconfig, regexp_replace(body, wide, ' ', 'g')) || to_tsvector('simple', pairs);
END $$;

-- No trigger follows an update of a chunk, so the counts of the companies concerned are made anew.
CREATE TEMP TABLE concerned ON COMMIT DROP AS
SELECT DISTINCT company_id
FROM chunks
WHERE octet_length(title || text) <> length(title || text)
   OR language = 'turkish';

UPDATE chunks
SET tsv = words.tsv,
    length = (SELECT coalesce(sum(cardinality(word.positions)), 0) FROM unnest(words.tsv) AS word)
FROM chunks AS same
CROSS JOIN LATERAL pg_temp.knowledge_tsvector(same.language, same.title || E'\n' || same.text) AS words (tsv)
WHERE chunks.company_id = same.company_id
  AND chunks.id = same.id
  AND (octet_length(same.title || same.text) <> length(same.title || same.text) OR same.language = 'turkish');

DELETE FROM lexemes
WHERE company_id IN (SELECT company_id FROM concerned);

INSERT INTO lexemes (company_id, language, lexeme, chunks)
SELECT c.company_id, c.language, word.lexeme, count(*)
FROM chunks AS c
CROSS JOIN LATERAL unnest(c.tsv) AS word
WHERE c.company_id IN (SELECT company_id FROM concerned)
GROUP BY 1, 2, 3;

UPDATE knowledge_stats AS s
SET total_length = counted.total_length
FROM (
    SELECT company_id, language, sum(length) AS total_length
    FROM chunks
    WHERE company_id IN (SELECT company_id FROM concerned)
    GROUP BY 1, 2
) AS counted
WHERE s.company_id = counted.company_id
  AND s.language = counted.language;

UPDATE knowledge_versions
SET version = version + 1
WHERE company_id IN (SELECT company_id FROM concerned);

DROP FUNCTION pg_temp.knowledge_tsvector, pg_temp.knowledge_plain;
