"""Which device computes, and how much of it is in use."""
