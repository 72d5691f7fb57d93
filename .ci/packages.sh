#!/usr/bin/env bash
# Tools that tests compare against. Without them those tests say so and are skipped; nothing else depends on them.
set -u
wanted=()
command -v gdalinfo >/dev/null 2>&1 || wanted+=(gdal-bin)
command -v gdal_polygonize.py >/dev/null 2>&1 || wanted+=(gdal-bin)
/usr/bin/python3 -c 'import osgeo.gdal' 2>/dev/null || wanted+=(python3-gdal)
/usr/bin/python3 -c 'import onnx' 2>/dev/null || wanted+=(python3-onnx)
/usr/bin/python3 -c 'import numpy' 2>/dev/null || wanted+=(python3-numpy)
command -v chromium >/dev/null 2>&1 || wanted+=(chromium)
[ ${#wanted[@]} -eq 0 ] && exit 0
as_root=()
[ "$(id -u)" -eq 0 ] || as_root=(sudo -n)
export DEBIAN_FRONTEND=noninteractive
if "${as_root[@]}" apt-get update -qq </dev/null &&
  "${as_root[@]}" apt-get install -y -qq --no-install-recommends "${wanted[@]}" </dev/null >/dev/null; then
  echo "installed: ${wanted[*]}"
else
  echo "could not install ${wanted[*]}: the tests that compare with them will be skipped"
fi
exit 0
