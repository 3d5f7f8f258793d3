"""Make a database to look at."""

import json
import sys
from datetime import UTC, datetime
from pathlib import Path

from deadletter.settings import Settings
from deadletter.store import make_engine, upgrade
from tests.seed import seed
from tests.states import make_states

settings = Settings(data_dir=Path(sys.argv[1]))
upgrade(settings)
engine, now = make_engine(settings), datetime.now(tz=UTC)
seed(engine, now=now)
found = make_states(engine, now)
print(json.dumps({"redrives": found.redrives, "events": found.events, "groups": found.groups}))  # noqa: T201 - its answer
