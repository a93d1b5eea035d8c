#!/bin/sh
# Runs the tests of this folder inside Saleor: `make test-saleor`, or `sh tests/saleor/run.sh [pytest arguments]`.
# Paths below tests/saleor among the arguments: only those.
#
#   SALEOR_SRC         Saleor's source, with its environment (development dependencies too) in .venv; ~/saleor
#   SALEOR_PYTHON      the interpreter, when it is elsewhere
#   DATABASE_URL       postgres://user:password@host:port/name of a role that may create databases and extensions;
#                      postgres://saleor:saleor@127.0.0.1:5432/crm_saleor_<release>. Tests run in test_<name>, which is
#                      made by Saleor's migrations the first time (minutes) and kept.
#   CRM_TEST_REDIS_URL Redis for the live test; redis://127.0.0.1:6379/0, under keys of its own
set -eu

root=$(CDPATH= cd -- "$(dirname -- "$0")/../.." && pwd)
source=${SALEOR_SRC:-$HOME/saleor}
python=${SALEOR_PYTHON:-$source/.venv/bin/python}

if [ ! -f "$source/saleor/__init__.py" ] || [ ! -x "$python" ]; then
    echo "No Saleor at $source with an interpreter at $python. Clone github.com/saleor/saleor, install it with its"
    echo "development dependencies into .venv, and set SALEOR_SRC."
    exit 1
fi

cd "$root"
PYTHONPATH="$root:$source"
export PYTHONPATH
"$python" -m tests.saleor.prepare
case " $* " in
    *" tests/saleor/"*) ;;
    *) set -- tests/saleor "$@" ;;
esac
exec "$python" -m pytest -c tests/saleor/pytest.ini --rootdir="$root" --confcutdir="$root" "$@"
