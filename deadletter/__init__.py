"""The domain: collect, parse, fingerprint, store, plan, send, outcome. Nothing here knows Flask or Lambda."""
