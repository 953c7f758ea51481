-- A page that has not changed is not read again. lastmod: when its sitemap says that it changed, as it says it. seen: what
-- the site answers to tell whether it did: {"etag", "modified", "as": version of what makes a document of it}.
ALTER TABLE imports ADD COLUMN lastmod text, ADD COLUMN seen jsonb;
