#!/bin/sh
# Becomes the program that is given, which reads variables that begin with JANGAR_, as one that reads
# OTHER_ in place of it would be: OTHER_X counts as JANGAR_X, and JANGAR_X for nothing.
set -eu
eval "$(awk 'BEGIN {
  for (name in ENVIRON) if (name ~ /^JANGAR_[A-Z0-9_]*$/) print "unset " name
  for (name in ENVIRON) if (name ~ /^OTHER_[A-Z0-9_]*$/) {
    read = name
    sub(/^OTHER_/, "JANGAR_", read)
    print "export " read "=\"${" name "}\""
  }
}' | sort -r)"
exec "$@"
