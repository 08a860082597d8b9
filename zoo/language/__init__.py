"""The spec language: text to a `Spec` that may hold ranges, a filled `Spec` to a flat `Network`; no Keras anywhere."""
