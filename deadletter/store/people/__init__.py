"""Who may use the console: accounts, sessions, one-time links, API tokens, and how often a sign-in was tried.

Whatever lets somebody in is kept as a hash only: who reads the database cannot sign in with what they find.
"""
