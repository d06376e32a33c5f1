"""Models behind an OpenAI-compatible server: questions, answers, and cassettes that replay them."""
