"""Who is asking, and whether they may: the ways in, and the rule of every address."""
