"""Writes shop_pb2.py."""

import site
import sys

from grpc_tools import protoc

packages = site.getsitepackages()[0]
folders = ["../proto", "../options", packages, packages + "/grpc_tools/_proto"]
sys.exit(protoc.main(["protoc", *("-I" + folder for folder in folders), "--python_out=.", "../proto/shop.proto"]))
