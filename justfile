# What people type. CI runs .ci/run, which runs the same commands.

# Everything that needs no cluster
test:
    cargo build --workspace --bins --locked && cargo test --workspace --locked

# Formatting and lints as CI holds them
lint:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets --locked -- -D warnings

# The tour on the embedded twin
demo:
    cargo build --workspace --bins --locked
    target/debug/switchback demo

# Write generated files again: schemas, docs/codes.md, example plans, tables
generate:
    cargo run --locked --bin switchback -- schema --write schemas
    # Not written in place: a build that fails would leave the page empty.
    cargo run --locked --bin switchback -- explain --all-markdown > target/codes.md
    mv target/codes.md docs/codes.md
    UPDATE=1 cargo test --locked -p switchback-tests-it -p switchback-tests-contract
    cargo build --workspace --bins --locked
    UPDATE=1 cargo test --workspace --locked --test wire example

# The real control plane: `just cluster up`, `just cluster down`, `just cluster test`
cluster command *arguments:
    cargo run --locked --bin cluster -- {{ if command == "test" { "test -- tests/cluster/suite" } else { command } }} {{ arguments }}
