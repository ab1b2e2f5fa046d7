"""Training sets, compiling, and training the models that programs use."""
