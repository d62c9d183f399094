"""Collaborative filtering: counted, linear and user-vector models, one file each."""
