#!/bin/sh
# Build the drivers of both published Rust clients: build.sh [TARGET_FOLDER]
# Each is built as a program of the crate itself, unchanged but for that, with the lock file that the crate was published with.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
CARGO_TARGET_DIR=${1:-$HOME/.cache/simclient-peer}
export CARGO_TARGET_DIR
crates=${CARGO_HOME:-$HOME/.cargo}/registry/src

for version in 0.9.0 0.28.0; do
    name=driver$(echo "$version" | sed 's/\.0$//; s/\.//g')
    copy=$CARGO_TARGET_DIR/$name-source
    rm -rf "$copy" && mkdir -p "$copy/src"
    if ! ls "$crates"/*/simulator-client-"$version" >/dev/null 2>&1; then
        printf '[package]\nname = "fetch"\nversion = "0.0.0"\n[dependencies]\nsimulator-client = "=%s"\n' "$version" >"$copy/Cargo.toml"
        touch "$copy/src/lib.rs"
        (cd "$copy" && cargo fetch --quiet)
        rm -rf "$copy" && mkdir -p "$copy"
    fi
    cp -r "$crates"/*/simulator-client-"$version"/. "$copy"
    printf '\n[features]\nv09 = []\n\n[[bin]]\nname = "%s"\npath = "%s/driver.rs"\n' "$name" "$here" >>"$copy/Cargo.toml"
    (cd "$copy" && cargo build --release --locked --ignore-rust-version --bin "$name" $([ "$version" != 0.9.0 ] || echo --features v09))
done
