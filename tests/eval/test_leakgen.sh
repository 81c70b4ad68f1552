#!/bin/sh
# The programs and the library of make eval-real, without seepd.
exec python3 "${0%.sh}.py"
