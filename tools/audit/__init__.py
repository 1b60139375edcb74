"""The audit: reads every system's own records and says whether the promises were kept."""
