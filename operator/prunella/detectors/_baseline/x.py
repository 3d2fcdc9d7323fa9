X = {}
def get(k, d):
    return X.get(k, d)
