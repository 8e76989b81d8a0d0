"""Pretrained encoders: where they are, what their files say, their soundness, in and out."""
