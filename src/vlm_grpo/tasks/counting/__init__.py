"""How many things of a kind does the picture show?"""
