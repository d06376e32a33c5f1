"""Networks that draw images, and the data sets they draw."""
