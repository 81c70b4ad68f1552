#!/bin/sh
# The library that plants leaks, on a program that has none and on a server.
exec python3 "${0%.sh}.py"
