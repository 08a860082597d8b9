"""Our own Keras layers, registered, so that a `.keras` file that holds them reloads."""
