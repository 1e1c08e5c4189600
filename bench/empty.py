"""An app without anything, to see what a worker itself takes."""

import gotask


@gotask.register
def nothing():
    pass
