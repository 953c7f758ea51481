-- How long revoked API keys can still be listed.
INSERT INTO retention_policies (subject, days) VALUES ('api_keys', 800);
