"""Where in the picture is what an expression refers to?"""
