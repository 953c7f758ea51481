"""All settings as one tree, the checks between its domains, and each setting by its environment variable."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, model_validator
from pydantic.fields import FieldInfo

from shared.errors import SettingsError
from shared.settings.answers import AnswersSettings, DeliverySettings
from shared.settings.channels import ChannelsSettings, EgressSettings, MediaSettings
from shared.settings.gateway import GatewaySettings, KnowledgeSettings, WidgetSettings
from shared.settings.kinds import Domain
from shared.settings.lifecycle import ArchiveSettings, BackupSettings
from shared.settings.models import EmbeddingsSettings, LLMSettings, RerankSettings
from shared.settings.processes import OperationsSettings, ProcessesSettings
from shared.settings.services import DatabaseSettings, DiskSettings, JournalSettings, RedisSettings, SystemSettings


class Settings(BaseModel):
    """One attribute a domain: `settings.llm.base_url` is LLM_BASE_URL."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    system: SystemSettings = SystemSettings()
    database: DatabaseSettings = DatabaseSettings()
    redis: RedisSettings = RedisSettings()
    journal: JournalSettings = JournalSettings()
    disk: DiskSettings = DiskSettings()
    llm: LLMSettings = LLMSettings()
    embeddings: EmbeddingsSettings = EmbeddingsSettings()
    rerank: RerankSettings = RerankSettings()
    channels: ChannelsSettings = ChannelsSettings()
    egress: EgressSettings = EgressSettings()
    media: MediaSettings = MediaSettings()
    gateway: GatewaySettings = GatewaySettings()
    widget: WidgetSettings = WidgetSettings()
    knowledge: KnowledgeSettings = KnowledgeSettings()
    answers: AnswersSettings = AnswersSettings()
    delivery: DeliverySettings = DeliverySettings()
    processes: ProcessesSettings = ProcessesSettings()
    operations: OperationsSettings = OperationsSettings()
    archive: ArchiveSettings = ArchiveSettings()
    backup: BackupSettings = BackupSettings()

    @classmethod
    def of(cls, **values: Any) -> Self:
        """Settings by their variables, `Settings.of(LEASE_S=3)`, and the defaults: nothing of this process'
        surroundings. Values are typed, or text as an environment has it. Raises pydantic's ValidationError, and
        KeyError for a name that no setting has."""
        domains: dict[str, dict[str, Any]] = {}
        for name, value in values.items():
            domains.setdefault(VARIABLES[name].domain, {})[name] = value
        return cls.model_validate(domains)

    def given(self) -> dict[str, Any]:
        """Return what was set, by variable, without defaults."""
        return {name: one.value_in(self) for name, one in VARIABLES.items() if one.is_set_in(self)}

    def changed(self, **values: Any) -> Self:
        """A copy with other values, by variable; checked as a whole."""
        return self.of(**self.given() | values)

    @model_validator(mode="after")
    def _cross_check(self) -> Self:
        domains: list[Domain] = [getattr(self, name) for name in type(self).model_fields]
        problems = [problem for domain in domains for problem in domain.problems()] + self.problems()
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def problems(self) -> list[str]:
        """Return conflicts between settings of different domains; they name the variables."""
        found = []
        if self.database.url and not self.redis.url:
            found.append("DATABASE_URL is set but REDIS_URL is not: set both, or neither for embedded services")
        if self.database.pool_timeout_s >= self.answers.lease_s:
            found.append("DATABASE_POOL_TIMEOUT_S must be below LEASE_S, or a waiting renewal loses its lease")
        if self.answers.turn_deadline_s < self.llm.call_deadline_s:
            found.append("TURN_DEADLINE_S is below LLM_CALL_DEADLINE_S")
        if self.redis.visibility_timeout_s < self.answers.quiet_window_max_s + 4:
            found.append("VISIBILITY_TIMEOUT_S must be above the longest countdown")
        return found

    @property
    def media_folder(self) -> Path:
        return self.media.dir or self.system.data_dir / "media"

    @property
    def metrics_folder(self) -> Path:
        return self.operations.metrics_dir or self.system.data_dir / "metrics"

    @property
    def backup_folder(self) -> Path:
        return self.backup.dir or self.system.data_dir / "backups"

    @property
    def lease_folder(self) -> Path:
        """Return the folder of lease records, which all processes of this machine share."""
        return self.metrics_folder / "held"

    def need(self, variable: str) -> str:
        """The value of a variable that this process cannot do without. Raises SettingsError naming it."""
        value = VARIABLES[variable].value_in(self)
        if value is None and variable in ("JOURNAL_URL", "BROKER_URL", "CACHE_URL"):
            return self.need("REDIS_URL")
        if not value and not self.system.data_dir.is_dir():
            raise SettingsError(
                f"{variable} is not set, and DATA_DIR={self.system.data_dir} does not exist, so no system runs there: "
                "name the DATA_DIR of a running ./switchboard up"
            )
        if not value:
            raise SettingsError(
                f"{variable} is not set: start the embedded system with ./switchboard up, "
                f"or set {variable} to use a service of your own"
            )
        return str(value)


@dataclass(frozen=True, slots=True)
class Variable:
    """Where in the tree an environment variable's value stands."""

    name: str
    domain: str
    attribute: str
    field: FieldInfo

    def value_in(self, settings: Settings) -> Any:
        return getattr(getattr(settings, self.domain), self.attribute)

    def is_set_in(self, settings: Settings) -> bool:
        domain: Domain = getattr(settings, self.domain)
        return self.attribute in domain.model_fields_set


def _variables() -> Mapping[str, Variable]:
    found: dict[str, Variable] = {}
    for domain, branch in Settings.model_fields.items():
        kind: type[Domain] = type(branch.default)
        for attribute, field in kind.model_fields.items():
            if field.alias is None or field.alias in found:
                raise TypeError(f"{kind.__name__}.{attribute} needs an environment variable of its own as its alias")
            found[field.alias] = Variable(field.alias, domain, attribute, field)
    return found


VARIABLES: Mapping[str, Variable] = _variables()
"""Every setting by its environment variable."""
