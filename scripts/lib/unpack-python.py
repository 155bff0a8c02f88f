"""Unpacks the Python that the Go module github.com/kluctl/go-embed-python carries.

usage: unpack-python.py DATA TARGET

DATA is the module's folder for one platform. files.json in it lists names, permissions and symbolic
links; larger files are stored with gzip under their name and `.gz`.
"""

import gzip
import json
import os
import shutil
import sys

data, target = sys.argv[1:]
with open(os.path.join(data, "files.json"), encoding="utf-8") as listing:
    files = json.load(listing)["files"]
for file in files:
    source = os.path.join(data, file["name"])
    destination = os.path.join(target, file["name"])
    os.makedirs(os.path.dirname(destination), exist_ok=True)
    if file.get("symlink"):
        os.symlink(file["symlink"], destination)
    elif os.path.isdir(source):
        os.makedirs(destination, exist_ok=True)
    else:
        with open(source, "rb") if os.path.exists(source) else gzip.open(source + ".gz") as packed:
            with open(destination, "wb") as unpacked:
                shutil.copyfileobj(packed, unpacked)
        os.chmod(destination, file["perm"] & 0o755)
