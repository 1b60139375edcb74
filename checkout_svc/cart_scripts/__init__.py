"""The Lua of `cart_store.py`: every check first, every write last, one user's hash slot a script."""
