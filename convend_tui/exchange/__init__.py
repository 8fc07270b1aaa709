"""In and out: what leaves convend for other programs and people, and what comes from them."""
