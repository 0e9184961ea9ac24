#!/usr/bin/env bash
# Builds the function for Lambda: deploy/package.sh [arm64|x86_64]
#
# target/lambda/ssm-audit-<arch>.zip, with a `bootstrap` for provided.al2023. Needs Rust and Python 3; cargo-lambda and zig, which
# link for another system's C library, are installed below target/.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

arch=${1:-arm64}
case $arch in
  arm64) target=aarch64-unknown-linux-gnu ;;
  x86_64) target=x86_64-unknown-linux-gnu ;;
  *) echo "deploy/package.sh: \`$arch\` is no architecture of Lambda; it is arm64 or x86_64" >&2; exit 2 ;;
esac

venv=target/package-venv
if ! "$venv/bin/python" -c 'import ziglang, cargo_lambda' 2>/dev/null && [ ! -x "$venv/bin/cargo-lambda" ]; then
  python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet 'cargo-lambda==1.9.*' 'ziglang==0.15.*'
fi
rustup target list --installed 2>/dev/null | grep -q "$target" || rustup target add "$target"

# zig's clang refuses libdeflate's AVX-512 code; it does without.
export CFLAGS_x86_64_unknown_linux_gnu="-DLIBDEFLATE_ASSEMBLER_DOES_NOT_SUPPORT_AVX512VNNI -DLIBDEFLATE_ASSEMBLER_DOES_NOT_SUPPORT_VPCLMULQDQ"

# AL2023 has glibc 2.34.
PATH="$PWD/$venv/bin:$PATH" cargo lambda build --profile dist --locked --target "$target.2.34" \
  --package ssm-audit-lambda --bin bootstrap --output-format zip --lambda-dir "target/lambda/$arch"

zip=target/lambda/ssm-audit-$arch.zip
mv "target/lambda/$arch/bootstrap/bootstrap.zip" "$zip"
python3 - "$zip" <<'PY'
import os
import re
import sys
import zipfile

with zipfile.ZipFile(sys.argv[1]) as package:
    binary = package.read("bootstrap")
needed = max(((int(a), int(b)) for a, b in re.findall(rb"GLIBC_(\d+)\.(\d+)", binary)), default=(0, 0))
size = os.path.getsize(sys.argv[1])
print(f"{sys.argv[1]}: {size / 1e6:.1f} MB, bootstrap {len(binary) / 1e6:.1f} MB, needs glibc {needed[0]}.{needed[1]}")
if needed > (2, 34):
    sys.exit("provided.al2023 has glibc 2.34: this would not start there")
PY
