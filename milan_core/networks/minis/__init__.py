"""Small networks trained or loaded by the embedded default."""
