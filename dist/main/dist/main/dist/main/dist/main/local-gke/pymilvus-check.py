"""Inserts vectors into Milvus, searches them, and checks the result, as a user's program would.

Environment variables: URI (https://ADDRESS:PORT), HOST (the name in the certificate), CA_FILE (the certificate to
trust) and, with authentication, MILVUS_TOKEN. Exits with code 0 only if the result is correct.
"""

import os
import random
import sys
import uuid

from pymilvus import MilvusClient

DIMENSION = 8
ROWS = 100

client = MilvusClient(
    uri=os.environ["URI"],
    token=os.environ.get("MILVUS_TOKEN", ""),
    secure=True,
    server_pem_path=os.environ["CA_FILE"],
    server_name=os.environ["HOST"],
)
print(f"connected to {os.environ['URI']} as {os.environ['HOST']}: Milvus {client.get_server_version()}")

# Random vectors keep the result from being that of an earlier run.
vectors = [[random.gauss(0, 1) for _ in range(DIMENSION)] for _ in range(ROWS)]
wanted = random.randrange(ROWS)
collection = f"check_{uuid.uuid4().hex}"
client.create_collection(collection, dimension=DIMENSION, metric_type="L2", consistency_level="Strong")
try:
    inserted = client.insert(collection, [{"id": id, "vector": vector} for id, vector in enumerate(vectors)])
    print(f"inserted {inserted['insert_count']} vectors of dimension {DIMENSION}")
    [hits] = client.search(collection, data=[vectors[wanted]], limit=3)
    found = [(hit["id"], round(hit["distance"], 3)) for hit in hits]
    print(f"searched for vector {wanted}: nearest are {', '.join(f'{id} (distance {d})' for id, d in found)}")
finally:
    client.drop_collection(collection)
if not found or found[0] != (wanted, 0.0):
    sys.exit(f"the nearest vector to vector {wanted} must be itself, at distance 0")
