"""Images to probe networks with: kinds of data sets, the stored format, and downloads."""
