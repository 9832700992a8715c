#!/bin/sh
# The path that container test libraries expect; `docker run fogwatch` serves.
exec /usr/bin/fogwatch "$@"
