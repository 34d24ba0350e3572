"""pymongo's own writer of canonical Extended JSON, document by document.

A function that has to keep its answer below Lambda's limit sees the size of each so.
"""

from typing import Any

from bson import json_util
from data import find

_OPTIONS = json_util.CANONICAL_JSON_OPTIONS


def lambda_handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    documents = find(event["fields"])["documents"]
    texts = [
        json_util.dumps(document, json_options=_OPTIONS, ensure_ascii=False, separators=(",", ":"))
        for document in documents
    ]
    return {"statusCode": 200, "body": f'{{"documents":[{",".join(texts)}]}}'}
