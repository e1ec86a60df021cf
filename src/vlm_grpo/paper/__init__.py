"""The published figures, their reproduction and the audit."""
