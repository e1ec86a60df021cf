"""Own data: records of pictures, a question and its answer, one JSON object a line (VLM-R1's form)."""
