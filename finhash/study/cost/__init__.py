"""Cost of hashes, batch jobs and searches: time, memory, exactness, and forecasts from them."""
