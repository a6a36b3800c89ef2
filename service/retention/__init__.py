"""Retention: crops go when they are as old as their collection allows."""
