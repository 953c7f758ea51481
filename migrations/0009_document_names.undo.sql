-- The words stay as they were taken: the functions of an older version find what has one spelling.
DROP INDEX imports_of_document;
DROP INDEX documents_by_text;
COMMENT ON COLUMN imports.site IS NULL;
