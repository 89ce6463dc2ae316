"""Inside the gateway: asks a service past it, by name, path and headers in JSON.

Prints status, headers and body.
"""

import json
import os
import sys
import urllib.error
import urllib.request

service, path, headers = sys.argv[1:]
url = f"{os.environ[f'UPSTREAM_{service.upper()}']}{path}"
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
try:
    answer = opener.open(urllib.request.Request(url, headers=json.loads(headers)), timeout=10)  # noqa: S310 - http only
except urllib.error.HTTPError as error:
    answer = error
print(json.dumps([answer.status, dict(answer.headers), answer.read().decode()]))
