"""Labels by hand: blind, in the terminal or on a page of the browser, each on disk before the next item is shown."""
