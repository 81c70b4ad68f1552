#!/bin/sh
# The short form of make eval, as a test: is the detector as right as it is meant to be?
exec "${BUILD:-build}/eval/eval" --short
