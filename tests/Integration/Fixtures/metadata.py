"""What the tests of headers and keys call."""

import os

import gotask


class Meta:
    def headers(self, *arguments):
        return [dict(gotask.current_call().headers), *arguments]

    def pid(self):
        return os.getpid()

    def raises(self):
        raise ValueError("so")


gotask.register(Meta())
