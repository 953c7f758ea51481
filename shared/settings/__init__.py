"""Every setting, typed, nested by domain, with units in the names, cross-checked at start.

Only processes load settings (`load()`); everything below gets values. A setting is a field of its domain's class in
this folder: `settings.answers.lease_s` is the environment variable LEASE_S, which is the field's alias.
"""

from shared.settings.environment import LOG_FILE as LOG_FILE
from shared.settings.environment import PROCESS as PROCESS
from shared.settings.environment import RUN_ENV as RUN_ENV
from shared.settings.environment import as_text as as_text
from shared.settings.environment import child_environment as child_environment
from shared.settings.environment import given_folders as given_folders
from shared.settings.environment import load as load
from shared.settings.environment import log_file as log_file
from shared.settings.environment import of_running_system as of_running_system
from shared.settings.environment import only_environment as only_environment
from shared.settings.environment import warnings as warnings
from shared.settings.kinds import PerMinute as PerMinute
from shared.settings.models import EmbeddingsProvider as EmbeddingsProvider
from shared.settings.models import ModelProvider as ModelProvider
from shared.settings.services import PROJECT_ROOT as PROJECT_ROOT
from shared.settings.tree import VARIABLES as VARIABLES
from shared.settings.tree import Settings as Settings
