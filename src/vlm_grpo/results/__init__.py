"""Manifests, run identities, append-only JSONL, tables, figures and pages."""
