"""What PHP can call: $task->call('App.Hi', 'Reasno'). Every public method of a registered object, and registered functions."""

import gotask


class App:
    def hi(self, name):
        """Greets whoever is named."""
        return {"hello": name}


gotask.register(App())

if __name__ == "__main__":
    gotask.run()
