model.py3
