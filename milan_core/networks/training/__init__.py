"""Training of small target networks: classification, distillation, drawing."""
