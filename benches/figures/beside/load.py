"""Loads rows by simple-salesforce, as programs do: JSON lines in, one bulk job an object. Prints what that took, as JSON.

    python load.py ORG TOKEN Contact=contacts.jsonl Case=cases.jsonl
"""

import json
import resource
import sys

from simple_salesforce import Salesforce

org, token, *files = sys.argv[1:]
sf = Salesforce(instance_url=org, session_id=token, version="60.0")
# The library speaks https only; the org is on this machine.
for name in ("base_url", "bulk_url", "bulk2_url"):
    setattr(sf, name, getattr(sf, name).replace("https://", "http://"))
rows = 0
for file in files:
    name, path = file.split("=")
    with open(path, encoding="utf-8") as lines:
        records = [json.loads(line) for line in lines]
    bulk = getattr(sf.bulk2, name)
    for result in bulk.insert(records=records):
        rows += result["numberRecordsProcessed"] - result["numberRecordsFailed"]
        bulk.get_successful_records(result["job_id"])
used = resource.getrusage(resource.RUSAGE_SELF)
print(json.dumps({"rows": rows, "processor": used.ru_utime + used.ru_stime, "peak": used.ru_maxrss / 1024}))
