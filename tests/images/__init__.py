"""What the images promise, tested on the images themselves: contents, configuration, start, stop, build."""
