"""The JSON API: the use cases of the pages, for programs. A module a resource; a view is parse, one call, answer."""
