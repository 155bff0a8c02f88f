"""Drives the original Python e2eeftp as a black box; see python-peer.ts.

usage: python-peer.py serve                    prints its port and serves the current directory
       python-peer.py call PORT METHOD=ARG …   calls methods of the client; prints a JSON list of results
       python-peer.py keys                     makes the key files of an installation
"""

import json
import sys

import e2eeftp

words = sys.argv[1:]
if words[0] == "serve":
    server = e2eeftp.e2eeftp("127.0.0.1", 0, logging=False)
    # In the middle of whatever else it prints.
    print(f"\nPORT {server.server_address[1]}\n", flush=True)
    server.run()
elif words[0] == "keys":
    e2eeftp.generate_keys()
else:
    client = e2eeftp.e2eeftpClient("127.0.0.1", int(words[1]), False, "client_id.key", "known_server.pub")
    results = []
    for call in words[2:]:
        method, _, argument = call.partition("=")
        results.append(getattr(client, method)(*([argument] if argument else [])))
    print(f"\nRESULTS {json.dumps(results)}\n", flush=True)
