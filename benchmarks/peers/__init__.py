"""What a user would pick instead: a script a peer, each run in an environment of its own."""
