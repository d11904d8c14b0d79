"""Derive a company's Ideal Customer Profile from the orders it really won."""
