"""One module a resource; a view parses, makes one call, and renders or redirects."""
