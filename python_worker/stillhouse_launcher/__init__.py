"""Starts workers in the engines of clusters, for a control plane that talks to it in JSON lines."""
