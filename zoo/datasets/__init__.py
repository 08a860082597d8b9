"""Data: where rows come from, what they are, and which of them train, validate and test."""
