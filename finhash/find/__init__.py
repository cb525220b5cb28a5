"""FINd itself: the geometry, the published shape in pure Python, and the compiled kernel."""
