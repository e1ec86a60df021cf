"""Manifests, see `vlm_grpo.store.manifest`."""

from vlm_grpo.store.manifest import claim, exists, read, read_json, write

__all__ = ["claim", "exists", "read", "read_json", "write"]
