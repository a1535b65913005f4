"""Proof: the certificate of an erasure, its chain, its signature, and how people read it."""
