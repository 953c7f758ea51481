-- The web-chat widget: from which pages an app's visitors may come. Empty for every other platform.
ALTER TABLE apps ADD COLUMN origins text[] NOT NULL DEFAULT '{}';
