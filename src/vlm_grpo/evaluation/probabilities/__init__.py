"""Evaluation with probabilities: how much mass the answer's words hold where an answer begins, and how calibrated."""
