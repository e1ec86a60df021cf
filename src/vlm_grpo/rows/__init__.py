"""The one schema of rows, data sets on disk, pictures and their transforms, downloads."""
