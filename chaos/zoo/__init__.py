"""Misbehaving environments, and commands under odd conditions, each with the outcome that a user should see."""
