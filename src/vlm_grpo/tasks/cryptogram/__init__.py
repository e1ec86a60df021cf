"""Cryptograms: a picture shows what each letter stands for, a message is to be decoded with it (r1_vlm's second)."""
