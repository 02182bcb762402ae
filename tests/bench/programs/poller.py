#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A program that asks a runtime API for events and posts them back; API says whose."""
import http.client
import os

if os.environ["API"] == "lambda":
    host = os.environ["AWS_LAMBDA_RUNTIME_API"]
    ask, post = "/2018-06-01/runtime/invocation/next", "/2018-06-01/runtime/invocation/%s/response"
    name = "Lambda-Runtime-Aws-Request-Id"
else:
    host = os.environ["RUNTIME_API_ADDR"]
    ask, post = "/v1/runtime/invocation/request", "/v1/runtime/invocation/response/%s"
    name = "X-Cff-Request-Id"
connection = http.client.HTTPConnection(host)
while True:
    connection.request("GET", ask)
    response = connection.getresponse()
    event = response.read()
    connection.request("POST", post % response.headers[name], event)
    connection.getresponse().read()
