"""Session-based and sequential recommenders: counted and trained, one file each."""
