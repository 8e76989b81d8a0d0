"""Where pretrained encoders are, what their files say, and whether they can be computed."""
