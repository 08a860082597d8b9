"""The zoo's specs, one file each, in a folder a family."""
