"""The stream daemon: readers, models, judge and sender, and the loop that ties them together."""
