"""In place of pymongo's, which is not in this layer."""


class AsyncMongoClient:
    def __init__(self, *args, **kwargs):
        raise NotImplementedError("this layer is without pymongo's asynchronous half")
