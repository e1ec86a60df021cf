"""Ground floor: atomic files, append-only JSONL, manifests, provenance."""
