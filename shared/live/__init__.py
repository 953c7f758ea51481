"""Live events for open pages: published after the commit, fire and forget. Only the tables are authoritative."""
