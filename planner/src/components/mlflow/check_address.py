# Is the database behind this address on the instance that the plan backs up, and does nothing live there that nobody
# accepted? Looked at from the new image while the old server still runs: so the image is pulled and can connect before
# anything is taken away. Ends with 0 if so, 1 if not, 2 if that could not be read.
# Run by `python -c` with the variable that holds the address, the instance's host, and names of accepted databases. The
# address is never printed, nor is a message of a client, which may quote it.
import logging
import os
import socket
import sys

logging.disable(logging.CRITICAL)
LISTS = {
    "postgresql": ("SELECT datname FROM pg_database WHERE NOT datistemplate", {"postgres", "rdsadmin"}),
    "mysql": ("SHOW DATABASES", {"information_schema", "innodb", "mysql", "performance_schema", "sys", "tmp"}),
    "mssql": ("SELECT name FROM sys.databases", {"master", "model", "msdb", "rdsadmin", "tempdb"}),
}


def end(code, line):
    print("address check: " + line, flush=True)
    # Not sys.exit: nothing that still runs at the end of the interpreter may add to what was said.
    sys.stderr.flush()
    os._exit(code)


def addresses(host):
    return {info[4][0] for info in socket.getaddrinfo(host, None)}


if len(sys.argv) < 3:
    end(2, "it is told the variable and the instance's host")
variable, instance, accepted = sys.argv[1], sys.argv[2], set(sys.argv[3:])
uri = os.environ.get(variable)
if not uri:
    end(2, "the variable " + variable + " is empty or not set")
try:
    import sqlalchemy

    url = sqlalchemy.engine.make_url(uri)
    dialect = url.get_backend_name()
    host = (url.host or "").rstrip(".").lower()
except Exception as error:
    end(2, "the address cannot be parsed: " + type(error).__name__)
if dialect == "mariadb":
    dialect = "mysql"
if dialect not in LISTS:
    end(1, "it is an address of " + dialect + ", and the plan backs up an instance of RDS")
if not host:
    end(2, "the address names no host")
if host != instance.lower():
    try:
        same = addresses(host) & addresses(instance)
    except OSError as error:
        end(2, "a host cannot be resolved: " + type(error).__name__)
    if not same:
        end(1, "the address leads to another host than " + instance)
question, own = LISTS[dialect]
try:
    with sqlalchemy.create_engine(uri).connect() as connection:
        found = {row[0] for row in connection.execute(sqlalchemy.text(question))}
except Exception as error:
    kinds = [type(error).__name__]
    if getattr(error, "orig", None) is not None:
        kinds.append(type(error.orig).__name__)
    end(2, "the databases could not be listed: " + " of ".join(kinds))
others = sorted(found - own - accepted - {url.database})
if others:
    end(1, "a restore would rewind these too, and nobody accepted that: " + ", ".join(others))
end(0, "the address leads to " + instance + ", and nothing else on it is at stake")
