"""Asking a judge for verdicts: calls and replies over HTTP, patience and budget, the ledger that keeps them."""
