"""Visual Spatial Reasoning: is a statement about a picture true?"""
