"""Kinds of answers: one file each, with the strict and the relaxed way of reading one."""
