"""Target networks: loading, tracing, input preparation, and the small networks trained here."""
