"""Ways to run weights. Rows of tokens in, logits out; no requests, no text streams."""
