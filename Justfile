# The front door. `./dev` lists the recipes, `./dev RECIPE` runs one and sets up whatever it needs.

set positional-arguments
set ignore-comments

export JUST := just_executable()

# What rootless containers need of a Debian or Ubuntu. A release that lacks one does without.
engine_packages := "podman runc slirp4netns passt uidmap netavark aardvark-dns catatonit iptables nftables ca-certificates"
image_packages := "mmdebstrap debian-archive-keyring"

[private]
default:
    @{{ JUST }} --list --unsorted

# An example project's tests, against a real PostgreSQL and a real Redis
[group('try')]
demo: _host
    @tools/rootless _demo

[private]
_demo: _host _venv
    @.venv/bin/python containers/build.py postgres:17 redis:8
    @cd tests/projects/article && "$OLDPWD/tools/pytest" -v

# The whole suite; arguments go to pytest: `./dev test -k redis`
[group('test')]
test *ARGS: _host
    @tools/suite "$@"

[private]
_test *ARGS: _host _venv _images
    @.venv/bin/python tools/left_behind.py note .venv/store-before
    tools/pytest --numprocesses 2 --dist loadgroup -m "not rootful" "$@"
    @.venv/bin/python tools/left_behind.py check .venv/store-before

# The built wheel in an environment of its own, with nothing of the checkout
[group('test')]
test-wheel: _host
    @tools/rootless _test-wheel

[private]
_test-wheel: _host _venv
    @.venv/bin/python containers/build.py postgres:17 redis:8
    @tools/test-wheel

# The plugin's tests with the oldest pytest that it supports
[group('test')]
test-pytest *ARGS: _host
    @tools/rootless _test-pytest "$@"

[private]
_test-pytest *ARGS: _host _venv
    @.venv/bin/python containers/build.py busybox:latest postgres:15 postgres:17 redis:8
    @tools/test-pytest7 "$@"

# Kill sessions in every way at random moments; count what they leave, and strangers touched: `./dev torture 200`
[group('test')]
torture *N: _host
    @tools/rootless _torture "$@"

[private]
_torture *N: _host _venv _images
    PYTHONPATH=tests .venv/bin/python -m cleanup.torture "$@"

# Any command in the development environment: `./dev run podjig doctor`
[group('test')]
run *COMMAND: _host
    @tools/rootless _run "$@"

[private]
_run *COMMAND: _venv
    @PATH="$PWD/.venv/bin:$PATH" "$@"

# Build the images that the suite runs on, where missing or outdated: `./dev images --list`
[group('images')]
images *ARGS: _host
    @tools/rootless _images "$@"

[private]
_images *ARGS: _venv
    @.venv/bin/python containers/build.py "$@"

# Linters: style, format, import layers, shell scripts
[group('check')]
lint: _dev
    .venv/bin/ruff check .
    .venv/bin/ruff format --check .
    .venv/bin/lint-imports --no-cache
    @tools/shell-scripts

# Type checkers: mypy on everything, pyright on the package and on how completely it is typed
[group('check')]
types: _dev
    .venv/bin/mypy
    .venv/bin/pyright
    # This mode reads no configuration: it takes the first Python on the path.
    PATH="$PWD/.venv/bin:$PATH" pyright --verifytypes podjig --ignoreexternal

# Repair what the linters can repair
[group('check')]
fix: _dev
    .venv/bin/ruff check --fix .
    .venv/bin/ruff format .

# podjig beside its peers: all benchmarks, one after another; each has a recipe of its own
[group('bench')]
bench: bench-startup bench-pods bench-isolation

# Start and stop, beside testcontainers-python
[group('bench')]
bench-startup *ARGS: _host
    @tools/rootless _bench-startup "$@"

[private]
_bench-startup *ARGS: _venv
    @tools/venv test bench
    @.venv/bin/python containers/build.py postgres:17 redis:8
    .venv/bin/python benchmarks/startup.py "$@"

# A pod beside its members one by one, and beside the peer's network
[group('bench')]
bench-pods *ARGS: _host
    @tools/rootless _bench-pods "$@"

[private]
_bench-pods *ARGS: _venv
    @tools/venv test bench
    @.venv/bin/python containers/build.py postgres:17 redis:8 busybox:latest
    .venv/bin/python benchmarks/pods.py "$@"

# A clean database for each test, in every mode, beside pytest-postgresql and rollback by hand: `--rounds 1 --tests 100`
[group('bench')]
bench-isolation *ARGS: _host
    @tools/packages postgresql
    @tools/rootless _bench-isolation "$@"

[private]
_bench-isolation *ARGS: _venv
    @tools/venv test bench
    @.venv/bin/python containers/build.py postgres:17
    .venv/bin/python benchmarks/isolation.py "$@"

# The documentation as a site in site/, built without a warning
[group('docs')]
docs: _venv
    @tools/venv test docs
    .venv/bin/mkdocs build --quiet --strict --site-dir site

# Build the wheel into dist/
[group('release')]
wheel: _venv
    .venv/bin/hatchling build --target wheel

# Renew the pinned requirements
[group('release')]
lock: _dev
    @tools/lock

# Remove what the recipes made in this checkout; images stay
[group('release')]
clean:
    rm -rf .venv .just dist site
    find . -name __pycache__ -type d -prune -exec rm -rf {} +
    rm -rf .pytest_cache .mypy_cache .ruff_cache .import_linter_cache

[private]
_host:
    @tools/packages python3-venv {{ engine_packages }} {{ image_packages }}
    @tools/tun

[private]
_venv:
    @tools/packages python3-venv
    @tools/venv test

[private]
_dev: _venv
    @tools/venv test dev
