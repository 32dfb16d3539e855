# Does this image accept the database? The same check that its server makes at start, without a server and without
# a change. Ends with 0 if the revision is the image's head, 1 if it is another one, 2 if that could not be read.
# Run by `python -c`; an argument names another variable for the address. The address is never printed, nor is a
# message of a client, which may quote it.
import logging
import os
import sys

variable = sys.argv[1] if len(sys.argv) > 1 else "MLFLOW_BACKEND_STORE_URI"
logging.disable(logging.CRITICAL)


def end(code, line):
    print("schema check: " + line, flush=True)
    # Not sys.exit: nothing that still runs at the end of the interpreter may add to what was said.
    sys.stderr.flush()
    os._exit(code)


uri = os.environ.get(variable)
if not uri:
    end(2, "the variable " + variable + " is empty or not set")
try:
    from alembic.script import ScriptDirectory
    from mlflow.exceptions import MlflowException
    from mlflow.store.db import utils
    from mlflow.version import VERSION

    head = utils._get_latest_schema_revision()
    engine = utils.create_sqlalchemy_engine(uri)
    found = utils._get_schema_version(engine)
    try:
        utils._verify_schema(engine)
    except MlflowException:
        accepted = False
    else:
        accepted = True
    scripts = ScriptDirectory.from_config(utils._get_alembic_config(db_url=""))
    older = found in {script.revision for script in scripts.walk_revisions()}
except Exception as error:
    kinds = [type(error).__name__]
    if getattr(error, "orig", None) is not None:
        kinds.append(type(error.orig).__name__)
    end(2, "the revision could not be read: " + " of ".join(kinds))

if accepted and found == head:
    end(0, "revision " + head + " is the head of MLflow " + VERSION)
if found is None:
    end(1, "the database has no revision; MLflow " + VERSION + " expects " + head)
if older:
    end(1, "revision " + found + " is older than the head " + head + " of MLflow " + VERSION)
end(1, "revision " + found + " is not known to MLflow " + VERSION + ", whose head is " + head + ": a newer one migrated it")
