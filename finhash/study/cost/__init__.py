"""What each hash, job and search costs."""
