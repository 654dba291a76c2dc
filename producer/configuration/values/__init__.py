"""Sizes, ages, durations and dates as people write them."""
