"""News for whoever watches: published after the commit, fire and forget. The tables stay the truth."""
