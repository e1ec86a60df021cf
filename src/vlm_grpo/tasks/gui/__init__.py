"""Has a user interface done what it was told? Two screenshots and an action (VLM-R1's gui_multi-image)."""
