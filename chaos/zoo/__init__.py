"""Misbehaving environments and odd surroundings, each with the outcome that a user should see."""
