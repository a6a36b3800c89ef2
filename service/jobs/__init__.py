"""Long work that outlasts a request: taken up by any process, and by another one where that process dies."""
