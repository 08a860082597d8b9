"""Training: compiled programs around the model's own `train_step`, and the engine that yields epochs."""
