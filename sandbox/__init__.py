"""A local AWS that fails the way AWS fails. For the demo and the tests, never for production."""
