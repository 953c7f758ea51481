"""/api/v1: a router a domain. docs/inbox.md and /docs describe what they do."""
