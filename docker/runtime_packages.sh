#!/bin/sh
# Names the Debian packages that own the shared libraries of a program, one a line, and of the two
# that it opens at run time.
set -eu
{
  ldd "$1" | sed -n 's/.*=> \(\/[^ ]*\).*/\1/p'
  ldconfig -p | sed -n 's/.*lib\(curl\.so\.4\|cairo\.so\.2\) .*=> //p'
} | while read -r library; do
  dpkg -S "$library" "$(readlink -f "$library")" "/usr$library" 2>/dev/null | head -n 1
done | cut -d: -f1 | sort -u
