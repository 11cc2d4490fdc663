"""Writes shop_pb2.py."""

import site
import sys

from grpc_tools import protoc

packages = site.getsitepackages()[0]  # google/api/annotations.proto
sys.exit(protoc.main(["protoc", "-I../proto", "-I../options", "-I" + packages, "--python_out=.", "../proto/shop.proto"]))
