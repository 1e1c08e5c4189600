import gotask


class App:
    def hi(self, name):
        return {"hello": name}


gotask.register(App())
